package dev.tsumugi.bench;

import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.TrainingListener;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSequence;
import dev.tsumugi.engine.train.TrainingSettings;
import dev.tsumugi.platform.grounding.Refusals;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;

/**
 * Trains the adapter {@code grounded-reader}: to answer with the words of a passage, and to say so when the passage does not hold the answer.
 * Every fifth article is held back: it says how training goes, and how readily the adapter is to refuse.
 */
final class ReaderTraining {
    private static final double UNANSWERABLE = 0.42;
    /** Of the questions to train on: how many are asked with passages beside their own. */
    private static final double AMONG_OTHERS = 0.35;

    private static final int HELD_EXAMPLES = 120;

    private final Path model;
    private final TrainingResources resources;

    ReaderTraining(Path model, TrainingResources resources) {
        this.model = model;
        this.resources = resources;
    }

    /** Rank 8 of rsLoRA on all linear layers: below 5 MB in 16 bits on the default model. */
    static TrainingSettings settings(int steps) {
        return TrainingSettings.defaults().toBuilder()
                .rank(8)
                .alpha(16)
                .rankStabilized(true)
                .learningRate(6e-4)
                .warmUpSteps(10)
                .microBatchTokens(1024)
                .gradientAccumulation(2)
                .epochs(100)
                .maxSteps(steps)
                .evaluateEverySteps(60)
                .build();
    }

    static boolean isHeldBack(SquadQuestion question) {
        return question.article() % 5 == 4;
    }

    /**
     * @param examples to train on, at most
     * @param steps of about 2,000 tokens
     * @return what came of it; the adapter is in {@code folder}
     */
    TrainingOutcome run(List<SquadQuestion> questions, int examples, int steps, Path folder) {
        try (LoraTraining training = LoraTraining.open(model, settings(steps), resources)) {
            List<TrainingSequence> train = sequences(training, questions, false, examples, UNANSWERABLE, AMONG_OTHERS);
            List<TrainingSequence> validation = sequences(training, questions, true, HELD_EXAMPLES, 0.5, 0);
            return training.run(train, validation, folder, new Log());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<TrainingSequence> sequences(
            LoraTraining training,
            List<SquadQuestion> questions,
            boolean heldBack,
            int count,
            double unanswerableShare,
            double amongOthers) {
        ReaderPrompts prompts =
                new ReaderPrompts(training.text().tokenizer(), training.config().hiddenSize());
        List<SquadQuestion> shuffled = new ArrayList<>(questions.stream()
                .filter(question -> isHeldBack(question) == heldBack)
                .toList());
        Collections.shuffle(shuffled, new Random(7));
        Random random = new Random(11);
        int unanswerable = (int) Math.round(count * unanswerableShare);
        int answerable = count - unanswerable;
        List<TrainingSequence> sequences = new ArrayList<>();
        for (SquadQuestion question : shuffled) {
            if ((question.answerable() ? answerable : unanswerable) == 0) {
                continue;
            }
            List<ChatMessage> messages =
                    prompts.messages(question, ReaderPrompts.asIfFound(question, questions, amongOthers, random));
            Optional<String> answer = answer(question, messages);
            if (answer.isPresent()) {
                answerable -= question.answerable() ? 1 : 0;
                unanswerable -= question.answerable() ? 0 : 1;
                sequences.add(training.sequence(question.id(), messages, answer.get()));
            }
        }
        return sequences;
    }

    /**
     * Of several answers the one that has most in common with the others, without its article: what begins with "The" is a refusal. Empty when
     * none stands in what is read of the passage: what was cut must not be asked for.
     */
    private static Optional<String> answer(SquadQuestion question, List<ChatMessage> messages) {
        if (!question.answerable()) {
            return Optional.of(Refusals.inLanguageOf(question.question()));
        }
        String read = messages.getLast().content();
        return question.answers().stream()
                .filter(read::contains)
                .max(Comparator.comparingDouble((String answer) -> agreement(answer, question.answers()))
                        .thenComparing(answer -> -answer.length()))
                .map(answer -> answer.replaceFirst("^(?i)(the|an|a) ", ""));
    }

    private static double agreement(String answer, List<String> answers) {
        return answers.stream()
                .mapToDouble(other -> ReaderEvaluation.f1(answer, other))
                .sum();
    }

    private static final class Log implements TrainingListener {
        @Override
        public void stepped(StepReport r) {
            System.err.printf(
                    Locale.ROOT,
                    "step %d of %d, epoch %d: loss %.4f, rate %.2e, gradient norm %.2f, %.0f tok/s, %d min left%n",
                    r.step(),
                    r.steps(),
                    r.epoch(),
                    r.loss(),
                    r.learningRate(),
                    r.gradientNorm(),
                    r.tokensPerSecond(),
                    r.remaining().toMinutes());
        }

        @Override
        public void evaluated(EvaluationReport r) {
            System.err.printf(Locale.ROOT, "validation loss %.4f after step %d%n", r.loss(), r.step());
        }

        @Override
        public void leftOut(int tooLong, int withoutTargets) {
            System.err.println(tooLong + " examples are too long and left out");
        }
    }
}
