package dev.tsumugi.engine.sample;

import java.util.ArrayList;
import java.util.List;

/**
 * Natural logarithms of probabilities at one step, from the model's own logits before penalties, logit bias, temperature, cuts and the mask of
 * a constraint: what the model thought, not what it was made to say. So under a constraint {@code top} may hold tokens that were not
 * allowed. (OpenAI's API does not say which; vLLM's default is the same.)
 *
 * @param chosen the token that was generated
 * @param top the most likely tokens, best first
 */
public record TokenLogprobs(TokenLogprob chosen, List<TokenLogprob> top) {

    /** One token and its log probability. */
    public record TokenLogprob(int id, double logprob) {}

    /**
     * @param logits V of them, from {@code from}
     * @param n how many of the most likely tokens
     */
    public static TokenLogprobs of(float[] logits, int from, int vocabulary, int chosen, int n) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            max = Math.max(max, logits[from + i]);
        }
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits[from + i] - max);
        }
        double logSum = max + Math.log(sum);
        List<TokenLogprob> top = new ArrayList<>(n);
        for (int id : largest(logits, from, vocabulary, n)) {
            top.add(new TokenLogprob(id, logits[from + id] - logSum));
        }
        return new TokenLogprobs(new TokenLogprob(chosen, logits[from + chosen] - logSum), top);
    }

    /** Insertion into a short sorted list: n is small beside V. */
    private static int[] largest(float[] logits, int from, int vocabulary, int n) {
        int[] ids = new int[Math.min(n, vocabulary)];
        int size = 0;
        for (int id = 0; id < vocabulary; id++) {
            float value = logits[from + id];
            if (size == ids.length && (size == 0 || value <= logits[from + ids[size - 1]])) {
                continue;
            }
            int at = size < ids.length ? size++ : size - 1;
            while (at > 0 && logits[from + ids[at - 1]] < value) {
                ids[at] = ids[at - 1];
                at--;
            }
            ids[at] = id;
        }
        return ids;
    }
}
