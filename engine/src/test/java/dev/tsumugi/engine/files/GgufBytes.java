package dev.tsumugi.engine.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Writes GGUF files for tests field by field, sound or not. */
final class GgufBytes {
    private final ByteBuffer buffer = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);

    GgufBytes(int version, long tensors, long pairs) {
        buffer.putInt(0x46554747).putInt(version).putLong(tensors).putLong(pairs);
    }

    GgufBytes key(String key, int type) {
        return string(key).i32(type);
    }

    GgufBytes i8(int value) {
        buffer.put((byte) value);
        return this;
    }

    GgufBytes i16(int value) {
        buffer.putShort((short) value);
        return this;
    }

    GgufBytes i32(int value) {
        buffer.putInt(value);
        return this;
    }

    GgufBytes i64(long value) {
        buffer.putLong(value);
        return this;
    }

    GgufBytes string(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        buffer.putLong(bytes.length).put(bytes);
        return this;
    }

    /** @param dimensions as the file has them, fastest first */
    GgufBytes tensor(String name, int type, long offset, long... dimensions) {
        string(name).i32(dimensions.length);
        for (long dimension : dimensions) {
            i64(dimension);
        }
        return i32(type).i64(offset);
    }

    /** Pads to the default alignment and appends that many zero bytes. */
    GgufBytes data(int count) {
        buffer.position((buffer.position() + 31) / 32 * 32 + count);
        return this;
    }

    ByteBuffer buffer() {
        return buffer;
    }

    Path write(Path folder) throws IOException {
        return Files.write(folder.resolve("model.gguf"), Arrays.copyOf(buffer.array(), buffer.position()));
    }
}
