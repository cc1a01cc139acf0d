package dev.tsumugi.platform.grounding;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * How readily an adapter refuses: a number that is added to the logit of the first token of the refusal when the first token of an answer is
 * chosen. For a greedy answer this is a threshold on the log-odds of refusing, {@link #tuned tuned} on questions that the adapter was not trained
 * on, and costs nothing. The adapter carries it in its weights' file, so that its digest covers it.
 */
public final class RefusalBias {
    /** In the metadata of {@code adapter_model.safetensors}. */
    public static final String KEY = "tsumugi.refusal_bias";

    private static final float LARGEST = 30;
    private static final int FEWEST = 20;
    private static final double REFUSALS = 1.5;

    private RefusalBias() {}

    /**
     * A question whose answer is known.
     *
     * @param supported whether the passages support the answer that comes if the model may not refuse; if not, it becomes a refusal anyway
     * @param margin logit of the first token of the refusal, less the largest logit of another token
     * @param f1 of that answer; 0 for a question without an answer
     */
    public record Asked(boolean answerable, boolean supported, double margin, double f1) {}

    /**
     * What comes of a bias.
     *
     * @param f1 mean over the questions that have an answer; a refusal counts 0
     * @param rightRefusals share of the other questions that are refused
     * @param wrongRefusals share of the questions that have an answer and are refused
     */
    public record Outcome(double bias, double f1, double rightRefusals, double wrongRefusals) {
        /**
         * Weighted harmonic mean of both sides, the F-measure of van Rijsbergen: a model that always answers, or never, is worth nothing. Right
         * refusals count one and a half times as much, for a reader who is shown the closest passage loses less than one who believes a wrong
         * answer.
         */
        public double balance() {
            double weight = REFUSALS * REFUSALS;
            return f1 + rightRefusals == 0 ? 0 : (1 + weight) * f1 * rightRefusals / (weight * f1 + rightRefusals);
        }
    }

    /**
     * @param metadata of an adapter
     * @return 0 when it names none
     * @throws IllegalArgumentException when it names something else than a number from -30 to 30
     */
    public static float of(Map<String, String> metadata) {
        String text = metadata.get(KEY);
        if (text == null) {
            return 0;
        }
        float bias;
        try {
            bias = Float.parseFloat(text);
        } catch (NumberFormatException e) {
            bias = Float.NaN;
        }
        if (!(Math.abs(bias) <= LARGEST)) {
            throw new IllegalArgumentException(KEY + " is '" + text.substring(0, Math.min(40, text.length()))
                    + "'; it must be a number from -30 to 30");
        }
        return bias;
    }

    /** What to write into the metadata of an adapter. */
    public static Map<String, String> metadata(double bias) {
        return Map.of(KEY, Float.toString((float) bias));
    }

    /**
     * The bias of the first token of an answer, by the id of the token.
     *
     * @param encode tokens of a text inside a message
     */
    public static Map<Integer, Float> firstToken(String question, double bias, Function<String, int[]> encode) {
        return bias == 0 ? Map.of() : Map.of(encode.apply(Refusals.inLanguageOf(question))[0], (float) bias);
    }

    /** Whether there are enough questions of either kind to tune with: fewer would leave it to chance. */
    public static boolean canBeTuned(long answerable, long unanswerable) {
        return Math.min(answerable, unanswerable) >= FEWEST;
    }

    public static Outcome outcome(List<Asked> asked, double bias) {
        double f1 = 0;
        int answerable = 0;
        int right = 0;
        int wrong = 0;
        for (Asked question : asked) {
            boolean refused = !question.supported() || question.margin() + bias > 0;
            if (question.answerable()) {
                answerable++;
                wrong += refused ? 1 : 0;
                f1 += refused ? 0 : question.f1();
            } else {
                right += refused ? 1 : 0;
            }
        }
        return new Outcome(
                bias,
                f1 / Math.max(1, answerable),
                (double) right / Math.max(1, asked.size() - answerable),
                (double) wrong / Math.max(1, answerable));
    }

    /** The bias with the best balance, of several the one nearest to 0; 0 when there are less than 20 questions of either kind. */
    public static double tuned(List<Asked> asked) {
        long answerable = asked.stream().filter(Asked::answerable).count();
        if (!canBeTuned(answerable, asked.size() - answerable)) {
            return 0;
        }
        return asked.stream()
                .flatMap(question -> List.of(0.0, 0.01 - question.margin(), -0.01 - question.margin()).stream())
                .filter(bias -> Math.abs(bias) <= LARGEST)
                .map(bias -> outcome(asked, bias))
                .max(Comparator.comparingDouble(Outcome::balance).thenComparing(outcome -> -Math.abs(outcome.bias())))
                .orElseThrow()
                .bias();
    }
}
