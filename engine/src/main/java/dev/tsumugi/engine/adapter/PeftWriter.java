package dev.tsumugi.engine.adapter;

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
        try (OutputStream out = Files.newOutputStream(folder.resolve(PeftAdapter.WEIGHTS))) {
            writeHeader(out, tensors);
            for (Tensor tensor : tensors.values()) {
                out.write(tensor.segment().toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    /** What a safetensors file begins with, before the bytes of the tensors in the order of their names. */
    static void writeHeader(OutputStream out, SortedMap<String, Tensor> tensors) throws IOException {
        byte[] header = header(tensors);
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
    private static byte[] header(SortedMap<String, Tensor> tensors) {
        Map<String, Object> header = new LinkedHashMap<>();
        header.put("__metadata__", Map.of("format", "pt"));
        long at = 0;
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            Map<String, Object> described = new LinkedHashMap<>();
            described.put("dtype", tensor.dtype().name());
            described.put("shape", tensor.shape().dimensions());
            described.put("data_offsets", new long[] {at, at + tensor.byteSize()});
            header.put(entry.getKey(), described);
            at += tensor.byteSize();
        }
        String json = JSON.writeValueAsString(header);
        return (json + " ".repeat(Math.floorMod(-json.length(), 8))).getBytes(StandardCharsets.UTF_8);
    }
}
