package dev.tsumugi.engine.files;

import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig.Family;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What a GGUF architecture calls its tensors, and how it stores query and key rows. */
enum GgufArchitecture {
    LLAMA("llama", Family.LLAMA, RopeLayout.NEIGHBOURS),
    MISTRAL("mistral", Family.LLAMA, RopeLayout.NEIGHBOURS),
    QWEN2("qwen2", Family.LLAMA, RopeLayout.HALVES),
    QWEN3("qwen3", Family.LLAMA, RopeLayout.HALVES),
    GPT_NEOX("gptneox", Family.GPT_NEOX, RopeLayout.HALVES);

    private static final Pattern LAYER = Pattern.compile("blk\\.(\\d{1,4})\\.([a-z_]+)\\.(weight|bias)");
    private static final Pattern GLOBAL = Pattern.compile("([a-z_]+)\\.(weight|bias)");

    private static final Map<String, String> LLAMA_GLOBALS =
            Map.of("token_embd", "model.embed_tokens", "output_norm", "model.norm", "output", "lm_head");
    private static final Map<String, String> LLAMA_LAYER = Map.ofEntries(
            Map.entry("attn_norm", "input_layernorm"),
            Map.entry("attn_q", "self_attn.q_proj"),
            Map.entry("attn_k", "self_attn.k_proj"),
            Map.entry("attn_v", "self_attn.v_proj"),
            Map.entry("attn_output", "self_attn.o_proj"),
            Map.entry("attn_q_norm", "self_attn.q_norm"),
            Map.entry("attn_k_norm", "self_attn.k_norm"),
            Map.entry("ffn_norm", "post_attention_layernorm"),
            Map.entry("ffn_gate", "mlp.gate_proj"),
            Map.entry("ffn_up", "mlp.up_proj"),
            Map.entry("ffn_down", "mlp.down_proj"));
    private static final Map<String, String> NEOX_GLOBALS = Map.of(
            "token_embd", "gpt_neox.embed_in", "output_norm", "gpt_neox.final_layer_norm", "output", "embed_out");
    private static final Map<String, String> NEOX_LAYER = Map.of(
            "attn_norm", "input_layernorm",
            "attn_qkv", "attention.query_key_value",
            "attn_output", "attention.dense",
            "ffn_norm", "post_attention_layernorm",
            "ffn_up", "mlp.dense_h_to_4h",
            "ffn_down", "mlp.dense_4h_to_h");

    private final String id;
    private final Family family;
    private final RopeLayout ropeLayout;

    GgufArchitecture(String id, Family family, RopeLayout ropeLayout) {
        this.id = id;
        this.family = family;
        this.ropeLayout = ropeLayout;
    }

    /** {@code general.architecture}, which also begins the keys of the hyperparameters. */
    String id() {
        return id;
    }

    Family family() {
        return family;
    }

    RopeLayout ropeLayout() {
        return ropeLayout;
    }

    static Optional<GgufArchitecture> of(String id) {
        for (GgufArchitecture architecture : values()) {
            if (architecture.id.equals(id)) {
                return Optional.of(architecture);
            }
        }
        return Optional.empty();
    }

    /** The Hugging Face name of {@code ggufName}; empty for tensors that no model reads. */
    Optional<String> huggingFaceName(String ggufName) {
        boolean neoX = family == Family.GPT_NEOX;
        Matcher layer = LAYER.matcher(ggufName);
        if (layer.matches()) {
            @Nullable String part = (neoX ? NEOX_LAYER : LLAMA_LAYER).get(layer.group(2));
            String prefix = neoX ? "gpt_neox.layers." : "model.layers.";
            return part == null
                    ? Optional.empty()
                    : Optional.of(prefix + Integer.parseInt(layer.group(1)) + "." + part + "." + layer.group(3));
        }
        Matcher global = GLOBAL.matcher(ggufName);
        if (global.matches()) {
            @Nullable String part = (neoX ? NEOX_GLOBALS : LLAMA_GLOBALS).get(global.group(1));
            return Optional.ofNullable(part).map(p -> p + "." + global.group(2));
        }
        return Optional.empty();
    }
}
