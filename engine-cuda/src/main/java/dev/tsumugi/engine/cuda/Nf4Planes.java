package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Nf4Matrix;
import dev.tsumugi.engine.quant.BlockwiseInt8;
import dev.tsumugi.engine.quant.Nf4;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A matrix in NF4 as weights.cuh reads it: codes and scales as they were quantized, and where each row begins. */
final class Nf4Planes {
    /** As kernels are called that read it. */
    static final String KERNEL_SUFFIX = "nf4";
    /** Codes that are loaded together. */
    static final int TOGETHER = 8;

    /** Codes whose scales were quantized together. */
    private static final int SPAN = Nf4.BLOCK * BlockwiseInt8.BLOCK;

    private Nf4Planes() {}

    /** Bytes of each number, about. */
    static double bytesPerWeight() {
        return 0.5 + 1.0 / Nf4.BLOCK + 8.0 / SPAN;
    }

    /**
     * Codes, rows, scales, supers.
     *
     * @param matrix of a multiple of {@value #TOGETHER} inputs
     */
    static MemorySegment[] of(Nf4Matrix matrix, Arena arena) {
        long codes = 0;
        for (Nf4Matrix.Part part : matrix.parts()) {
            codes += padded(part);
        }
        int spans = Math.toIntExact(codes / SPAN);
        float[] meanings = Nf4.codes();
        float[] scaleMeanings = BlockwiseInt8.signed().codes();
        MemorySegment packed = arena.allocate(codes / 2, 64);
        MemorySegment rows = arena.allocate(4L * matrix.outputs(), 64);
        MemorySegment scales = arena.allocate(codes / Nf4.BLOCK, 64);
        MemorySegment supers = arena.allocate(4L * (meanings.length + scaleMeanings.length) + 8L * spans, 64);
        MemorySegment.copy(meanings, 0, supers, ValueLayout.JAVA_FLOAT, 0, meanings.length);
        long nested = 4L * meanings.length;
        MemorySegment.copy(scaleMeanings, 0, supers, ValueLayout.JAVA_FLOAT, nested, scaleMeanings.length);
        nested += 4L * scaleMeanings.length;
        long first = 0;
        int row = 0;
        for (Nf4Matrix.Part part : matrix.parts()) {
            byte[] bytes = part.codes().packed();
            for (int i = 0; i < bytes.length; i++) {
                // The first of two is in the high half there, in the low half here.
                bytes[i] = (byte) (bytes[i] >> 4 & 15 | bytes[i] << 4);
            }
            MemorySegment.copy(bytes, 0, packed, ValueLayout.JAVA_BYTE, first / 2, bytes.length);
            byte[] scaleCodes = part.codes().scaleCodes();
            MemorySegment.copy(scaleCodes, 0, scales, ValueLayout.JAVA_BYTE, first / Nf4.BLOCK, scaleCodes.length);
            float[] factors = part.codes().nestedScales();
            for (int s = 0; s < factors.length; s++) {
                long at = nested + 8 * (first / SPAN + s);
                supers.set(ValueLayout.JAVA_FLOAT, at, factors[s]);
                supers.set(ValueLayout.JAVA_FLOAT, at + 4, part.codes().offset());
            }
            for (int n = 0; n < part.rows(); n++) {
                long begin = first + (long) part.row(n) * matrix.inputs();
                rows.setAtIndex(ValueLayout.JAVA_INT, row++, (int) (begin / TOGETHER));
            }
            first += padded(part);
        }
        return new MemorySegment[] {packed, rows, scales, supers};
    }

    private static long padded(Nf4Matrix.Part part) {
        long codes = 2L * part.codes().packed().length;
        return Math.ceilDiv(codes, SPAN) * (long) SPAN;
    }
}
