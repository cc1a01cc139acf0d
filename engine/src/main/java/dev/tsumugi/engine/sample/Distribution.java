package dev.tsumugi.engine.sample;

import java.util.Arrays;

/**
 * Candidates for the next token and their weights. A scratch buffer of one sampler: each call of {@link #set} begins anew, and the cuts
 * follow in the order of {@link SamplingSettings}.
 */
final class Distribution {
    private int[] ids = new int[0];
    private double[] weights = new double[0];
    private int size;
    private double total;

    /** All tokens that are possible at all, weighted by exp(logit / temperature), the likeliest with weight 1. */
    void set(float[] logits, int from, int vocabulary, double temperature, double max) {
        if (ids.length < vocabulary) {
            ids = new int[vocabulary];
            weights = new double[vocabulary];
        }
        size = 0;
        total = 0;
        for (int i = 0; i < vocabulary; i++) {
            float logit = logits[from + i];
            if (logit == Float.NEGATIVE_INFINITY) {
                continue;
            }
            ids[size] = i;
            weights[size] = Math.exp((logit - max) / temperature);
            total += weights[size++];
        }
    }

    /** Keeps the {@code k} heaviest and all that weigh the same as the last of them. */
    void keepTop(int k) {
        if (k > 0 && k < size) {
            double[] sorted = Arrays.copyOf(weights, size);
            Arrays.sort(sorted);
            keepFrom(sorted[size - k]);
        }
    }

    /**
     * Drops the lightest candidates as long as together they hold at most {@code 1 - p} of the probability; the heaviest always stays.
     *
     * <p>Those below (1 - p) / n each hold no more than that together, so only the others need to be sorted.
     */
    void keepNucleus(double p) {
        if (p >= 1) {
            return;
        }
        double limit = (1 - p) * total;
        double negligible = limit / size;
        double dropped = 0;
        int kept = 0;
        for (int i = 0; i < size; i++) {
            if (weights[i] <= negligible && weights[i] < 1) {
                dropped += weights[i];
            } else {
                weights[kept] = weights[i];
                ids[kept++] = ids[i];
            }
        }
        size = kept;
        double[] sorted = Arrays.copyOf(weights, size);
        Arrays.sort(sorted);
        int first = 0;
        while (first < size - 1 && dropped + sorted[first] <= limit) {
            dropped += sorted[first++];
        }
        keepHeaviest(size - first, sorted[first]);
    }

    /** Keeps what weighs at least {@code share} of the heaviest, whose weight is 1. */
    void keepShare(double share) {
        if (share > 0) {
            keepFrom(share);
        }
    }

    /** The candidate at {@code uniform}, from [0, 1), of the cumulated probability. */
    int at(double uniform) {
        double target = uniform * total;
        for (int i = 0; i < size - 1; i++) {
            target -= weights[i];
            if (target < 0) {
                return ids[i];
            }
        }
        return ids[size - 1];
    }

    /** [V] probabilities, 0 for what was cut. */
    double[] probabilities(int vocabulary) {
        double[] probabilities = new double[vocabulary];
        for (int i = 0; i < size; i++) {
            probabilities[ids[i]] = weights[i] / total;
        }
        return probabilities;
    }

    private void keepFrom(double least) {
        keep(size, least);
    }

    /** {@code count} candidates of at least {@code least}: among equals at the border, those with the lower ids. */
    private void keepHeaviest(int count, double least) {
        int above = 0;
        for (int i = 0; i < size; i++) {
            above += weights[i] > least ? 1 : 0;
        }
        keep(count - above, least);
    }

    /** Keeps what is heavier than {@code least}, and the first {@code equals} of those that are equal. */
    private void keep(int equals, double least) {
        int kept = 0;
        total = 0;
        for (int i = 0; i < size; i++) {
            if (weights[i] > least || weights[i] == least && equals-- > 0) {
                weights[kept] = weights[i];
                ids[kept++] = ids[i];
                total += weights[i];
            }
        }
        size = kept;
    }
}
