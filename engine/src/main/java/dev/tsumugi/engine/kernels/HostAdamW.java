package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.quant.BlockwiseInt8;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** {@link TrainingKernels#adamW} and {@link TrainingKernels#adamW8Bit} of backends whose memory is that of this process. */
final class HostAdamW {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final BlockwiseInt8 SIGNED = BlockwiseInt8.signed();
    private static final BlockwiseInt8 UNSIGNED = BlockwiseInt8.unsigned();

    private HostAdamW() {}

    static void update(Tensor values, Tensor gradients, long offset, int count, MemorySegment moments, AdamWStep step) {
        FloatView parameters = FloatView.of(values);
        FloatView slopes = FloatView.of(gradients);
        float kept = step.kept();
        float beta2 = (float) AdamWStep.BETA_2;
        float new1 = (float) (1 - AdamWStep.BETA_1);
        float new2 = (float) (1 - AdamWStep.BETA_2);
        float stride = (float) (step.learningRate() / step.correction1());
        float root = (float) step.correction2();
        float epsilon = (float) AdamWStep.EPSILON;
        for (int i = 0; i < count; i++) {
            float gradient = slopes.get(offset + i) * step.gradientFactor();
            float m = moments.getAtIndex(FLOAT, i);
            m += new1 * (gradient - m);
            float v = moments.getAtIndex(FLOAT, (long) count + i) * beta2 + new2 * gradient * gradient;
            moments.setAtIndex(FLOAT, i, m);
            moments.setAtIndex(FLOAT, (long) count + i, v);
            float value = parameters.get(offset + i) * kept;
            float divisor = (float) Math.sqrt(v) / root + epsilon;
            parameters.set(offset + i, value - stride * (m / divisor));
        }
    }

    static void update8Bit(
            Tensor values, Tensor gradients, long offset, int count, BlockMoments moments, AdamWStep step) {
        FloatView parameters = FloatView.of(values);
        FloatView slopes = FloatView.of(gradients);
        for (int block = 0; block < moments.blocks(); block++) {
            int from = block * BlockwiseInt8.BLOCK;
            update(
                    parameters,
                    slopes,
                    offset + from,
                    Math.min(BlockwiseInt8.BLOCK, count - from),
                    moments,
                    block,
                    step);
        }
    }

    private static void update(
            FloatView parameters,
            FloatView slopes,
            long offset,
            int count,
            BlockMoments moments,
            int block,
            AdamWStep step) {
        MemorySegment memory = moments.memory();
        long codes1 = (long) block * BlockwiseInt8.BLOCK;
        long codes2 = moments.count() + codes1;
        long scale1 = moments.scales() + 4L * block;
        long scale2 = scale1 + 4L * moments.blocks();
        float largest1 = memory.get(FLOAT, scale1);
        float largest2 = memory.get(FLOAT, scale2);
        float correction1 = (float) step.correction1();
        float correction2 = (float) step.correction2();
        float stride = (float) step.learningRate() * correction2 / correction1;
        float epsilon = correction2 * (float) AdamWStep.EPSILON;
        float kept = step.kept();
        float[] first = new float[count];
        float[] second = new float[count];
        for (int i = 0; i < count; i++) {
            first[i] = SIGNED.value(memory.get(ValueLayout.JAVA_BYTE, codes1 + i)) * largest1;
            second[i] = UNSIGNED.value(memory.get(ValueLayout.JAVA_BYTE, codes2 + i)) * largest2;
            float gradient = slopes.get(offset + i) * step.gradientFactor();
            if (!Float.isFinite(gradient)) {
                continue;
            }
            first[i] = (float) AdamWStep.BETA_1 * first[i] + (float) (1 - AdamWStep.BETA_1) * gradient;
            second[i] = (float) AdamWStep.BETA_2 * second[i] + (float) (1 - AdamWStep.BETA_2) * gradient * gradient;
            float value = parameters.get(offset + i);
            value -= stride * (first[i] / ((float) Math.sqrt(second[i]) + epsilon));
            parameters.set(offset + i, value * kept);
        }
        byte[] codes = new byte[count];
        memory.set(FLOAT, scale1, SIGNED.quantize(first, codes));
        SIGNED.keepSigns(first, codes);
        MemorySegment.copy(codes, 0, memory, ValueLayout.JAVA_BYTE, codes1, count);
        memory.set(FLOAT, scale2, UNSIGNED.quantize(second, codes));
        MemorySegment.copy(codes, 0, memory, ValueLayout.JAVA_BYTE, codes2, count);
    }
}
