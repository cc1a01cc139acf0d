package dev.tsumugi.engine.train;

import dev.tsumugi.engine.tensor.Tensor;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/** Moves parameters against their gradients, and remembers how it moved them. */
interface Optimizer extends AutoCloseable {
    /**
     * One step.
     *
     * @param values fp32, changed
     * @param gradients fp32, which count {@code gradientFactor} times
     * @param step from 1
     */
    void step(Tensor values, Tensor gradients, double gradientFactor, int step, double learningRate);

    /** Bytes of its memory. */
    long byteSize();

    void save(DataOutputStream out) throws IOException;

    void load(DataInputStream in) throws IOException;

    @Override
    void close();
}
