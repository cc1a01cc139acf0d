package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelConfig.Family;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFilesTests {
    @TempDir
    Path folder;

    @Test
    void a_gguf_file_reads_like_the_checkpoint_it_was_made_from() {
        try (ModelFiles gguf = GgufModelFiles.open(Golden.path("gguf/tiny-llama.gguf"));
                ModelFiles checkpoint = SafetensorsModelFiles.open(Golden.path("tiny-llama"))) {
            ModelConfig a = gguf.config();
            ModelConfig b = checkpoint.config();

            assertThat(a).usingRecursiveComparison().ignoringFields("name").isEqualTo(b);
            assertThat(gguf.ropeLayout()).isEqualTo(RopeLayout.NEIGHBOURS);
            assertThat(checkpoint.ropeLayout()).isEqualTo(RopeLayout.HALVES);
            for (String name : ((SafetensorsModelFiles) checkpoint).tensorNames()) {
                assertThat(gguf.tensor(name).orElseThrow().shape())
                        .as(name)
                        .isEqualTo(checkpoint.tensor(name).orElseThrow().shape());
            }
            // F32 in both, and not rotated: the same numbers.
            String output = "model.layers.1.self_attn.o_proj.weight";
            assertThat(Golden.floats(gguf.tensor(output).orElseThrow()))
                    .isEqualTo(Golden.floats(checkpoint.tensor(output).orElseThrow()));
            assertThat(gguf.tensor("lm_head.weight")).isEmpty();
        }
    }

    @Test
    void shards_are_read_through_their_index() {
        try (ModelFiles files = SafetensorsModelFiles.open(Golden.path("tiny-qwen2"))) {
            assertThat(files.tensor("model.embed_tokens.weight").orElseThrow().shape())
                    .isEqualTo(new Shape(320, 64));
            assertThat(files.tensor("model.layers.1.self_attn.q_proj.bias")
                            .orElseThrow()
                            .dtype())
                    .isEqualTo(DType.BF16);
            assertThat(files.tensor("model.norm.weight")).isPresent();
            assertThat(files.tensor("absent")).isEmpty();
        }
    }

    @Test
    void fused_query_key_value_rows_of_gguf_come_back_in_the_order_of_heads() throws IOException {
        // 2 heads of size 2: rows q0 q0 q1 q1 k0 k0 k1 k1 v0 v0 v1 v1, numbered 0 to 11.
        GgufBytes bytes = new GgufBytes(3, 2, 8)
                .key("general.architecture", 8)
                .string("gptneox")
                .key("gptneox.embedding_length", 4)
                .i32(4)
                .key("gptneox.block_count", 4)
                .i32(1)
                .key("gptneox.attention.head_count", 4)
                .i32(2)
                .key("gptneox.feed_forward_length", 4)
                .i32(16)
                .key("gptneox.rope.dimension_count", 4)
                .i32(2)
                .key("gptneox.use_parallel_residual", 7)
                .i8(0)
                .key("gptneox.context_length", 4)
                .i32(64)
                .tensor("token_embd.weight", 0, 0, 4, 8)
                .tensor("blk.0.attn_qkv.bias", 0, 128, 12)
                .data(128);
        for (int row = 0; row < 12; row++) {
            bytes.i32(Float.floatToRawIntBits(row));
        }
        try (ModelFiles files = GgufModelFiles.open(bytes.write(folder))) {
            assertThat(Golden.floats(files.tensor("gpt_neox.layers.0.attention.query_key_value.bias")
                            .orElseThrow()))
                    .containsExactly(0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11);
            assertThat(files.config().family()).isEqualTo(Family.GPT_NEOX);
            assertThat(files.config().parallelResidual()).isFalse();
            assertThat(files.ropeLayout()).isEqualTo(RopeLayout.HALVES);
        }
    }

    @Test
    void llama3_frequency_factors_of_gguf_replace_the_scaling() throws IOException {
        Path file = llama(new GgufBytes(3, 2, 7), "llama")
                .tensor("token_embd.weight", 0, 0, 4, 8)
                .tensor("rope_freqs.weight", 0, 128, 1)
                .data(160)
                .write(folder);
        try (ModelFiles files = GgufModelFiles.open(file)) {
            assertThat(files.tensor(ModelFiles.ROPE_FREQUENCY_FACTORS)).isPresent();
            assertThat(files.config().ropeScaling()).isNull();
        }
    }

    @Test
    void a_gguf_model_that_the_engine_does_not_run_is_refused() throws IOException {
        Path other = llama(new GgufBytes(3, 0, 7), "mamba").data(32).write(folder);
        assertThatThrownBy(() -> GgufModelFiles.open(other)).hasMessageContaining("architecture 'mamba'");

        Path empty = llama(new GgufBytes(3, 0, 7), "llama").data(32).write(folder);
        assertThatThrownBy(() -> GgufModelFiles.open(empty)).hasMessageContaining("without a model");

        Path incomplete = new GgufBytes(3, 0, 1)
                .key("general.architecture", 8)
                .string("qwen2")
                .data(32)
                .write(folder);
        assertThatThrownBy(() -> GgufModelFiles.open(incomplete))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("'qwen2.embedding_length' is missing");
    }

    @Test
    void an_index_that_leads_out_of_the_folder_is_refused() throws IOException {
        copy("tiny-qwen2");
        Path index = folder.resolve("model.safetensors.index.json");
        String json = Files.readString(index);

        Files.writeString(index, json.replace("model-00001-of-00003", "../model-00001-of-00003"));
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("no plain file name");
        Files.writeString(index, json.replace("model-00001-of-00003", "model-00002-of-00003"));
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("but is not");
        Files.writeString(index, "{}");
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("weight_map");
    }

    @Test
    void a_folder_that_lacks_files_says_which() throws IOException {
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("config.json");
        Files.copy(Golden.path("tiny-llama/config.json"), folder.resolve("config.json"));
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("has no safetensors file");
        copy("tiny-qwen2");
        Files.delete(folder.resolve("model.safetensors.index.json"));
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("safetensors files and no");
        copy("tiny-qwen2");
        Files.delete(folder.resolve("model-00002-of-00003.safetensors"));
        assertThatThrownBy(() -> SafetensorsModelFiles.open(folder)).hasMessageContaining("no such file");
    }

    /** Seven pairs of a one-layer model: hidden size 4, two heads. */
    private static GgufBytes llama(GgufBytes bytes, String architecture) {
        return bytes.key("general.architecture", 8)
                .string(architecture)
                .key(architecture + ".embedding_length", 4)
                .i32(4)
                .key(architecture + ".block_count", 4)
                .i32(1)
                .key(architecture + ".attention.head_count", 4)
                .i32(2)
                .key(architecture + ".feed_forward_length", 4)
                .i32(16)
                .key(architecture + ".rope.dimension_count", 4)
                .i32(2)
                .key(architecture + ".context_length", 4)
                .i32(64);
    }

    private void copy(String model) throws IOException {
        try (Stream<Path> files = Files.list(Golden.path(model))) {
            for (Path file : files.toList()) {
                Files.write(folder.resolve(file.getFileName()), Files.readAllBytes(file));
            }
        }
    }
}
