package dev.tsumugi.engine.quant;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Numbers inside of blocks. */
final class LittleEndian {
    private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private LittleEndian() {}

    static int i32(byte[] bytes, int at) {
        return (int) INT.get(bytes, at);
    }

    static float f32(byte[] bytes, int at) {
        return Float.intBitsToFloat((int) INT.get(bytes, at));
    }

    static float f16(byte[] bytes, int at) {
        return Float.float16ToFloat((short) SHORT.get(bytes, at));
    }

    static float bf16(byte[] bytes, int at) {
        return Float.intBitsToFloat((short) SHORT.get(bytes, at) << 16);
    }

    static void putF16(byte[] bytes, int at, float value) {
        SHORT.set(bytes, at, Float.floatToFloat16(value));
    }
}
