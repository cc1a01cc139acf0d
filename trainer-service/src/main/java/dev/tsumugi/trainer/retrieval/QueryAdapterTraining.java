package dev.tsumugi.trainer.retrieval;

import dev.tsumugi.engine.train.PassageExample;
import dev.tsumugi.engine.train.PassageScorer;
import dev.tsumugi.platform.adapters.QueryAdapter;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/**
 * Trains a {@link QueryAdapter}: a passage d of a question q scores {@code q'.d / t} with {@code q' = normalize(q + B A q)}. The temperature t
 * is that with which E5 models are trained (Wang et al. 2022, arXiv 2212.03533, section 4.2), so that the untrained adapter, whose B is zero,
 * begins with the embedding model's own likelihoods. AdamW (arXiv 1711.05101) without decay, its gradient shortened to length 1.
 */
public final class QueryAdapterTraining implements PassageScorer {
    static final double TEMPERATURE = 0.01;
    private static final int RANK = 8;
    private static final double BETA_1 = 0.9;
    private static final double BETA_2 = 0.999;
    private static final double EPSILON = 1e-8;

    private final String indexGeneration;
    private final int dimension;
    private final long seed;
    /** A [r, D], and behind it B turned round [r, D]. */
    private final double[] values;

    private final double[] gradients;
    private final double[] first;
    private final double[] second;

    /** @param indexGeneration of the embedding model that made the vectors */
    public QueryAdapterTraining(String indexGeneration, int dimension, long seed) {
        this.indexGeneration = indexGeneration;
        this.dimension = dimension;
        this.seed = seed;
        values = new double[2 * RANK * dimension];
        gradients = new double[values.length];
        first = new double[values.length];
        second = new double[values.length];
        initialize();
    }

    @Override
    public void initialize() {
        Random random = new Random(seed);
        java.util.Arrays.fill(values, 0);
        java.util.Arrays.fill(first, 0);
        java.util.Arrays.fill(second, 0);
        for (int i = 0; i < RANK * dimension; i++) {
            values[i] = random.nextGaussian() / Math.sqrt(dimension);
        }
    }

    /** For tests: A and the turned B. */
    double[] values() {
        return values;
    }

    /** For tests: by {@link #values}. */
    double[] gradients() {
        return gradients;
    }

    /**
     * @param inner A q [r]
     * @param unit q' [D]
     * @param length of q + B A q
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Forward(double[] inner, double[] unit, double length) {}

    private Forward forward(float[] question) {
        double[] inner = new double[RANK];
        double[] unit = new double[dimension];
        for (int i = 0; i < dimension; i++) {
            unit[i] = question[i];
        }
        int turned = RANK * dimension;
        for (int r = 0; r < RANK; r++) {
            for (int i = 0; i < dimension; i++) {
                inner[r] += values[r * dimension + i] * question[i];
            }
            for (int i = 0; i < dimension; i++) {
                unit[i] += values[turned + r * dimension + i] * inner[r];
            }
        }
        double square = 0;
        for (double value : unit) {
            square += value * value;
        }
        double length = Math.sqrt(square);
        for (int i = 0; i < dimension; i++) {
            unit[i] /= length;
        }
        return new Forward(inner, unit, length);
    }

    @Override
    public double[] scores(PassageExample example) {
        double[] unit = forward(example.question()).unit;
        return example.passages().stream()
                .mapToDouble(passage -> {
                    double product = 0;
                    for (int i = 0; i < dimension; i++) {
                        product += unit[i] * passage.vector()[i];
                    }
                    return product / TEMPERATURE;
                })
                .toArray();
    }

    /** {@code du = (dq' - q' (q'.dq')) / |u|}, {@code dB = du (A q)^T}, {@code dA = (B^T du) q^T}. */
    @Override
    public void backward(PassageExample example, double[] dScores) {
        float[] question = example.question();
        Forward forward = forward(question);
        double[] dUnit = new double[dimension];
        for (int k = 0; k < dScores.length; k++) {
            float[] vector = example.passages().get(k).vector();
            for (int i = 0; i < dimension; i++) {
                dUnit[i] += dScores[k] / TEMPERATURE * vector[i];
            }
        }
        double along = 0;
        for (int i = 0; i < dimension; i++) {
            along += forward.unit[i] * dUnit[i];
        }
        double[] dSum = new double[dimension];
        for (int i = 0; i < dimension; i++) {
            dSum[i] = (dUnit[i] - forward.unit[i] * along) / forward.length;
        }
        int turned = RANK * dimension;
        for (int r = 0; r < RANK; r++) {
            double dInner = 0;
            for (int i = 0; i < dimension; i++) {
                dInner += values[turned + r * dimension + i] * dSum[i];
                gradients[turned + r * dimension + i] += dSum[i] * forward.inner[r];
            }
            for (int i = 0; i < dimension; i++) {
                gradients[r * dimension + i] += dInner * question[i];
            }
        }
    }

    @Override
    public void clearGradients() {
        java.util.Arrays.fill(gradients, 0);
    }

    @Override
    public void step(int step, double learningRate) {
        double square = 0;
        for (double gradient : gradients) {
            square += gradient * gradient;
        }
        double factor = Math.min(1, 1 / (Math.sqrt(square) + 1e-6));
        double correct1 = 1 - Math.pow(BETA_1, step);
        double correct2 = 1 - Math.pow(BETA_2, step);
        for (int i = 0; i < values.length; i++) {
            double gradient = factor * gradients[i];
            first[i] = BETA_1 * first[i] + (1 - BETA_1) * gradient;
            second[i] = BETA_2 * second[i] + (1 - BETA_2) * gradient * gradient;
            values[i] -= learningRate * (first[i] / correct1) / (Math.sqrt(second[i] / correct2) + EPSILON);
        }
    }

    @Override
    public void save(DataOutputStream out) throws IOException {
        for (double[] array : new double[][] {values, first, second}) {
            for (double value : array) {
                out.writeDouble(value);
            }
        }
    }

    @Override
    public void load(DataInputStream in) throws IOException {
        for (double[] array : new double[][] {values, first, second}) {
            for (int i = 0; i < array.length; i++) {
                array[i] = in.readDouble();
            }
        }
    }

    /** What has been learned so far. */
    public QueryAdapter adapter() {
        float[] a = new float[RANK * dimension];
        float[] b = new float[RANK * dimension];
        for (int r = 0; r < RANK; r++) {
            for (int i = 0; i < dimension; i++) {
                a[r * dimension + i] = (float) values[r * dimension + i];
                b[i * RANK + r] = (float) values[(RANK + r) * dimension + i];
            }
        }
        return new QueryAdapter(indexGeneration, dimension, RANK, a, b);
    }

    @Override
    public void write(Path folder) throws IOException {
        Files.write(folder.resolve(QueryAdapter.FILE), adapter().content());
    }
}
