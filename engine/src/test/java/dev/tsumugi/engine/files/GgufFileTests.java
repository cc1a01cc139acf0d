package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class GgufFileTests {
    @TempDir
    Path folder;

    @Test
    void reads_types_and_shapes_of_all_tensors() throws IOException {
        JsonNode types =
                JsonMapper.shared().readTree(Files.readString(Golden.path("gguf/tiny-llama-mixed-types.json")));
        try (GgufFile file = GgufFile.open(Golden.path("gguf/tiny-llama-mixed.gguf"))) {
            assertThat(file.names()).containsExactlyInAnyOrderElementsOf(types.propertyNames());
            for (String name : types.propertyNames()) {
                assertThat(file.tensor(name).orElseThrow().dtype().name())
                        .isEqualTo(types.get(name).asString());
            }
            assertThat(file.tensor("blk.0.attn_k.weight").orElseThrow().shape()).isEqualTo(new Shape(32, 64));
            assertThat(file.tensor("absent")).isEmpty();
        }
    }

    @Test
    void gives_typed_metadata_and_the_vocabulary() {
        try (GgufFile file = GgufFile.open(Golden.path("gguf/tiny-llama.gguf"))) {
            GgufMetadata metadata = file.metadata();

            assertThat(metadata.string("general.architecture")).contains("llama");
            assertThat(metadata.integer("llama.block_count")).hasValue(2);
            assertThat(metadata.number("llama.attention.layer_norm_rms_epsilon").orElseThrow())
                    .isEqualTo((double) 1e-5f);
            assertThat(metadata.strings("tokenizer.ggml.tokens").orElseThrow()).hasSize(320);
            assertThat(metadata.strings("tokenizer.ggml.merges").orElseThrow()).isNotEmpty();
            assertThat(metadata.integers("tokenizer.ggml.token_type").orElseThrow())
                    .hasSize(320);
            assertThat(metadata.string("tokenizer.chat_template").orElseThrow()).contains("messages");
            assertThat(metadata.integer("absent")).isEmpty();
            assertThatThrownBy(() -> metadata.integer("general.architecture"))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessageContaining("should be a whole number, but is a text");
        }
    }

    @Test
    void a_file_without_tensors_is_a_vocabulary() {
        try (GgufFile file = GgufFile.open(Golden.path("tokenizer/llama2-style/vocabulary.gguf"))) {
            assertThat(file.names()).isEmpty();
            assertThat(file.metadata().string("tokenizer.ggml.model")).contains("llama");
            assertThat(file.metadata().floats("tokenizer.ggml.scores").orElseThrow().length)
                    .isEqualTo(file.metadata()
                            .strings("tokenizer.ggml.tokens")
                            .orElseThrow()
                            .size());
        }
    }

    @Test
    void every_metadata_type_is_read() throws IOException {
        Path path = new GgufBytes(3, 0, 13)
                .key("u8", 0)
                .i8(200)
                .key("i8", 1)
                .i8(-3)
                .key("u16", 2)
                .i16(60_000)
                .key("i16", 3)
                .i16(-5)
                .key("u32", 4)
                .i32((int) 4_000_000_000L)
                .key("i32", 5)
                .i32(-6)
                .key("f32", 6)
                .i32(Float.floatToRawIntBits(0.5f))
                .key("bool", 7)
                .i8(1)
                .key("text", 8)
                .string("紡ぎ")
                .key("nested", 9)
                .i32(9)
                .i64(1)
                .i32(4)
                .i64(2)
                .i32(7)
                .i32(8)
                .key("u64", 10)
                .i64(1L << 60)
                .key("i64", 11)
                .i64(-7)
                .key("f64", 12)
                .i64(Double.doubleToRawLongBits(0.25))
                .write(folder);
        try (GgufFile file = GgufFile.open(path)) {
            GgufMetadata m = file.metadata();
            assertThat(List.of("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"))
                    .map(key -> m.integer(key).orElseThrow())
                    .containsExactly(200L, -3L, 60_000L, -5L, 4_000_000_000L, -6L, 1L << 60, -7L);
            assertThat(m.number("f32")).hasValue(0.5);
            assertThat(m.number("f64")).hasValue(0.25);
            assertThat(m.flag("bool")).contains(true);
            assertThat(m.string("text")).contains("紡ぎ");
            assertThat(m.keys()).contains("nested");
        }
    }

    @Test
    void a_sound_file_made_here_is_read_in_both_versions() throws IOException {
        for (int version : new int[] {2, 3}) {
            Path path = new GgufBytes(version, 1, 0)
                    .tensor("t", 0, 0, 3, 2)
                    .data(24)
                    .write(folder);
            try (GgufFile file = GgufFile.open(path)) {
                assertThat(file.version()).isEqualTo(version);
                assertThat(file.tensor("t").orElseThrow().shape()).isEqualTo(new Shape(2, 3));
                assertThat(file.tensor("t").orElseThrow().dtype()).isEqualTo(DType.F32);
            }
        }
    }

    static List<Arguments> hostileFiles() {
        return List.of(
                hostile("not a GGUF file", b -> b.putInt(0, 0x12345678)),
                hostile("version 1", b -> b.putInt(4, 1)),
                hostile("big-endian", b -> b.putInt(4, 3 << 24)),
                hostile("version 77", b -> b.putInt(4, 77)),
                hostile("number of tensors is", new GgufBytes(3, 1L << 40, 0)),
                hostile("number of tensors is 18446744073709551615", new GgufBytes(3, -1, 0)),
                hostile("number of metadata pairs is", new GgufBytes(3, 0, 1L << 33)),
                hostile(
                        "needs 9223372036854775807 bytes",
                        new GgufBytes(3, 0, 1).i64(Long.MAX_VALUE).data(64)),
                hostile(
                        "needs 18446744073709551615 bytes",
                        new GgufBytes(3, 0, 1).i64(-1).data(64)),
                hostile(
                        "no UTF-8",
                        new GgufBytes(3, 0, 1).i64(2).i8(0xC3).i8(0x28).i32(7).i8(1)),
                hostile(
                        "is there twice",
                        new GgufBytes(3, 0, 2).key("k", 7).i8(1).key("k", 7).i8(1)),
                hostile(
                        "neither true nor false",
                        new GgufBytes(3, 0, 1).key("k", 7).i8(2).data(8)),
                hostile(
                        "which is unknown",
                        new GgufBytes(3, 0, 1).key("k", 13).i8(2).data(8)),
                hostile("out of range", new GgufBytes(3, 0, 1).key("k", 10).i64(-1)),
                hostile(
                        "length of metadata 'k' is",
                        new GgufBytes(3, 0, 1).key("k", 9).i32(0).i64(1L << 31).data(64)),
                hostile("nested deeper", nested(40)),
                hostile("power of two", alignment(33)),
                hostile("power of two", alignment(0)),
                hostile("power of two", alignment(1L << 40)),
                hostile(
                        "5 dimensions",
                        new GgufBytes(3, 1, 0).tensor("t", 0, 0, 1, 1, 1, 1, 1).data(64)),
                hostile("0 dimensions", new GgufBytes(3, 1, 0).tensor("t", 0, 0).data(64)),
                hostile(
                        "impossible shape",
                        new GgufBytes(3, 1, 0).tensor("t", 0, 0, 4, 0).data(64)),
                hostile(
                        "impossible shape",
                        new GgufBytes(3, 1, 0).tensor("t", 0, 0, -4).data(64)),
                hostile(
                        "impossibly large",
                        new GgufBytes(3, 1, 0).tensor("t", 0, 0, 1L << 62, 4).data(64)),
                hostile(
                        "impossibly large",
                        new GgufBytes(3, 1, 0).tensor("t", 0, Long.MAX_VALUE, 4).data(64)),
                hostile(
                        "whole number of Q4_0 blocks",
                        new GgufBytes(3, 1, 0).tensor("t", 2, 0, 33).data(64)),
                hostile("IQ4_XS", new GgufBytes(3, 1, 0).tensor("t", 23, 0, 256).data(256)),
                hostile(
                        "type code 99",
                        new GgufBytes(3, 1, 0).tensor("t", 99, 0, 256).data(256)),
                hostile(
                        "but there are only",
                        new GgufBytes(3, 1, 0).tensor("t", 0, 0, 17).data(64)),
                hostile(
                        "but there are only",
                        new GgufBytes(3, 1, 0).tensor("t", 0, -32, 4).data(64)),
                hostile(
                        "no multiple of the alignment",
                        new GgufBytes(3, 1, 0).tensor("t", 0, 4, 4).data(64)),
                hostile(
                        "overlaps",
                        new GgufBytes(3, 2, 0)
                                .tensor("a", 0, 0, 16)
                                .tensor("b", 0, 32, 8)
                                .data(64)),
                hostile(
                        "is there twice",
                        new GgufBytes(3, 2, 0)
                                .tensor("a", 0, 0, 8)
                                .tensor("a", 0, 32, 8)
                                .data(64)));
    }

    @ParameterizedTest(name = "{0} #{index}")
    @MethodSource("hostileFiles")
    void a_file_that_contradicts_itself_is_refused(String reason, GgufBytes bytes) throws IOException {
        Path path = bytes.write(folder);

        assertThatThrownBy(() -> GgufFile.open(path))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining(path.toString())
                .hasMessageContaining(reason);
    }

    @Test
    void every_truncation_of_a_sound_file_is_refused() throws IOException {
        byte[] sound = Files.readAllBytes(Golden.path("gguf/tiny-llama.gguf"));
        for (int length = 0; length < sound.length; length += Math.max(1, length / 24)) {
            Path path = Files.write(folder.resolve("short.gguf"), Arrays.copyOf(sound, length));
            assertThatThrownBy(() -> GgufFile.open(path)).isInstanceOf(ModelFileException.class);
        }
    }

    private static Arguments hostile(String reason, GgufBytes bytes) {
        return Arguments.of(reason, bytes);
    }

    private static Arguments hostile(String reason, Consumer<java.nio.ByteBuffer> change) {
        GgufBytes bytes = new GgufBytes(3, 0, 0).data(64);
        change.accept(bytes.buffer());
        return Arguments.of(reason, bytes);
    }

    private static GgufBytes nested(int depth) {
        GgufBytes bytes = new GgufBytes(3, 0, 1).key("k", 9);
        for (int i = 0; i < depth; i++) {
            bytes.i32(9).i64(1);
        }
        return bytes.data(64);
    }

    private static GgufBytes alignment(long value) {
        return new GgufBytes(3, 0, 1).key("general.alignment", 10).i64(value);
    }
}
