package dev.tsumugi.engine.train;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Arrays in checkpoints: their bits, little-endian. */
final class Numbers {
    private static final int AT_A_TIME = 1 << 20;

    private Numbers() {}

    static void write(DataOutputStream out, float[] values) throws IOException {
        write(out, MemorySegment.ofArray(values));
    }

    static void read(DataInputStream in, float[] values) throws IOException {
        read(in, MemorySegment.ofArray(values));
    }

    static void write(DataOutputStream out, MemorySegment values) throws IOException {
        byte[] part = new byte[(int) Math.min(AT_A_TIME, values.byteSize())];
        for (long at = 0; at < values.byteSize(); at += part.length) {
            int count = (int) Math.min(part.length, values.byteSize() - at);
            MemorySegment.copy(values, at, MemorySegment.ofArray(part), 0, count);
            out.write(part, 0, count);
        }
    }

    static void read(DataInputStream in, MemorySegment values) throws IOException {
        byte[] part = new byte[(int) Math.min(AT_A_TIME, values.byteSize())];
        for (long at = 0; at < values.byteSize(); at += part.length) {
            int count = (int) Math.min(part.length, values.byteSize() - at);
            in.readFully(part, 0, count);
            MemorySegment.copy(MemorySegment.ofArray(part), 0, values, at, count);
        }
    }

    /** Bytes of ints, for digests. */
    static byte[] bytes(int[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asIntBuffer().put(values);
        return buffer.array();
    }
}
