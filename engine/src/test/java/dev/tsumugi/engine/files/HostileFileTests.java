package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** Whatever is done to the bytes of a sound file: it opens as a sound model, or the error is a {@link ModelFileException} that names it. */
class HostileFileTests {
    private static Path folder;
    private static byte[] gguf;
    private static byte[] safetensors;
    private static byte[] vocabulary;
    private static byte[] config;

    /** Overwrites {@code bytes} from {@code at}, a fraction of the length. */
    record Edit(double at, byte[] bytes) {}

    @BeforeContainer
    static void prepare() throws IOException {
        folder = Files.createTempDirectory("hostile");
        gguf = smallGguf();
        safetensors = smallSafetensors();
        vocabulary = Files.readAllBytes(Golden.path("tokenizer/llama2-style/vocabulary.gguf"));
        config = Files.readAllBytes(Golden.path("tiny-llama3-rope/config.json"));
    }

    @AfterContainer
    static void clean() throws IOException {
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    @Provide
    Arbitrary<List<Edit>> edits() {
        Arbitrary<byte[]> oneByte = Arbitraries.bytes().array(byte[].class).ofSize(1);
        Arbitrary<byte[]> number = Arbitraries.longs()
                .edgeCases(e -> e.add(-1L, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32, 1L << 62, 0x7FFFFFFFL))
                .map(v -> ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(v)
                        .array());
        Arbitrary<byte[]> digits = Arbitraries.strings()
                .withChars("0123456789-,:[]{}\"e.")
                .ofMinLength(1)
                .ofMaxLength(4)
                .map(s -> s.getBytes(StandardCharsets.US_ASCII));
        return Combinators.combine(Arbitraries.doubles().between(0, 1), Arbitraries.oneOf(oneByte, number, digits))
                .as(Edit::new)
                .list()
                .ofMinSize(1)
                .ofMaxSize(4);
    }

    @Property(tries = 700)
    void gguf(@ForAll("edits") List<Edit> edits) throws IOException {
        Path file = Files.write(folder.resolve("m.gguf"), apply(gguf, edits));
        expectSoundOrRefused(file, () -> {
            try (GgufModelFiles model = GgufModelFiles.open(file)) {
                for (String name : model.file().names()) {
                    readAll(model.file().tensor(name));
                }
                assertThat(model.config().hiddenSize()).isPositive();
            }
        });
    }

    @Property(tries = 150)
    void vocabulary(@ForAll("edits") List<Edit> edits) throws IOException {
        Path file = Files.write(folder.resolve("v.gguf"), apply(vocabulary, edits));
        expectSoundOrRefused(file, () -> {
            try (GgufFile model = GgufFile.open(file)) {
                model.metadata().strings("tokenizer.ggml.tokens");
                model.metadata().floats("tokenizer.ggml.scores");
                model.metadata().integers("tokenizer.ggml.token_type");
            }
        });
    }

    @Property(tries = 700)
    void safetensors(@ForAll("edits") List<Edit> edits) throws IOException {
        Path file = Files.write(folder.resolve("m.safetensors"), apply(safetensors, edits));
        expectSoundOrRefused(file, () -> {
            try (SafetensorsFile model = SafetensorsFile.open(file)) {
                for (String name : model.names()) {
                    readAll(model.tensor(name));
                }
            }
        });
    }

    @Property(tries = 500)
    void configuration(@ForAll("edits") List<Edit> edits) throws IOException {
        Path file = Files.write(folder.resolve("config.json"), apply(config, edits));
        expectSoundOrRefused(
                file, () -> assertThat(ConfigJson.read(file, "m").layers()).isPositive());
    }

    private static void expectSoundOrRefused(Path file, Runnable open) {
        try {
            open.run();
        } catch (ModelFileException refused) {
            assertThat(refused).hasMessageStartingWith(file + ": ");
        }
    }

    private static void readAll(Optional<Tensor> tensor) {
        byte[] bytes = tensor.orElseThrow().segment().toArray(ValueLayout.JAVA_BYTE);
        assertThat(bytes.length).isEqualTo((int) tensor.get().byteSize());
    }

    /** The first edit may also cut the file where it stands. */
    private static byte[] apply(byte[] sound, List<Edit> edits) {
        byte[] bytes = sound.clone();
        for (Edit edit : edits) {
            int at = (int) (edit.at() * (bytes.length - 1));
            System.arraycopy(edit.bytes(), 0, bytes, at, Math.min(edit.bytes().length, bytes.length - at));
        }
        Edit first = edits.getFirst();
        boolean cut = first.bytes()[0] == 0;
        return cut ? Arrays.copyOf(bytes, (int) (first.at() * bytes.length)) : bytes;
    }

    private static byte[] smallGguf() throws IOException {
        GgufBytes bytes = new GgufBytes(3, 3, 10)
                .key("general.architecture", 8)
                .string("llama")
                .key("general.alignment", 4)
                .i32(32)
                .key("llama.embedding_length", 4)
                .i32(32)
                .key("llama.block_count", 4)
                .i32(1)
                .key("llama.attention.head_count", 4)
                .i32(2)
                .key("llama.feed_forward_length", 4)
                .i32(32)
                .key("llama.context_length", 4)
                .i32(64)
                .key("llama.rope.freq_base", 6)
                .i32(Float.floatToRawIntBits(10_000f))
                .key("tokenizer.ggml.tokens", 9)
                .i32(8)
                .i64(2)
                .string("紡")
                .string("b")
                .key("tokenizer.ggml.scores", 9)
                .i32(6)
                .i64(2)
                .i32(0)
                .i32(0)
                .tensor("token_embd.weight", 8, 0, 32, 2)
                .tensor("output_norm.weight", 0, 96, 32)
                .tensor("blk.0.attn_q.weight", 2, 224, 32, 4)
                .data(96 + 128 + 72);
        return Files.readAllBytes(bytes.write(folder));
    }

    private static byte[] smallSafetensors() {
        byte[] header = ("{\"__metadata__\":{\"format\":\"pt\"},"
                        + "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                        + "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]}}")
                .getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + header.length + 32)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length)
                .put(header)
                .array();
    }
}
