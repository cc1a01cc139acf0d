package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/** Writes a LoRA adapter as a folder that PEFT, and {@link PeftAdapter}, read. */
public final class PeftWriter {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private PeftWriter() {}

    /**
     * Settings of an adapter whose layers all have one rank and one scale.
     *
     * @param baseModel name of the model that it is for
     * @param alpha its scale is {@code alpha / rank}, or {@code alpha / sqrt(rank)} where it is rank-stabilized
     */
    public record Settings(String baseModel, int rank, double alpha, boolean rankStabilized) {}

    /**
     * Writes {@code adapter_config.json} and {@code adapter_model.safetensors}, over whatever is there. The scales of {@code pairs} are not
     * looked at: the settings say them.
     *
     * @param pairs by name of the linear layer
     */
    public static void write(Path folder, Settings settings, Map<String, LowRankPair> pairs) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(
                folder.resolve(PeftAdapter.CONFIG), config(settings, List.copyOf(new TreeMap<>(pairs).keySet())));
        SortedMap<String, Tensor> tensors = new TreeMap<>();
        pairs.forEach((module, pair) -> {
            tensors.put("base_model.model." + module + ".lora_A.weight", pair.a());
            tensors.put("base_model.model." + module + ".lora_B.weight", pair.b());
        });
        writeWeights(folder.resolve(PeftAdapter.WEIGHTS), tensors, Map.of());
    }

    /**
     * Adds to what {@code adapter_model.safetensors} carries under {@code __metadata__}, for which the file is replaced as a whole. The adapter's
     * digest changes with it.
     *
     * @throws dev.tsumugi.engine.files.ModelFileException when the folder holds no sound file of weights
     */
    public static void annotate(Path folder, Map<String, String> metadata) throws IOException {
        Path file = folder.resolve(PeftAdapter.WEIGHTS);
        Path next = folder.resolve(PeftAdapter.WEIGHTS + ".next");
        try (SafetensorsFile weights = SafetensorsFile.open(file)) {
            SortedMap<String, Tensor> tensors = new TreeMap<>();
            for (String name : weights.names()) {
                tensors.put(name, weights.tensor(name).orElseThrow());
            }
            Map<String, String> all = new TreeMap<>(weights.metadata());
            all.putAll(metadata);
            writeWeights(next, tensors, all);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void writeWeights(Path file, SortedMap<String, Tensor> tensors, Map<String, String> metadata)
            throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            writeHeader(out, tensors, metadata);
            for (Tensor tensor : tensors.values()) {
                out.write(tensor.segment().toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    /** What a safetensors file begins with, before the bytes of the tensors in the order of their names. */
    static void writeHeader(OutputStream out, SortedMap<String, Tensor> tensors, Map<String, String> metadata)
            throws IOException {
        byte[] header = header(tensors, metadata);
        out.write(ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length)
                .array());
        out.write(header);
    }

    private static String config(Settings settings, List<String> modules) {
        Map<String, Object> config = new LinkedHashMap<>();
        config.put("base_model_name_or_path", settings.baseModel);
        config.put("bias", "none");
        config.put("fan_in_fan_out", false);
        config.put("inference_mode", true);
        config.put("init_lora_weights", true);
        config.put("lora_alpha", settings.alpha);
        config.put("lora_dropout", 0.0);
        config.put("peft_type", "LORA");
        config.put("r", settings.rank);
        config.put("target_modules", modules);
        config.put("task_type", "CAUSAL_LM");
        config.put("use_dora", false);
        config.put("use_rslora", settings.rankStabilized);
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(config);
    }

    /** Padded with blanks, so that the data behind it is aligned. */
    private static byte[] header(SortedMap<String, Tensor> tensors, Map<String, String> metadata) {
        Map<String, Object> header = new LinkedHashMap<>();
        SortedMap<String, String> described = new TreeMap<>(metadata);
        described.put("format", "pt");
        header.put("__metadata__", described);
        long at = 0;
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            Map<String, Object> entryOfTensor = new LinkedHashMap<>();
            entryOfTensor.put("dtype", tensor.dtype().name());
            entryOfTensor.put("shape", tensor.shape().dimensions());
            entryOfTensor.put("data_offsets", new long[] {at, at + tensor.byteSize()});
            header.put(entry.getKey(), entryOfTensor);
            at += tensor.byteSize();
        }
        String json = JSON.writeValueAsString(header);
        return (json + " ".repeat(Math.floorMod(-json.length(), 8))).getBytes(StandardCharsets.UTF_8);
    }
}
