package dev.tsumugi.engine.train;

import dev.tsumugi.engine.tensor.Tensor;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/** Moves the scorer of passages with the adapter, and keeps both in one checkpoint. */
record ScoringOptimizer(Optimizer adapter, PassageScorer scorer) implements Optimizer {
    @Override
    public void step(Tensor values, Tensor gradients, double gradientFactor, int step, double learningRate) {
        adapter.step(values, gradients, gradientFactor, step, learningRate);
        scorer.step(step, learningRate);
    }

    @Override
    public long byteSize() {
        return adapter.byteSize();
    }

    @Override
    public void save(DataOutputStream out) throws IOException {
        adapter.save(out);
        scorer.save(out);
    }

    @Override
    public void load(DataInputStream in) throws IOException {
        adapter.load(in);
        scorer.load(in);
    }

    @Override
    public void close() {
        adapter.close();
    }
}
