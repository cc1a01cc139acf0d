package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A LoRA adapter in a folder as PEFT writes it: {@code adapter_config.json} and {@code adapter_model.safetensors}, which is mapped until {@link
 * #close}. LoRA and rsLoRA without biases; ranks and scales by pattern; everything that would need more than {@code scale * B A x} beside a
 * linear layer is refused with what to do instead.
 *
 * <p>Its identity is {@link #digest}: SHA-256, in lower-case hexadecimal, over both files: the text {@code tsumugi-lora-2 }, the length of
 * {@code adapter_config.json} in decimal digits, a line feed, the bytes of that file, and those of {@code adapter_model.safetensors}. All of the
 * configuration is a part of it, for whether an adapter fits a model depends on more than what it computes.
 */
public final class PeftAdapter implements AutoCloseable {
    static final String CONFIG = "adapter_config.json";
    static final String WEIGHTS = "adapter_model.safetensors";
    private static final String DIGEST_FORMAT = "tsumugi-lora-2 ";

    private static final Pattern MATRIX = Pattern.compile("base_model\\.model\\.(.{1,200})\\.lora_([AB])\\.weight");
    private static final int HASHED_AT_A_TIME = 1 << 20;
    private static final String OTHER_BASE = "Use an adapter that was trained on this base model";

    /** Both matrices of a layer while the file is read. */
    private static final class Matrices {
        private @Nullable Tensor a;
        private @Nullable Tensor b;
    }

    private final Path folder;
    private final PeftConfig config;
    private final SafetensorsFile file;
    private final SortedMap<String, LowRankPair> pairs;

    private PeftAdapter(Path folder, PeftConfig config, SafetensorsFile file) {
        this.folder = folder;
        this.config = config;
        this.file = file;
        this.pairs = read();
    }

    /** @throws ModelFileException when a file is missing, unsound, contradicts the other, or asks for what the engine does not compute */
    public static PeftAdapter open(Path folder) {
        PeftConfig config = PeftConfig.read(folder.resolve(CONFIG));
        SafetensorsFile file = SafetensorsFile.open(folder.resolve(WEIGHTS));
        try {
            return new PeftAdapter(folder, config, file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * The identity of the adapter in a folder, see {@link #digest}.
     *
     * @throws ModelFileException as {@link #open}
     */
    public static String digestOf(Path folder) {
        try (PeftAdapter adapter = open(folder)) {
            return adapter.digest();
        }
    }

    private SortedMap<String, LowRankPair> read() {
        SortedMap<String, Matrices> layers = new TreeMap<>();
        for (String name : file.names()) {
            Matcher matrix = MATRIX.matcher(name);
            if (!matrix.matches()) {
                throw unexpected(name);
            }
            Tensor tensor = file.tensor(name).orElseThrow();
            if (tensor.shape().rank() != 2 || !isFloat(tensor.dtype())) {
                throw refused(
                        "tensor '" + name + "' is " + tensor.dtype() + " " + tensor.shape(),
                        "It must be a matrix of F32, F16 or BF16");
            }
            Matrices matrices = layers.computeIfAbsent(matrix.group(1), module -> new Matrices());
            if (matrix.group(2).equals("A")) {
                matrices.a = tensor;
            } else {
                matrices.b = tensor;
            }
        }
        if (layers.isEmpty()) {
            throw refused("holds no matrix", "Fetch or save the adapter again");
        }
        SortedMap<String, LowRankPair> read = new TreeMap<>();
        layers.forEach((module, matrices) -> read.put(module, pair(module, matrices)));
        return Collections.unmodifiableSortedMap(read);
    }

    private LowRankPair pair(String module, Matrices matrices) {
        Tensor a = matrices.a;
        Tensor b = matrices.b;
        if (a == null || b == null) {
            throw refused("lacks lora_" + (a == null ? "A" : "B") + " of " + module, "Fetch or save the adapter again");
        }
        int rank = config.rank(module);
        if (a.shape().get(0) != rank || b.shape().get(1) != rank) {
            throw refused(
                    "has A " + a.shape() + " and B " + b.shape() + " for " + module + ", where " + CONFIG
                            + " gives it rank " + rank,
                    "Use both files as PEFT wrote them");
        }
        return new LowRankPair(a, b, config.scale(module));
    }

    private static boolean isFloat(DType dtype) {
        return dtype == DType.F32 || dtype == DType.F16 || dtype == DType.BF16;
    }

    private ModelFileException unexpected(String name) {
        if (name.contains("lora_magnitude_vector")) {
            return refused(
                    "is a DoRA adapter: it holds '" + name + "'",
                    "The engine runs plain and rank-stabilized LoRA; train with use_dora false, or merge it into its base");
        }
        if (name.contains("lora_embedding_")) {
            return refused(
                    "adapts an embedding: it holds '" + name + "'",
                    "Leave embeddings out of target_modules, or merge the adapter into its base");
        }
        return refused(
                "holds '" + name + "', which is no LoRA matrix of a linear layer",
                "Save the adapter without it, or merge the adapter into its base");
    }

    private ModelFileException refused(String problem, String advice) {
        return new ModelFileException(file.path(), problem, advice);
    }

    public Path folder() {
        return folder;
    }

    /** Name of the model it was trained on, as the file says it; may be empty, or a path of another machine. */
    public String baseModel() {
        return config.baseModel();
    }

    /** The largest rank of any layer. */
    public int rank() {
        return pairs.values().stream()
                .mapToInt(pair -> (int) pair.a().shape().get(0))
                .max()
                .orElseThrow();
    }

    /** Values of all matrices together. */
    public long elements() {
        return pairs.values().stream()
                .mapToLong(
                        pair -> pair.a().shape().elements() + pair.b().shape().elements())
                .sum();
    }

    /** What {@code adapter_model.safetensors} carries under {@code __metadata__}. */
    public Map<String, String> metadata() {
        return file.metadata();
    }

    /** What it adds to each linear layer, by name. */
    public SortedMap<String, LowRankPair> pairs() {
        return pairs;
    }

    /**
     * Checks that this adapter fits a model: every layer and shape is the model's, and the layers that {@code target_modules} chooses of it are
     * those in the file, no less and no more.
     *
     * @param modules shape [N, K] of each linear layer that can be adapted, the head last
     * @throws ModelFileException when it does not fit
     */
    public void requireFits(Map<String, Shape> modules) {
        pairs.forEach((module, pair) -> {
            Shape shape = modules.get(module);
            if (shape == null) {
                throw refused("adapts " + module + ", which the model does not have" + trainedOn(), OTHER_BASE);
            }
            Shape a = pair.a().shape();
            Shape b = pair.b().shape();
            if (a.get(1) != shape.get(1) || b.get(0) != shape.get(0)) {
                throw refused(
                        "has A " + a + " and B " + b + " for " + module + ", whose weight in the model is " + shape
                                + trainedOn(),
                        OTHER_BASE);
            }
        });
        String head = modules.keySet().stream().reduce((first, last) -> last).orElse("");
        modules.keySet().forEach(module -> {
            boolean chosen = config.targets(module, module.equals(head));
            if (chosen != pairs.containsKey(module)) {
                throw refused(
                        chosen
                                ? "lacks the matrices of " + module + ", which " + CONFIG + " targets"
                                : "holds matrices of " + module + ", which " + CONFIG + " does not target",
                        "Use both files as PEFT wrote them");
            }
        });
    }

    private String trainedOn() {
        return baseModel().isEmpty() ? "" : " (the adapter names '" + baseModel() + "' as its base)";
    }

    /** @throws ModelFileException when a value is infinite or not a number */
    public void requireFinite() {
        pairs.forEach((module, pair) -> {
            requireFinite(module, "A", pair.a());
            requireFinite(module, "B", pair.b());
        });
    }

    private void requireFinite(String module, String matrix, Tensor tensor) {
        if (!FiniteValues.areAll(tensor)) {
            throw refused(
                    "has infinite values or NaN in lora_" + matrix + " of " + module,
                    "Its training diverged: use an earlier checkpoint");
        }
    }

    /** Its identity, computed from the whole content; see the class. */
    public String digest() {
        MessageDigest sha256 = sha256();
        byte[] settings = config.bytes();
        sha256.update((DIGEST_FORMAT + settings.length + "\n").getBytes(StandardCharsets.UTF_8));
        sha256.update(settings);
        MemorySegment content = file.content();
        for (long at = 0; at < content.byteSize(); at += HASHED_AT_A_TIME) {
            sha256.update(content.asSlice(at, Math.min(HASHED_AT_A_TIME, content.byteSize() - at))
                    .asByteBuffer());
        }
        return HexFormat.of().formatHex(sha256.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
