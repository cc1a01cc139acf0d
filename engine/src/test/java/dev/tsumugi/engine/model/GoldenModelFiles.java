package dev.tsumugi.engine.model;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig.Activation;
import dev.tsumugi.engine.model.ModelConfig.Family;
import dev.tsumugi.engine.model.ModelConfig.RopeScaling;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The tiny golden models, their configuration written out. */
record GoldenModelFiles(ModelConfig config, List<SafetensorsFile> shards) implements ModelFiles {

    static GoldenModelFiles open(String name) {
        Stream<String> shards = name.equals("tiny-qwen2")
                ? Stream.of(1, 2, 3).map("model-0000%d-of-00003.safetensors"::formatted)
                : Stream.of("model.safetensors");
        return new GoldenModelFiles(
                config(name),
                shards.map(shard -> SafetensorsFile.open(Golden.path(name + "/" + shard)))
                        .toList());
    }

    private static ModelConfig config(String name) {
        return switch (name) {
            case "tiny-llama", "tiny-qwen2" -> llama(name, 16, null, 0, true, 1e-5f);
            case "tiny-llama3-rope" -> llama(name, 16, new RopeScaling("llama3", 8, 1, 4, 256), 0, true, 1e-5f);
            case "tiny-qwen3" -> llama(name, 32, null, 0, true, 1e-5f);
            case "tiny-mistral" -> llama(name, 16, null, 8, false, 1e-5f);
            case "tiny-gptneox" -> neox(name, 4, true);
            case "tiny-gptneox-sequential" -> neox(name, 16, false);
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static ModelConfig llama(
            String name, int headSize, RopeScaling scaling, int window, boolean tied, float epsilon) {
        return new ModelConfig(
                Family.LLAMA,
                name,
                320,
                64,
                2,
                4,
                2,
                headSize,
                128,
                epsilon,
                10000,
                headSize,
                scaling,
                window,
                512,
                tied,
                false,
                Activation.SILU);
    }

    private static ModelConfig neox(String name, int rotaryDimensions, boolean parallel) {
        return new ModelConfig(
                Family.GPT_NEOX,
                name,
                320,
                64,
                2,
                4,
                4,
                16,
                256,
                1e-5f,
                10000,
                rotaryDimensions,
                null,
                0,
                512,
                false,
                parallel,
                Activation.GELU_ERF);
    }

    @Override
    public Optional<Tensor> tensor(String name) {
        return shards.stream().flatMap(shard -> shard.tensor(name).stream()).findFirst();
    }

    @Override
    public RopeLayout ropeLayout() {
        return RopeLayout.HALVES;
    }

    @Override
    public void close() {
        shards.forEach(SafetensorsFile::close);
    }
}
