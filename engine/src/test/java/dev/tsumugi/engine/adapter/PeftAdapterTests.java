package dev.tsumugi.engine.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a PEFT folder may say, and what is refused. */
class PeftAdapterTests {
    private static final List<String> NAMES = List.of("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj");

    @TempDir
    Path folder;

    /** Three layers of a small model, with a head. */
    private static Map<String, Shape> modules() {
        Map<String, Shape> modules = new LinkedHashMap<>();
        for (int layer = 0; layer < 3; layer++) {
            for (String name : NAMES) {
                modules.put("model.layers." + layer + "." + name, new Shape(6, 4));
            }
        }
        modules.put("lm_head", new Shape(9, 4));
        return modules;
    }

    /** Writes a folder whose file holds {@code adapted}, and whose configuration is that of PEFT with {@code settings} put in. */
    private Path write(Set<String> adapted, int rank, String settings) throws IOException {
        SortedMap<String, LowRankPair> pairs = RandomAdapters.pairs(modules(), adapted, rank, 1, 3);
        PeftWriter.write(folder, new PeftWriter.Settings("base", rank, 2 * rank, false), pairs);
        config(settings);
        return folder;
    }

    private void config(String settings) throws IOException {
        Files.writeString(folder.resolve(PeftAdapter.CONFIG), "{\"peft_type\": \"LORA\"" + settings + "}");
    }

    private static Set<String> all(String... without) {
        Map<String, Shape> modules = modules();
        modules.keySet().removeAll(List.of(without));
        return modules.keySet();
    }

    private static void check(Path folder) {
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            adapter.requireFits(modules());
            adapter.requireFinite();
        }
    }

    @Test
    void what_the_weights_file_says_of_an_adapter_is_part_of_its_identity() throws Exception {
        SortedMap<String, LowRankPair> pairs = RandomAdapters.pairs(modules(), all(), 3, 1, 1);
        PeftWriter.Settings settings = new PeftWriter.Settings("some/base", 3, 12, true);
        PeftWriter.write(folder, settings, pairs);
        String silent = PeftAdapter.digestOf(folder);
        PeftWriter.annotate(folder, Map.of("purpose", "a test"));
        PeftWriter.annotate(folder, Map.of("more", "of it"));
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            assertThat(adapter.metadata())
                    .containsExactlyInAnyOrderEntriesOf(Map.of("purpose", "a test", "more", "of it", "format", "pt"));
            adapter.pairs()
                    .forEach((module, pair) -> assertThat(Golden.floats(pair.a()))
                            .isEqualTo(Golden.floats(pairs.get(module).a())));
            assertThat(adapter.digest()).isNotEqualTo(silent);
        }
    }

    @Test
    void what_is_written_is_read() throws Exception {
        SortedMap<String, LowRankPair> pairs = RandomAdapters.pairs(modules(), all(), 3, 1, 1);
        PeftWriter.write(folder, new PeftWriter.Settings("some/base", 3, 12, true), pairs);
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            adapter.requireFits(modules());
            adapter.requireFinite();
            assertThat(adapter.baseModel()).isEqualTo("some/base");
            assertThat(adapter.rank()).isEqualTo(3);
            assertThat(adapter.elements()).isEqualTo(9 * 3 * (6 + 4) + 3 * (9 + 4));
            assertThat(adapter.pairs().keySet()).isEqualTo(pairs.keySet());
            adapter.pairs().forEach((module, pair) -> {
                assertThat(pair.scale()).isEqualTo((float) (12 / Math.sqrt(3)));
                assertThat(Golden.floats(pair.a()))
                        .isEqualTo(Golden.floats(pairs.get(module).a()));
                assertThat(Golden.floats(pair.b()))
                        .isEqualTo(Golden.floats(pairs.get(module).b()));
            });
        }
    }

    @Test
    void ranks_and_scales_follow_their_patterns_and_the_first_match_counts() throws Exception {
        String settings = ", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"q_proj\", \"down_proj\"],"
                + " \"rank_pattern\": {\"down_proj\": 2, \"layers.1.self_attn.q_proj\": 2},"
                + " \"alpha_pattern\": {\"model.layers.0.*_proj\": 3.5, \"^x\": 1, \"q_proj\": 16}";
        SortedMap<String, LowRankPair> pairs = new TreeMap<>();
        for (int layer = 0; layer < 3; layer++) {
            String name = "model.layers." + layer + ".";
            int rank = layer == 1 ? 2 : 4;
            pairs.putAll(RandomAdapters.pairs(modules(), List.of(name + "self_attn.q_proj"), rank, 1, layer));
            pairs.putAll(RandomAdapters.pairs(modules(), List.of(name + "mlp.down_proj"), 2, 1, layer));
        }
        PeftWriter.write(folder, new PeftWriter.Settings("base", 4, 8, false), pairs);
        config(settings);
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            adapter.requireFits(modules());
            assertThat(scale(adapter, "model.layers.0.self_attn.q_proj")).isEqualTo(3.5f / 4);
            assertThat(scale(adapter, "model.layers.0.mlp.down_proj")).isEqualTo(3.5f / 2);
            assertThat(scale(adapter, "model.layers.1.self_attn.q_proj")).isEqualTo(16f / 2);
            assertThat(scale(adapter, "model.layers.2.self_attn.q_proj")).isEqualTo(16f / 4);
            assertThat(scale(adapter, "model.layers.2.mlp.down_proj")).isEqualTo(8f / 2);
            assertThat(adapter.rank()).isEqualTo(4);
        }
    }

    private static float scale(PeftAdapter adapter, String module) {
        return adapter.pairs().get(module).scale();
    }

    @Test
    void target_modules_choose_as_peft_chooses() throws Exception {
        String base = ", \"r\": 2, \"lora_alpha\": 4";
        check(write(all("lm_head"), 2, base + ", \"target_modules\": \"all-linear\""));
        check(write(
                Set.of("model.layers.0.self_attn.q_proj", "model.layers.2.self_attn.q_proj"),
                2,
                base + ", \"target_modules\": [\"q_proj\"], \"layers_to_transform\": [0, 2]"));
        check(
                write(
                        Set.of(
                                "model.layers.1.self_attn.q_proj",
                                "model.layers.1.mlp.down_proj",
                                "model.layers.1.self_attn.v_proj"),
                        2,
                        base
                                + ", \"target_modules\": \"all-linear\", \"layers_to_transform\": 1, \"layers_pattern\": \"layers\""));
        check(write(
                Set.of("model.layers.0.mlp.down_proj", "lm_head"),
                2,
                base + ", \"target_modules\": [\"model.layers.0.mlp.down_proj\", \"lm_head\"]"));
        check(
                write(
                        Set.of("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"),
                        2,
                        base
                                + ", \"target_modules\": \".*\\\\.[01]\\\\.self_attn\\\\.[qv]_proj\", \"exclude_modules\": [\"v_proj\"]"));
        check(write(
                Set.of("model.layers.2.self_attn.v_proj"),
                2,
                base + ", \"target_modules\": [\"v_proj\"], \"exclude_modules\": \"model.layers.[01].*\""));
    }

    @Test
    void a_file_that_holds_more_or_less_than_is_targeted_is_refused() throws Exception {
        String base = ", \"r\": 2, \"lora_alpha\": 4, \"target_modules\": [\"q_proj\", \"v_proj\"]";
        Set<String> half = Set.of("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj");
        Path less = write(half, 2, base);
        assertThatThrownBy(() -> check(less))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("lacks the matrices of model.layers.1.self_attn.q_proj");
        Path more = write(all("lm_head"), 2, base);
        assertThatThrownBy(() -> check(more))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("model.layers.0.mlp.down_proj")
                .hasMessageContaining("does not target");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"use_dora\": true | DoRA | use_dora false",
                "\"use_dora\": \"yes\" | use_dora is \"yes\" | true or false",
                "\"bias\": \"all\" | trains biases | bias none",
                "\"lora_bias\": true | trains biases | lora_bias false",
                "\"modules_to_save\": [\"lm_head\"] | modules_to_save | merge the adapter",
                "\"fan_in_fan_out\": true | fan_in_fan_out | of this base model",
                "\"init_lora_weights\": \"pissa_niter_4\" | pissa_niter_4 | path_initial_model_for_weight_conversion",
                "\"trainable_token_indices\": [3] | trainable_token_indices | merge the adapter",
                "\"layer_replication\": [[0,1]] | layer_replication | merge the adapter",
                "\"use_qalora\": true | use_qalora | merge the adapter",
                "\"use_bdlora\": \"x\" | use_bdlora | merge the adapter",
                "\"scaling_factor\": 2 | scaling_factor | merge the adapter",
                "\"activation\": \"relu\" | sets activation | merge the adapter",
                "\"arrow_config\": {\"k\": 1} | arrow_config | merge the adapter",
                "\"alora_invocation_tokens\": [1, 2] | alora_invocation_tokens | merge the adapter",
                "\"rank_pattern\": {\"(\": 2} | no regular expression | Correct it",
                "\"rank_pattern\": {\"q\": 2.5} | rank_pattern is 2.5 | a number from 1",
                "\"rank_pattern\": [1] | rank_pattern is no object | as PEFT wrote it",
                "\"layers_to_transform\": [-1] | layers_to_transform is -1 | from 0",
                "\"exclude_modules\": [7] | exclude_modules holds 7 | as PEFT wrote it",
            })
    void settings_that_the_engine_does_not_compute_are_refused_with_what_to_do(
            String setting, String problem, String advice) throws Exception {
        Path folder = write(all(), 2, ", \"r\": 2, \"lora_alpha\": 4, \"target_modules\": [\"q_proj\"], " + setting);
        assertThatThrownBy(() -> check(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining(PeftAdapter.CONFIG)
                .hasMessageContaining(problem)
                .hasMessageContaining(advice);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"lora_alpha\": 4, \"target_modules\": [\"q_proj\"]",
                "\"r\": 0, \"lora_alpha\": 4, \"target_modules\": [\"q_proj\"]",
                "\"r\": 100000, \"lora_alpha\": 4, \"target_modules\": [\"q_proj\"]",
                "\"r\": \"2\", \"lora_alpha\": 4, \"target_modules\": [\"q_proj\"]",
                "\"r\": 2, \"target_modules\": [\"q_proj\"]",
                "\"r\": 2, \"lora_alpha\": 1e30, \"target_modules\": [\"q_proj\"]",
                "\"r\": 2, \"lora_alpha\": 4",
                "\"r\": 2, \"lora_alpha\": 4, \"target_modules\": 3",
                "\"r\": 2, \"lora_alpha\": 4, \"target_modules\": \"((a*)*)*b\"",
            })
    void unsound_settings_are_refused(String settings) throws Exception {
        Path folder = write(all(), 2, ", " + settings);
        assertThatThrownBy(() -> check(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining(folder.toString());
    }

    @Test
    void a_pattern_that_would_match_for_ever_ends() {
        BoundedPattern pattern = new BoundedPattern(folder, new BoundedPattern.Steps(), "", "(.*.*.*.*.*.*)*x", "");
        assertThatThrownBy(() -> pattern.matches("model.layers.0.self_attn.q_proj"))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("takes too long");
        assertThatThrownBy(() -> new BoundedPattern(folder, new BoundedPattern.Steps(), "", "a".repeat(3000), ""))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("3000 characters");
    }

    @Test
    void the_patterns_of_a_file_share_what_they_may_take() {
        BoundedPattern.Steps steps = new BoundedPattern.Steps();
        String name = "a".repeat(200);
        BoundedPattern costly = new BoundedPattern(folder, steps, "", "(?:.*.*)b|a*", "");
        assertThat(costly.matches(name)).isTrue();
        assertThatThrownBy(() -> {
                    for (int i = 0; i < 100_000; i++) {
                        costly.matches(name);
                    }
                })
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("takes too long");
        assertThatThrownBy(() -> new BoundedPattern(folder, steps, "", "b", "").matches("b"))
                .isInstanceOf(ModelFileException.class);
        assertThat(new BoundedPattern(folder, new BoundedPattern.Steps(), "", "b", "").matches("b"))
                .isTrue();
    }

    @Test
    void other_kinds_of_adapters_are_refused() throws Exception {
        Files.writeString(folder.resolve(PeftAdapter.CONFIG), "{\"peft_type\": \"LOHA\"}");
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("'LOHA'")
                .hasMessageContaining("LoraConfig");
    }

    @ParameterizedTest
    @CsvSource({
        "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector, DoRA",
        "base_model.model.model.embed_tokens.lora_embedding_A, adapts an embedding",
        "base_model.model.lm_head.weight, no LoRA matrix",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight, lacks lora_B"
    })
    void tensors_that_are_no_pair_of_matrices_are_refused(String name, String problem) throws Exception {
        config(", \"r\": 1, \"lora_alpha\": 4, \"target_modules\": [\"q_proj\"]");
        byte[] header = ("{\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}}")
                .getBytes(StandardCharsets.UTF_8);
        byte[] file = Arrays.copyOf(new byte[] {(byte) header.length, 0, 0, 0, 0, 0, 0, 0}, 8 + header.length + 4);
        System.arraycopy(header, 0, file, 8, header.length);
        Files.write(folder.resolve(PeftAdapter.WEIGHTS), file);
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void shapes_that_do_not_fit_are_named() throws Exception {
        String name = "model.layers.0.self_attn.q_proj";
        String settings = ", \"r\": 2, \"lora_alpha\": 4, \"target_modules\": [\"" + name + "\"]";
        Path folder = write(Set.of(name), 2, settings);
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            assertThatThrownBy(() -> adapter.requireFits(Map.of(name, new Shape(6, 5))))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessageContaining(name)
                    .hasMessageContaining("A [2, 4] and B [6, 2]")
                    .hasMessageContaining("[6, 5]");
            assertThatThrownBy(() -> adapter.requireFits(Map.of("lm_head", new Shape(6, 4))))
                    .hasMessageContaining("adapts " + name + ", which the model does not have");
        }
        config(settings.replace("\"r\": 2", "\"r\": 3"));
        assertThatThrownBy(() -> PeftAdapter.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("gives it rank 3");
    }

    @ParameterizedTest
    @CsvSource({"F32, 7f800000", "F32, ff800000", "F32, 7fc00000", "F16, 7c00", "F16, fc01", "BF16, 7f80", "BF16, ffc0"
    })
    void values_that_are_no_numbers_are_refused(DType dtype, String bits) {
        int size = dtype.blockBytes();
        byte[] bytes = new byte[5000 * size];
        byte[] bad = HexFormat.of().parseHex(bits);
        for (int at : new int[] {0, 4095, 4096, 4999}) {
            byte[] values = bytes.clone();
            for (int i = 0; i < size; i++) {
                values[at * size + i] = bad[size - 1 - i];
            }
            assertThat(FiniteValues.areAll(tensor(dtype, values)))
                    .as("at %d", at)
                    .isFalse();
        }
        // The largest finite number of each type, everywhere.
        byte[] largest =
                HexFormat.of().parseHex(dtype == DType.F32 ? "7f7fffff" : dtype == DType.F16 ? "fbff" : "ff7f");
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = largest[size - 1 - i % size];
        }
        assertThat(FiniteValues.areAll(tensor(dtype, bytes))).isTrue();
    }

    private static Tensor tensor(DType dtype, byte[] bytes) {
        Shape shape = new Shape(5000, bytes.length / dtype.blockBytes() / 5000);
        return new Tensor(dtype, shape, new HostMemory(MemorySegment.ofArray(bytes)), 0);
    }

    @Test
    void a_diverged_adapter_names_the_matrix() throws Exception {
        SortedMap<String, LowRankPair> pairs =
                RandomAdapters.pairs(modules(), Set.of("lm_head", "model.layers.2.mlp.down_proj"), 2, 1, 1);
        pairs.get("model.layers.2.mlp.down_proj").b().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 5, Float.NaN);
        PeftWriter.write(folder, new PeftWriter.Settings("", 2, 4, false), pairs);
        assertThatThrownBy(() -> check(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("lora_B of model.layers.2.mlp.down_proj");
    }

    @Test
    void the_digest_is_that_of_both_files() throws Exception {
        Set<String> adapted = Set.of("lm_head", "model.layers.2.mlp.down_proj");
        String targets = ", \"target_modules\": [\"lm_head\", \"model.layers.2.mlp.down_proj\"]";
        write(adapted, 2, ", \"r\": 2, \"lora_alpha\": 3" + targets);
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        byte[] settings = Files.readAllBytes(folder.resolve(PeftAdapter.CONFIG));
        sha256.update(("tsumugi-lora-2 " + settings.length + "\n").getBytes(StandardCharsets.UTF_8));
        sha256.update(settings);
        sha256.update(Files.readAllBytes(folder.resolve(PeftAdapter.WEIGHTS)));
        String digest = HexFormat.of().formatHex(sha256.digest());
        assertThat(digestOf(folder)).isEqualTo(digest);
        config(", \"r\": 2, \"lora_alpha\": 3, \"target_modules\": [\"lm_head\"]");
        assertThat(digestOf(folder))
                .as("other layers, which decides whether it fits a model")
                .isNotEqualTo(digest);
        config(", \"r\": 2, \"lora_alpha\": 4" + targets);
        assertThat(digestOf(folder)).as("another scale").isNotEqualTo(digest);
        config(", \"r\": 2, \"lora_alpha\": 3" + targets);
        byte[] weights = Files.readAllBytes(folder.resolve(PeftAdapter.WEIGHTS));
        weights[weights.length - 1] ^= 1;
        Files.write(folder.resolve(PeftAdapter.WEIGHTS), weights);
        assertThat(digestOf(folder)).as("another value").isNotEqualTo(digest);
    }

    private static String digestOf(Path folder) {
        try (PeftAdapter adapter = PeftAdapter.open(folder)) {
            return adapter.digest();
        }
    }

    @Test
    void a_folder_without_its_files_is_refused() {
        assertThatThrownBy(() -> PeftAdapter.open(folder)).isInstanceOf(ModelFileException.class);
        assertThatCode(() -> config("")).doesNotThrowAnyException();
        assertThatThrownBy(() -> PeftAdapter.open(folder)).isInstanceOf(ModelFileException.class);
    }
}
