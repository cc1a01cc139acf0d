package dev.tsumugi.engine.files;

import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelConfig.Activation;
import dev.tsumugi.engine.model.ModelConfig.Family;
import dev.tsumugi.engine.model.ModelConfig.RopeScaling;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** A model in one GGUF file, under the names and in the row order of Hugging Face checkpoints except for {@link #ropeLayout}. */
public final class GgufModelFiles implements ModelFiles {
    private static final String ADVICE = "Use a GGUF file made by llama.cpp's own converter";

    private final GgufFile file;
    private final GgufArchitecture architecture;
    private final ModelConfig config;
    private final Map<String, Tensor> tensors = new HashMap<>();

    private GgufModelFiles(GgufFile file) {
        this.file = file;
        this.architecture = architecture(file);
        this.config = ConfigLimits.check(file.path(), readConfig());
        for (String name : file.names()) {
            architecture
                    .huggingFaceName(name)
                    .ifPresent(n -> tensors.put(n, file.tensor(name).orElseThrow()));
        }
        file.tensor("rope_freqs.weight").ifPresent(factors -> {
            if (factors.dtype() != DType.F32 || !factors.shape().equals(new Shape(config.rotaryDimensions() / 2))) {
                throw new ModelFileException(
                        file.path(),
                        "rope_freqs.weight is " + factors.dtype() + " " + factors.shape() + ", not F32 ["
                                + config.rotaryDimensions() / 2 + "]",
                        ADVICE);
            }
            tensors.put(ROPE_FREQUENCY_FACTORS, factors);
        });
        if (config.family() == Family.GPT_NEOX) {
            tensors.replaceAll(
                    (name, tensor) -> name.contains(".query_key_value.") ? interleaveByHead(tensor) : tensor);
        }
    }

    /** @throws ModelFileException when the file is unsound or holds a model that the engine does not run */
    public static GgufModelFiles open(Path path) {
        GgufFile file = GgufFile.open(path);
        try {
            return new GgufModelFiles(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static GgufArchitecture architecture(GgufFile file) {
        String id = file.metadata().string("general.architecture").orElse("");
        return GgufArchitecture.of(id)
                .orElseThrow(() -> new ModelFileException(
                        file.path(),
                        "architecture '" + id + "' is not supported",
                        "Use a model of architecture llama, mistral, qwen2, qwen3 or gptneox"));
    }

    private ModelConfig readConfig() {
        boolean neoX = architecture.family() == Family.GPT_NEOX;
        if (integer("expert_count", 0) > 0) {
            throw new ModelFileException(file.path(), "mixtures of experts are not supported", "Use a dense model");
        }
        int hidden = integer("embedding_length", null);
        int heads = integer("attention.head_count", null);
        if (heads < 1) {
            throw new ModelFileException(file.path(), "attention.head_count is " + heads, ADVICE);
        }
        int headSize = integer("attention.key_length", hidden / heads);
        if (integer("attention.value_length", headSize) != headSize) {
            throw new ModelFileException(
                    file.path(), "keys and values of different sizes are not supported", "Use another model");
        }
        return new ModelConfig(
                architecture.family(),
                file.metadata()
                        .string("general.name")
                        .orElseGet(() -> String.valueOf(file.path().getFileName())),
                vocabularySize(),
                hidden,
                integer("block_count", null),
                heads,
                neoX ? heads : integer("attention.head_count_kv", heads),
                headSize,
                integer("feed_forward_length", null),
                number(neoX ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5f),
                number("rope.freq_base", 10_000f),
                integer("rope.dimension_count", headSize),
                ropeScaling(),
                integer("attention.sliding_window", 0),
                integer("context_length", 2048),
                file.tensor("output.weight").isEmpty(),
                neoX && file.metadata().flag(key("use_parallel_residual")).orElse(true),
                // The file does not say which GELU; the GPT-NeoX models were trained with the exact one.
                neoX ? Activation.GELU_ERF : Activation.SILU);
    }

    private int vocabularySize() {
        Tensor embeddings = file.tensor("token_embd.weight")
                .orElseThrow(() -> new ModelFileException(
                        file.path(),
                        "has no token_embd.weight: it is a vocabulary without a model",
                        "Use a whole model"));
        return (int) Math.min(Integer.MAX_VALUE, embeddings.shape().get(0));
    }

    private @Nullable RopeScaling ropeScaling() {
        if (file.tensor("rope_freqs.weight").isPresent()) {
            return null;
        }
        String type = file.metadata().string(key("rope.scaling.type")).orElse("none");
        float factor = number("rope.scaling.factor", number("rope.scale_linear", 1f));
        return switch (type) {
            case "none" -> factor == 1f ? null : new RopeScaling("linear", factor, 0, 0, 0);
            case "linear" -> new RopeScaling("linear", factor, 0, 0, 0);
            default ->
                throw new ModelFileException(
                        file.path(),
                        "rope scaling '" + type + "' is not supported",
                        "Use a model with plain or linear rope");
        };
    }

    /**
     * GGUF keeps the rows of the fused matrix as all queries, all keys, all values; checkpoints keep query, key and value of each head
     * together.
     */
    private Tensor interleaveByHead(Tensor fused) {
        int heads = config.heads();
        long rows = fused.shape().get(0);
        if (rows != 3L * heads * config.headSize()) {
            throw new ModelFileException(
                    file.path(), "attn_qkv has " + rows + " rows, which do not fit the heads", ADVICE);
        }
        long headBytes = fused.byteSize() / (3L * heads);
        MemorySegment from = fused.segment();
        MemorySegment to = file.mapping().allocate(fused.byteSize());
        for (int part = 0; part < 3; part++) {
            for (int head = 0; head < heads; head++) {
                long source = ((long) part * heads + head) * headBytes;
                long target = ((long) head * 3 + part) * headBytes;
                MemorySegment.copy(from, source, to, target, headBytes);
            }
        }
        return new Tensor(fused.dtype(), fused.shape(), new HostMemory(to), 0);
    }

    private String key(String name) {
        return architecture.id() + "." + name;
    }

    /** @param fallback null where the value must be there */
    private int integer(String name, @Nullable Integer fallback) {
        OptionalLong value = file.metadata().integer(key(name));
        if (value.isPresent()) {
            // What does not fit an int is refused by ConfigLimits.
            return (int) Math.clamp(value.getAsLong(), Integer.MIN_VALUE, Integer.MAX_VALUE);
        }
        if (fallback == null) {
            throw new ModelFileException(file.path(), "metadata '" + key(name) + "' is missing", ADVICE);
        }
        return fallback;
    }

    private float number(String name, float fallback) {
        return (float) file.metadata().number(key(name)).orElse(fallback);
    }

    /** The file itself, for its vocabulary. */
    public GgufFile file() {
        return file;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Optional<Tensor> tensor(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    @Override
    public RopeLayout ropeLayout() {
        return architecture.ropeLayout();
    }

    @Override
    public void unload() {
        file.unload();
    }

    @Override
    public void close() {
        file.close();
    }
}
