package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.files.SafetensorsModelFiles;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model with an adapter worked into its weights, for programs that know no adapters. Each adapted weight becomes {@code W + scale * B A},
 * computed in single precision and rounded to the type that it had; everything else is copied. A head that shares its weight with the
 * embeddings becomes one of its own if the adapter changes it.
 */
public final class MergedModel {
    private static final String WEIGHTS = "model.safetensors";
    private static final List<String> OTHER_WEIGHTS =
            List.of(".safetensors", ".safetensors.index.json", ".bin", ".gguf");
    private static final String CONFIG = "config.json";
    /** Weights of heads, and those of the embeddings that they may share. */
    private static final Map<String, String> SHARED = Map.of(
            "lm_head.weight", "model.embed_tokens.weight",
            "embed_out.weight", "gpt_neox.embed_in.weight");

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final int COPIED_AT_A_TIME = 1 << 20;

    private MergedModel() {}

    /**
     * @param base a model folder with {@code config.json} and safetensors
     * @param target a folder that is not there yet, or is empty
     * @throws ModelFileException when the adapter does not fit, or the weights are of a type that cannot be written
     * @throws IllegalArgumentException when {@code target} is in use, or {@code base} is no folder
     */
    public static void write(Path base, PeftAdapter adapter, Path target) throws IOException {
        if (Files.exists(target) && !isEmptyFolder(target)) {
            throw new IllegalArgumentException(target + " is there already; name a new folder");
        }
        if (!Files.isDirectory(base)) {
            throw new IllegalArgumentException(
                    base + " is no folder with config.json and safetensors. The weights of a GGUF file cannot be"
                            + " merged: name the folder of the model that it was made from");
        }
        adapter.requireFinite();
        boolean ownHead;
        try (SafetensorsModelFiles files = SafetensorsModelFiles.open(base)) {
            SortedMap<String, LowRankPair> pairs = new TreeMap<>();
            adapter.pairs().forEach((module, pair) -> pairs.put(checked(files, module, pair), pair));
            ownHead = pairs.keySet().stream().anyMatch(SHARED::containsKey);
            Files.createDirectories(target);
            writeWeights(files, pairs, target.resolve(WEIGHTS));
        }
        copyTheRest(base, target);
        if (ownHead) {
            // Where this is true, or missing, programs may put the embeddings in the place of a head that is there.
            Path config = target.resolve(CONFIG);
            if (JSON.readTree(Files.readString(config)) instanceof ObjectNode settings) {
                settings.put("tie_word_embeddings", false);
                Files.writeString(config, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(settings));
            }
        }
    }

    private static boolean isEmptyFolder(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return false;
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.findAny().isEmpty();
        }
    }

    /** Name of the weight that the pair changes. */
    private static String checked(SafetensorsModelFiles files, String module, LowRankPair pair) {
        String name = module + ".weight";
        Tensor weight = weight(files, name)
                .orElseThrow(() -> new ModelFileException(
                        files.folder(),
                        "has no weight " + name + ", which the adapter changes",
                        "Use the model that it was trained on"));
        Shape merged = new Shape(pair.b().shape().get(0), pair.a().shape().get(1));
        if (!weight.shape().equals(merged)) {
            throw new ModelFileException(
                    files.folder(),
                    "has " + name + " of shape " + weight.shape() + ", and the adapter is for " + merged,
                    "Use the model that it was trained on");
        }
        if (weight.dtype() != DType.F32 && weight.dtype() != DType.F16 && weight.dtype() != DType.BF16) {
            throw new ModelFileException(
                    files.folder(), "has " + name + " as " + weight.dtype(), "Convert it to BF16, F16 or F32");
        }
        return name;
    }

    /** That of the embeddings for a head that shares it. */
    private static Optional<Tensor> weight(SafetensorsModelFiles files, String name) {
        return files.tensor(name).or(() -> Optional.ofNullable(SHARED.get(name)).flatMap(files::tensor));
    }

    private static void writeWeights(SafetensorsModelFiles files, SortedMap<String, LowRankPair> pairs, Path target)
            throws IOException {
        SortedMap<String, Tensor> tensors = new TreeMap<>();
        files.tensorNames().forEach(name -> tensors.put(name, files.tensor(name).orElseThrow()));
        pairs.keySet().forEach(name -> tensors.put(name, weight(files, name).orElseThrow()));
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(target))) {
            PeftWriter.writeHeader(out, tensors, Map.of());
            for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
                Tensor weight = entry.getValue();
                LowRankPair pair = pairs.get(entry.getKey());
                if (pair == null) {
                    copy(weight.segment(), out);
                } else {
                    merge(weight, pair, out);
                }
            }
        }
    }

    private static void copy(MemorySegment bytes, OutputStream out) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += COPIED_AT_A_TIME) {
            out.write(bytes.asSlice(at, Math.min(COPIED_AT_A_TIME, bytes.byteSize() - at))
                    .toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** {@code W [N, K] + scale * B [N, R] A [R, K]}, a row at a time. */
    private static void merge(Tensor weight, LowRankPair pair, OutputStream out) throws IOException {
        int rows = (int) weight.shape().get(0);
        int columns = (int) weight.shape().get(1);
        int rank = (int) pair.a().shape().get(0);
        float[][] a = IntStream.range(0, rank)
                .mapToObj(row -> row(pair.a(), row, columns))
                .toArray(float[][]::new);
        for (int n = 0; n < rows; n++) {
            float[] merged = row(weight, n, columns);
            float[] b = row(pair.b(), n, rank);
            for (int r = 0; r < rank; r++) {
                float factor = pair.scale() * b[r];
                float[] ar = a[r];
                for (int k = 0; k < columns; k++) {
                    merged[k] += factor * ar[k];
                }
            }
            out.write(bytes(merged, weight.dtype()));
        }
    }

    private static float[] row(Tensor matrix, int row, int columns) {
        MemorySegment all = matrix.segment();
        long size = elementSize(matrix.dtype());
        float[] values = new float[columns];
        for (int k = 0; k < columns; k++) {
            long at = (row * (long) columns + k) * size;
            values[k] = switch (matrix.dtype()) {
                case F16 -> Float.float16ToFloat(all.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
                case BF16 -> Float.intBitsToFloat(all.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) << 16);
                default -> all.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            };
        }
        return values;
    }

    private static byte[] bytes(float[] values, DType dtype) {
        ByteBuffer buffer =
                ByteBuffer.allocate(values.length * elementSize(dtype)).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            switch (dtype) {
                case F16 -> buffer.putShort(Float.floatToFloat16(value));
                case BF16 -> buffer.putShort(toBf16(value));
                default -> buffer.putFloat(value);
            }
        }
        return buffer.array();
    }

    /** To the nearest, of two as near to the even one. All values are finite here, or NaN stays NaN. */
    private static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) (Float.isNaN(value) ? bits >> 16 | 0x40 : bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }

    private static int elementSize(DType dtype) {
        return dtype == DType.F32 ? Float.BYTES : Short.BYTES;
    }

    /** Configuration, tokenizer and words. */
    private static void copyTheRest(Path base, Path target) throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(base)) {
            files = all.filter(Files::isRegularFile)
                    .filter(file -> OTHER_WEIGHTS.stream().noneMatch(file.toString()::endsWith))
                    .toList();
        }
        for (Path file : files) {
            Files.copy(file, target.resolve(String.valueOf(file.getFileName())));
        }
    }
}
