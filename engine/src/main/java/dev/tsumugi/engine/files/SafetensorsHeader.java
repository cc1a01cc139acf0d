package dev.tsumugi.engine.files;

import dev.tsumugi.engine.tensor.DType;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The JSON header of a safetensors file, read as a stream so that a large hostile one costs no more than its own size.
 *
 * @param entries tensors by name, in the order of the file
 * @param metadata the {@code __metadata__} texts
 */
record SafetensorsHeader(Map<String, Entry> entries, Map<String, String> metadata) {
    private static final int MAX_TENSORS = 1 << 18;
    private static final int MAX_RANK = 8;

    /** Element types of the format; those without a {@link DType} can be in a file but not be read as tensors. */
    enum ElementType {
        BOOL(1, DType.U8),
        U8(1, DType.U8),
        I8(1, DType.I8),
        F8_E5M2(1, null),
        F8_E4M3(1, null),
        F8_E8M0(1, null),
        I16(2, null),
        U16(2, null),
        F16(2, DType.F16),
        BF16(2, DType.BF16),
        I32(4, DType.I32),
        U32(4, null),
        F32(4, DType.F32),
        F64(8, null),
        I64(8, DType.I64),
        U64(8, null),
        C64(8, null);

        private final int bytes;
        private final @Nullable DType dtype;

        ElementType(int bytes, @Nullable DType dtype) {
            this.bytes = bytes;
            this.dtype = dtype;
        }

        int bytes() {
            return bytes;
        }

        @Nullable
        DType dtype() {
            return dtype;
        }
    }

    /** One tensor: type, dimensions, and the bytes {@code [begin, end)} of the data section. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Entry(ElementType type, long[] shape, long begin, long end) {}

    static SafetensorsHeader parse(Path path, byte[] json) {
        try (JsonParser parser = ModelJson.parser(json)) {
            return new Reader(path, parser).header();
        } catch (JacksonException e) {
            throw new ModelFileException(
                    path, "header is not sound JSON: " + e.getOriginalMessage(), ModelFileException.DAMAGED, e);
        }
    }

    /** Holds parser and path for the descent through the header. */
    private static final class Reader {
        private final Path path;
        private final JsonParser parser;
        private final Map<String, Entry> entries = new LinkedHashMap<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        Reader(Path path, JsonParser parser) {
            this.path = path;
            this.parser = parser;
        }

        SafetensorsHeader header() {
            require(parser.nextToken() == JsonToken.START_OBJECT, "header is not a JSON object");
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                require(parser.nextToken() == JsonToken.START_OBJECT, "entry '" + name + "' is not a JSON object");
                if (name.equals("__metadata__")) {
                    readMetadata();
                } else {
                    require(entries.size() < MAX_TENSORS, "more than " + MAX_TENSORS + " tensors");
                    entries.put(name, readEntry(name));
                }
            }
            // Writers pad the header with blanks; the parser skips those.
            require(parser.nextToken() == null, "something follows the header's JSON object");
            return new SafetensorsHeader(Collections.unmodifiableMap(entries), Collections.unmodifiableMap(metadata));
        }

        private void readMetadata() {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                require(parser.nextToken() == JsonToken.VALUE_STRING, "metadata '" + key + "' is not a text");
                metadata.put(key, parser.getString());
            }
        }

        private Entry readEntry(String name) {
            ElementType type = null;
            long[] shape = null;
            long[] offsets = null;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (field) {
                    case "dtype" -> {
                        require(value == JsonToken.VALUE_STRING, "dtype of tensor '" + name + "' is not a text");
                        type = elementType(name, parser.getString());
                    }
                    case "shape" -> shape = longs(name, field, value, MAX_RANK);
                    case "data_offsets" -> offsets = longs(name, field, value, 2);
                    default ->
                        throw ModelFileException.damaged(
                                path, "tensor '" + name + "' has an unknown field '" + field + "'");
                }
            }
            if (type == null || shape == null || offsets == null || offsets.length != 2) {
                throw ModelFileException.damaged(path, "tensor '" + name + "' lacks dtype, shape or two data_offsets");
            }
            long bytes;
            try {
                bytes = type.bytes();
                for (long d : shape) {
                    bytes = Math.multiplyExact(bytes, d);
                }
            } catch (ArithmeticException e) {
                throw ModelFileException.damaged(
                        path, "tensor '" + name + "' of shape " + Arrays.toString(shape) + " is impossibly large");
            }
            require(
                    offsets[0] <= offsets[1] && offsets[1] - offsets[0] == bytes,
                    "tensor '" + name + "' of type " + type + " and shape " + Arrays.toString(shape) + " needs " + bytes
                            + " bytes, but its data_offsets are " + Arrays.toString(offsets));
            return new Entry(type, shape, offsets[0], offsets[1]);
        }

        private ElementType elementType(String name, String text) {
            for (ElementType type : ElementType.values()) {
                if (type.name().equals(text)) {
                    return type;
                }
            }
            throw new ModelFileException(
                    path,
                    "tensor '" + name + "' has the unknown element type '" + text + "'",
                    "Convert the weights to BF16, F16 or F32");
        }

        private long[] longs(String name, String field, JsonToken first, int limit) {
            String what = field + " of tensor '" + name + "'";
            require(first == JsonToken.START_ARRAY, what + " is not a list");
            long[] values = new long[limit];
            int count = 0;
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                require(count < limit, what + " has more than " + limit + " numbers");
                require(
                        parser.currentToken() == JsonToken.VALUE_NUMBER_INT,
                        what + " has something not a whole number");
                BigInteger value = parser.getBigIntegerValue();
                require(value.signum() >= 0 && value.bitLength() < 63, what + " has " + value + ", out of range");
                values[count++] = value.longValue();
            }
            return Arrays.copyOf(values, count);
        }

        private void require(boolean condition, String problem) {
            if (!condition) {
                throw ModelFileException.damaged(path, problem);
            }
        }
    }
}
