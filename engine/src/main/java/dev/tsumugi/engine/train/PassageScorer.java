package dev.tsumugi.engine.train;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Scores the passages of a question, and is trained beside the adapter: the softmax of the scores is p(z|x), how likely a passage is before its
 * answer is known. One thread at a time uses it.
 */
public interface PassageScorer {

    /** Back to where training begins. */
    void initialize();

    /** [K] one score a passage, in their order. */
    double[] scores(PassageExample example);

    /**
     * Adds to the gradients what the loss gives.
     *
     * @param dScores [K] the loss's gradient by each score
     */
    void backward(PassageExample example, double[] dScores);

    void clearGradients();

    /**
     * Moves against the gradients.
     *
     * @param step from 1
     */
    void step(int step, double learningRate);

    /** Everything that {@link #load} needs to go on with the same bits. */
    void save(DataOutputStream out) throws IOException;

    void load(DataInputStream in) throws IOException;

    /** Writes what was learned as a file beside the adapter's own. */
    void write(Path folder) throws IOException;
}
