package dev.tsumugi.engine.train;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** AdamW with fp32 moments: Loshchilov and Hutter, arXiv 1711.05101. */
final class AdamW implements Optimizer {
    private final double weightDecay;
    private final float[] first;
    private final float[] second;

    AdamW(int count, double weightDecay) {
        this.weightDecay = weightDecay;
        first = new float[count];
        second = new float[count];
    }

    @Override
    public void step(
            MemorySegment values, MemorySegment gradients, double gradientFactor, int step, double learningRate) {
        update(
                values,
                gradients,
                0,
                first.length,
                (float) gradientFactor,
                first,
                second,
                step,
                learningRate,
                weightDecay);
    }

    /** Numbers {@code offset} until {@code offset + count}, whose moments begin at index 0. */
    static void update(
            MemorySegment values,
            MemorySegment gradients,
            long offset,
            int count,
            float factor,
            float[] first,
            float[] second,
            int step,
            double learningRate,
            double weightDecay) {
        float kept = (float) (1 - learningRate * weightDecay);
        float beta2 = (float) BETA_2;
        float new1 = (float) (1 - BETA_1);
        float new2 = (float) (1 - BETA_2);
        float stride = (float) (learningRate / (1 - Math.pow(BETA_1, step)));
        float root = (float) Math.sqrt(1 - Math.pow(BETA_2, step));
        float epsilon = (float) EPSILON;
        for (int i = 0; i < count; i++) {
            float gradient = gradients.getAtIndex(ValueLayout.JAVA_FLOAT, offset + i) * factor;
            float m = first[i] + new1 * (gradient - first[i]);
            float v = second[i] * beta2 + new2 * gradient * gradient;
            first[i] = m;
            second[i] = v;
            float value = values.getAtIndex(ValueLayout.JAVA_FLOAT, offset + i) * kept;
            float divisor = (float) Math.sqrt(v) / root + epsilon;
            values.setAtIndex(ValueLayout.JAVA_FLOAT, offset + i, value - stride * (m / divisor));
        }
    }

    @Override
    public long byteSize() {
        return 8L * first.length;
    }

    @Override
    public void save(DataOutputStream out) throws IOException {
        Numbers.write(out, first);
        Numbers.write(out, second);
    }

    @Override
    public void load(DataInputStream in) throws IOException {
        Numbers.read(in, first);
        Numbers.read(in, second);
    }

    @Override
    public void close() {}
}
