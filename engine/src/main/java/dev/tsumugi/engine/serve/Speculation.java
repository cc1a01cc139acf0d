package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.serve.Scheduler.Share;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Decides how many guessed tokens a decoding step verifies besides the tokens it computes anyway. Each row more costs time and brings a token
 * with the probability that it and all before it are right; the number of rows is the one with the most tokens per time, which is none when
 * guesses fail or the batch is wide enough already.
 *
 * <p>Lossless (Leviathan, Kalman, Matias, arXiv 2211.17192, for a guess that is certain of itself): the sampler draws the token of each
 * row from the model's own distribution p as if nothing had been guessed, and the rows behind it count only when it drew the guess. So a guess
 * is accepted with probability p(guess), what stands in its place otherwise follows p without the guess, and the same seed draws the same
 * tokens with and without speculation.
 */
final class Speculation {
    /** Wider steps are not sped up. */
    private static final int MOST_ROWS = 64;

    private final int mostGuesses;
    private final int alikeRows;
    /** Steps within {@link #alikeRows}, and wider ones, which other kernels compute. */
    private final StepCost narrow = new StepCost();

    private final StepCost wide = new StepCost();

    /**
     * @param mostGuesses for one sequence in one step; 0: none
     * @param alikeRows a step of up to so many rows computes each as if it were alone: guessing never leads beyond that, so that it changes no
     *     rounding
     */
    Speculation(int mostGuesses, int alikeRows) {
        this.mostGuesses = mostGuesses;
        this.alikeRows = alikeRows;
    }

    /** A guessed token of share {@code index}, and the probability that it will be used. */
    private record Guess(int index, double probability) {}

    /** Whether all sequences of a step are decoding; only such steps are measured and sped up. */
    boolean appliesTo(List<Share> shares) {
        return mostGuesses > 0
                && !shares.isEmpty()
                && shares.size() <= MOST_ROWS
                && shares.stream().allMatch(share -> share.count() == 1 && share.yieldsToken());
    }

    /** How many guesses each share of a decoding step should verify. */
    int[] guesses(List<Share> shares) {
        int rows = shares.size();
        int most = (rows <= alikeRows ? Math.min(alikeRows, MOST_ROWS) : MOST_ROWS) - rows;
        List<Guess> guesses = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            Sequence sequence = shares.get(i).sequence();
            int count = sequence.guess(mostGuesses);
            double probability = 1;
            for (int g = 0; g < count; g++) {
                probability *= sequence.guessProbability(g);
                guesses.add(new Guess(i, probability));
            }
        }
        guesses.sort(Comparator.comparingDouble(Guess::probability).reversed());
        int[] chosen = new int[rows];
        guesses.subList(0, worthwhile(guesses, rows, most)).forEach(guess -> chosen[guess.index()]++);
        return chosen;
    }

    private int worthwhile(List<Guess> guesses, int rows, int most) {
        StepCost cost = cost(rows);
        double tokens = rows;
        double bestRate = tokens / cost.of(rows);
        int best = 0;
        for (int extra = 1; extra <= Math.min(most, guesses.size()); extra++) {
            tokens += guesses.get(extra - 1).probability();
            double rate = tokens / cost.of(rows + extra);
            if (rate > bestRate) {
                bestRate = rate;
                best = extra;
            }
        }
        return best;
    }

    /** Counts how long a decoding step took. */
    void measured(int rows, long nanos) {
        cost(rows).record(rows, nanos);
    }

    private StepCost cost(int rows) {
        return rows <= alikeRows ? narrow : wide;
    }
}
