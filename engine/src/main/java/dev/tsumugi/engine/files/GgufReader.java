package dev.tsumugi.engine.files;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A cursor over the little-endian head of a GGUF file. Every length is held against what is left of the file, and the sum of what is kept
 * on the heap against {@link #HEAP_BUDGET}, before anything is allocated.
 */
final class GgufReader {
    /** The largest vocabularies in use need about 30 MB. */
    private static final long HEAP_BUDGET = 256L << 20;
    /** Object header, fields and list slot of a short string. */
    private static final int STRING_OVERHEAD = 56;

    private static final int MAX_ARRAY_DEPTH = 4;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final MemorySegment bytes;
    private final CharsetDecoder utf8 = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    private long position;
    private long heapLeft = HEAP_BUDGET;

    GgufReader(Path path, MemorySegment bytes) {
        this.path = path;
        this.bytes = bytes;
    }

    long position() {
        return position;
    }

    long remaining() {
        return bytes.byteSize() - position;
    }

    /** Moves past {@code count} bytes and says where they began. */
    private long take(long count, String what) {
        if (count < 0 || count > remaining()) {
            throw ModelFileException.damaged(
                    path,
                    what + " at byte " + position + " needs " + Long.toUnsignedString(count)
                            + " bytes, but the file has only " + remaining() + " more");
        }
        long start = position;
        position += count;
        return start;
    }

    int readInt(String what) {
        return bytes.get(INT, take(4, what));
    }

    long readLong(String what) {
        return bytes.get(LONG, take(8, what));
    }

    /**
     * A count of things that take at least {@code minimumBytes} each in the file, so that an absurd one is refused here.
     */
    int readCount(String what, int minimumBytes) {
        long count = readLong(what);
        if (count < 0 || count > remaining() / minimumBytes || count > Integer.MAX_VALUE - 8) {
            throw ModelFileException.damaged(
                    path,
                    what + " is " + Long.toUnsignedString(count) + ", but the file has only " + remaining()
                            + " more bytes");
        }
        return (int) count;
    }

    /** @throws ModelFileException also when the bytes are no UTF-8 */
    String readString(String what) {
        long length = readLong("length of " + what);
        long start = take(length, what);
        spend(length + STRING_OVERHEAD, what);
        ByteBuffer buffer = ByteBuffer.wrap(bytes.asSlice(start, length).toArray(ValueLayout.JAVA_BYTE));
        try {
            return utf8.decode(buffer).toString();
        } catch (CharacterCodingException e) {
            throw ModelFileException.damaged(path, what + " at byte " + start + " is no UTF-8 text");
        }
    }

    /** A value of {@code type}: a boxed number, a {@link Boolean}, a {@link String}, a primitive array, or a list. */
    Object readValue(GgufType type, String what) {
        return readValue(type, what, 0);
    }

    private Object readValue(GgufType type, String what, int depth) {
        return switch (type) {
            case UINT8 -> (long) (bytes.get(ValueLayout.JAVA_BYTE, take(1, what)) & 0xFF);
            case INT8 -> (long) bytes.get(ValueLayout.JAVA_BYTE, take(1, what));
            case UINT16 -> (long) (bytes.get(SHORT, take(2, what)) & 0xFFFF);
            case INT16 -> (long) bytes.get(SHORT, take(2, what));
            case UINT32 -> readInt(what) & 0xFFFF_FFFFL;
            case INT32 -> (long) readInt(what);
            case FLOAT32 -> (double) bytes.get(FLOAT, take(4, what));
            case FLOAT64 -> bytes.get(DOUBLE, take(8, what));
            case BOOL -> readBoolean(what);
            case UINT64 -> unsigned(readLong(what), what);
            case INT64 -> readLong(what);
            case STRING -> readString(what);
            case ARRAY -> readArray(what, depth);
        };
    }

    private Object readArray(String what, int depth) {
        if (depth == MAX_ARRAY_DEPTH) {
            throw ModelFileException.damaged(path, what + " is nested deeper than " + MAX_ARRAY_DEPTH + " arrays");
        }
        GgufType type = readType("element type of " + what);
        int count = readCount("length of " + what, type.minimumBytes());
        switch (type) {
            case FLOAT32 -> {
                spend(4L * count, what);
                return bytes.asSlice(take(4L * count, what), 4L * count).toArray(FLOAT);
            }
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> {
                spend(8L * count, what);
                long[] values = new long[count];
                for (int i = 0; i < count; i++) {
                    values[i] = (Long) readValue(type, what, depth + 1);
                }
                return values;
            }
            default -> {
                spend((long) STRING_OVERHEAD * count, what);
                List<Object> values = new ArrayList<>(count);
                for (int i = 0; i < count; i++) {
                    values.add(readValue(type, what, depth + 1));
                }
                return Collections.unmodifiableList(values);
            }
        }
    }

    GgufType readType(String what) {
        int code = readInt(what);
        GgufType type = GgufType.of(code);
        if (type == null) {
            throw ModelFileException.damaged(
                    path, what + " is " + Integer.toUnsignedString(code) + ", which is unknown");
        }
        return type;
    }

    private Boolean readBoolean(String what) {
        byte value = bytes.get(ValueLayout.JAVA_BYTE, take(1, what));
        if (value != 0 && value != 1) {
            throw ModelFileException.damaged(path, what + " is neither true nor false but " + value);
        }
        return value == 1;
    }

    private long unsigned(long value, String what) {
        if (value < 0) {
            throw ModelFileException.damaged(path, what + " is " + Long.toUnsignedString(value) + ", out of range");
        }
        return value;
    }

    private void spend(long heapBytes, String what) {
        heapLeft -= heapBytes;
        if (heapLeft < 0) {
            throw new ModelFileException(
                    path,
                    "its metadata takes more than " + (HEAP_BUDGET >> 20) + " MiB of memory, " + what + " included",
                    "No sound model needs that: use another file");
        }
    }
}
