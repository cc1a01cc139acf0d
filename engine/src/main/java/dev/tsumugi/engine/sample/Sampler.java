package dev.tsumugi.engine.sample;

import dev.tsumugi.engine.kernels.Draw;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Chooses the tokens of one answer. Random numbers depend on the seed and the position alone, so an answer that is computed again, or beside
 * other requests, is the same. For one answer, and one thread at a time.
 */
public final class Sampler {
    private final SamplingSettings settings;
    private final long seed;
    private final Set<Integer> seen = new HashSet<>();
    private final Map<Integer, Integer> generated = new HashMap<>();
    private final Distribution distribution = new Distribution();

    /**
     * @param seed used where the settings name none
     * @param prompt counts for the repetition penalty
     */
    public Sampler(SamplingSettings settings, long seed, int[] prompt) {
        this.settings = settings;
        this.seed = settings.seed().orElse(seed);
        if (settings.repetitionPenalty() != 1) {
            for (int id : prompt) {
                seen.add(id);
            }
        }
    }

    /**
     * Chooses a token and remembers it for the penalties.
     *
     * @param logits V of them, from {@code from}; bias and penalties are written into them
     * @param position of the new token in its sequence
     * @throws IllegalStateException when a logit is no number, or all are minus infinity
     */
    public int next(float[] logits, int from, int vocabulary, int position) {
        penalize(logits, from);
        int best = best(logits, from, vocabulary);
        int chosen = best;
        if (!settings.isGreedy()) {
            cut(logits, from, vocabulary, logits[from + best]);
            chosen = distribution.at(uniform(seed, position));
        }
        if (settings.hasPenalties()) {
            seen.add(chosen);
            generated.merge(chosen, 1, Integer::sum);
        }
        return chosen;
    }

    /** How {@link #next} draws the token at {@code position}, where the settings {@link SamplingSettings#drawsPlainly draw plainly}. */
    public Draw draw(int position) {
        return new Draw(
                settings.temperature(), settings.topK(), settings.topP(), settings.minP(), uniform(seed, position));
    }

    /** [V] final probabilities. */
    double[] probabilities(float[] logits) {
        penalize(logits, 0);
        cut(logits, 0, logits.length, logits[best(logits, 0, logits.length)]);
        return distribution.probabilities(logits.length);
    }

    /** Counts {@code id} as generated. */
    void remember(int id) {
        seen.add(id);
        generated.merge(id, 1, Integer::sum);
    }

    private void cut(float[] logits, int from, int vocabulary, float max) {
        distribution.set(logits, from, vocabulary, settings.temperature(), max);
        distribution.keepTop(settings.topK());
        distribution.keepNucleus(settings.topP());
        distribution.keepShare(settings.minP());
    }

    private void penalize(float[] logits, int from) {
        settings.logitBias().forEach((id, bias) -> logits[from + id] += bias);
        if (settings.repetitionPenalty() != 1) {
            float penalty = (float) settings.repetitionPenalty();
            for (int id : seen) {
                float logit = logits[from + id];
                logits[from + id] = logit > 0 ? logit / penalty : logit * penalty;
            }
        }
        if (settings.frequencyPenalty() != 0 || settings.presencePenalty() != 0) {
            generated.forEach((id, count) ->
                    logits[from + id] -= (float) (settings.presencePenalty() + count * settings.frequencyPenalty()));
        }
    }

    private static int best(float[] logits, int from, int vocabulary) {
        int best = -1;
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            float logit = logits[from + i];
            if (Float.isNaN(logit)) {
                throw new IllegalStateException("the model gave a logit that is no number, for token " + i);
            }
            if (logit > max) {
                max = logit;
                best = i;
            }
        }
        if (best < 0 || max == Float.POSITIVE_INFINITY) {
            throw new IllegalStateException("the model gave no finite largest logit");
        }
        return best;
    }

    /** A number from [0, 1): the finalizer of SplitMix64 over seed and position (Steele, Lea, Flood 2014). */
    private static double uniform(long seed, int position) {
        long z = mix(seed) + (position + 1L) * 0x9E3779B97F4A7C15L;
        return (mix(z) >>> 11) * 0x1.0p-53;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
