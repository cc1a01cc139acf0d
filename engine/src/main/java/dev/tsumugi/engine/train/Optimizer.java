package dev.tsumugi.engine.train;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Moves parameters against their gradients, and remembers how it moved them. */
interface Optimizer extends AutoCloseable {
    double BETA_1 = 0.9;
    double BETA_2 = 0.999;
    double EPSILON = 1e-8;

    /**
     * One step.
     *
     * @param values fp32, changed
     * @param gradients fp32, which count {@code gradientFactor} times
     * @param step from 1
     */
    void step(MemorySegment values, MemorySegment gradients, double gradientFactor, int step, double learningRate);

    /** Bytes of its memory. */
    long byteSize();

    void save(DataOutputStream out) throws IOException;

    void load(DataInputStream in) throws IOException;

    @Override
    void close();
}
