package dev.tsumugi.engine.files;

import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelConfig.Activation;
import dev.tsumugi.engine.model.ModelConfig.Family;
import dev.tsumugi.engine.model.ModelConfig.RopeScaling;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads a Hugging Face {@code config.json}, in the spelling most published models carry ({@code rope_theta}, {@code rope_scaling}, {@code
 * rotary_pct}) and in that of transformers 5 ({@code rope_parameters}). A value that is missing has the default of transformers.
 */
final class ConfigJson {
    private static final long MAX_BYTES = 1 << 20;
    private static final String AS_PUBLISHED = "Use the configuration as published with the model";

    private final Path file;
    private final JsonNode json;

    private ConfigJson(Path file, JsonNode json) {
        this.file = file;
        this.json = json;
    }

    /**
     * @param name of the model, for people
     * @throws ModelFileException when the file is missing, unsound, or describes a model that the engine does not run
     */
    static ModelConfig read(Path file, String name) {
        ConfigJson reader = new ConfigJson(file, ModelJson.object(file, MAX_BYTES));
        return ConfigLimits.check(file, reader.config(name));
    }

    private ModelConfig config(String name) {
        String type = text(json, "model_type", "");
        boolean neoX = type.equals("gpt_neox");
        if (!neoX
                && !type.equals("llama")
                && !type.equals("mistral")
                && !type.equals("qwen2")
                && !type.equals("qwen3")) {
            throw new ModelFileException(
                    file,
                    "model_type '" + type + "' is not supported",
                    "Use a model of type llama, mistral, qwen2, qwen3 or gpt_neox");
        }
        if (present(json, "quantization_config")) {
            throw new ModelFileException(
                    file,
                    "the weights are quantized (quantization_config), which is not read from safetensors",
                    "Use the original weights, or a GGUF file of the model");
        }
        int hidden = integer(json, "hidden_size", null);
        int heads = integer(json, "num_attention_heads", null);
        if (heads < 1) {
            throw wrong("num_attention_heads", json.get("num_attention_heads"), "a positive number");
        }
        int headSize =
                present(json, "head_dim") || !type.equals("qwen3") ? integer(json, "head_dim", hidden / heads) : 128;
        JsonNode rope = ropeParameters();
        float theta = number(rope, "rope_theta", number(json, neoX ? "rotary_emb_base" : "rope_theta", 10_000f));
        float partial = number(
                rope,
                "partial_rotary_factor",
                number(json, neoX ? "rotary_pct" : "partial_rotary_factor", neoX ? 0.25f : 1f));
        return new ModelConfig(
                neoX ? Family.GPT_NEOX : Family.LLAMA,
                name,
                integer(json, "vocab_size", null),
                hidden,
                integer(json, "num_hidden_layers", null),
                heads,
                neoX ? heads : integer(json, "num_key_value_heads", heads),
                headSize,
                integer(json, "intermediate_size", null),
                number(json, neoX ? "layer_norm_eps" : "rms_norm_eps", neoX ? 1e-5f : 1e-6f),
                theta,
                Math.round(Math.clamp(partial, 0f, 2f) * headSize),
                ropeScaling(rope),
                neoX ? 0 : slidingWindow(type),
                integer(json, "max_position_embeddings", 2048),
                flag(json, "tie_word_embeddings", false),
                neoX && flag(json, "use_parallel_residual", true),
                activation(text(json, "hidden_act", neoX ? "gelu" : "silu")));
    }

    /** {@code rope_parameters} holds theta and scaling in one; before, {@code rope_scaling} held the scaling alone. */
    private @Nullable JsonNode ropeParameters() {
        for (String key : new String[] {"rope_parameters", "rope_scaling"}) {
            if (present(json, key)) {
                JsonNode node = json.get(key);
                if (!node.isObject()) {
                    throw wrong(key, node, "an object");
                }
                return node;
            }
        }
        return null;
    }

    private @Nullable RopeScaling ropeScaling(@Nullable JsonNode rope) {
        String type = text(rope, "rope_type", text(rope, "type", "default"));
        return switch (type) {
            case "default" -> null;
            case "linear" -> new RopeScaling("linear", number(rope, "factor", null), 0, 0, 0);
            case "llama3" ->
                new RopeScaling(
                        "llama3",
                        number(rope, "factor", null),
                        number(rope, "low_freq_factor", null),
                        number(rope, "high_freq_factor", null),
                        integer(rope, "original_max_position_embeddings", null));
            default ->
                throw new ModelFileException(
                        file,
                        "rope type '" + type + "' is not supported",
                        "Use a model with plain, linear or llama3 rope; where the scaling is an option for long texts only, remove it");
        };
    }

    private int slidingWindow(String type) {
        if (type.equals("llama") || type.startsWith("qwen") && !flag(json, "use_sliding_window", false)) {
            return 0;
        }
        // Absent, transformers takes 4096 tokens; null means none.
        int window = json.has("sliding_window") ? integer(json, "sliding_window", 0) : 4096;
        if (type.equals("mistral") || window == 0) {
            return window;
        }
        int layers = integer(json, "num_hidden_layers", null);
        int full = Math.clamp(integer(json, "max_window_layers", 28), 0, Math.max(0, layers));
        if (full == layers) {
            return 0;
        }
        if (full > 0) {
            throw new ModelFileException(
                    file,
                    "only the layers from " + full + " have a sliding window, which is not supported",
                    "Use a model whose layers are alike, or set use_sliding_window to false for texts within the window");
        }
        return window;
    }

    private Activation activation(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu" -> Activation.GELU_ERF;
            case "gelu_new", "gelu_fast", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            default ->
                throw new ModelFileException(
                        file, "hidden_act '" + name + "' is not supported", "Use a model with silu or gelu");
        };
    }

    private static boolean present(@Nullable JsonNode node, String key) {
        return node != null && node.hasNonNull(key);
    }

    private String text(@Nullable JsonNode node, String key, String fallback) {
        if (node == null || !present(node, key)) {
            return fallback;
        }
        JsonNode value = node.get(key);
        if (!value.isString()) {
            throw wrong(key, value, "a text");
        }
        return value.asString();
    }

    private boolean flag(JsonNode node, String key, boolean fallback) {
        if (!present(node, key)) {
            return fallback;
        }
        JsonNode value = node.get(key);
        if (!value.isBoolean()) {
            throw wrong(key, value, "true or false");
        }
        return value.asBoolean();
    }

    /** @param fallback null where the value must be there */
    private int integer(@Nullable JsonNode node, String key, @Nullable Integer fallback) {
        JsonNode value = node == null || !present(node, key) ? null : node.get(key);
        if (value == null) {
            return required(key, fallback);
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw wrong(key, value, "a whole number");
        }
        return value.asInt();
    }

    /** @param fallback null where the value must be there */
    private float number(@Nullable JsonNode node, String key, @Nullable Float fallback) {
        JsonNode value = node == null || !present(node, key) ? null : node.get(key);
        if (value == null) {
            return required(key, fallback);
        }
        if (!value.isNumber()) {
            throw wrong(key, value, "a number");
        }
        return (float) value.doubleValue();
    }

    private <T> T required(String key, @Nullable T fallback) {
        if (fallback == null) {
            throw new ModelFileException(file, "'" + key + "' is missing", AS_PUBLISHED);
        }
        return fallback;
    }

    private ModelFileException wrong(String key, @Nullable JsonNode value, String wanted) {
        String shown = String.valueOf(value);
        return new ModelFileException(
                file,
                "'" + key + "' should be " + wanted + ", but is " + shown.substring(0, Math.min(60, shown.length())),
                AS_PUBLISHED);
    }
}
