package dev.tsumugi.engine.files;

import org.jspecify.annotations.Nullable;

/** Types of GGUF metadata values, in the order of their codes. */
enum GgufType {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(8),
    ARRAY(12),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private static final GgufType[] BY_CODE = values();

    private final int minimumBytes;

    GgufType(int minimumBytes) {
        this.minimumBytes = minimumBytes;
    }

    /** The least that one value takes in the file. */
    int minimumBytes() {
        return minimumBytes;
    }

    static @Nullable GgufType of(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }
}
