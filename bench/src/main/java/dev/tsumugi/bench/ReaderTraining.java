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
import java.util.Random;

/**
 * Trains the adapter {@code grounded-reader}: to answer with the words of a passage, and to say so when the passage does not hold the answer. As
 * many questions of one kind as of the other, half of them with passages beside that do not answer them either.
 */
final class ReaderTraining {
    private static final int DISTRACTORS = 2;
    private static final int HELD_EXAMPLES = 60;

    private final Path model;
    private final TrainingResources resources;

    ReaderTraining(Path model, TrainingResources resources) {
        this.model = model;
        this.resources = resources;
    }

    /** Rank 8 of rsLoRA on all linear layers: below 5 MB in 16 bits on the default model. */
    static TrainingSettings settings(int epochs) {
        return TrainingSettings.defaults().toBuilder()
                .rank(8)
                .alpha(16)
                .rankStabilized(true)
                .learningRate(4e-4)
                .warmUpSteps(8)
                .microBatchTokens(1024)
                .gradientAccumulation(4)
                .epochs(epochs)
                .evaluateEverySteps(40)
                .build();
    }

    /**
     * @param questions the last article of which is held back for validation
     * @param examples to train on, at most
     * @return what came of it; the adapter is in {@code folder}
     */
    TrainingOutcome run(List<SquadQuestion> questions, int examples, int epochs, Path folder) {
        int held = questions.getLast().article();
        try (LoraTraining training = LoraTraining.open(model, settings(epochs), resources)) {
            List<TrainingSequence> train = sequences(
                    training,
                    balanced(questions.stream().filter(q -> q.article() != held).toList(), examples),
                    questions);
            List<TrainingSequence> validation = sequences(
                    training,
                    balanced(questions.stream().filter(q -> q.article() == held).toList(), HELD_EXAMPLES),
                    questions);
            return training.run(train, validation, folder, new Log());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<SquadQuestion> balanced(List<SquadQuestion> questions, int count) {
        List<SquadQuestion> shuffled = new ArrayList<>(questions);
        Collections.shuffle(shuffled, new Random(7));
        List<SquadQuestion> chosen = new ArrayList<>();
        for (boolean answerable : new boolean[] {true, false}) {
            shuffled.stream()
                    .filter(q -> q.answerable() == answerable)
                    .limit(count / 2)
                    .forEach(chosen::add);
        }
        return chosen;
    }

    private List<TrainingSequence> sequences(
            LoraTraining training, List<SquadQuestion> questions, List<SquadQuestion> all) {
        ReaderPrompts prompts =
                new ReaderPrompts(training.text().tokenizer(), training.config().hiddenSize());
        Random random = new Random(11);
        List<TrainingSequence> sequences = new ArrayList<>();
        for (SquadQuestion question : questions) {
            List<String> others = random.nextBoolean() ? List.of() : distractors(question, all, random);
            List<ChatMessage> messages = prompts.messages(question, others);
            String read = messages.getLast().content();
            String answer = question.answerable()
                    ? question.answers().stream()
                            .min(Comparator.comparing(String::length))
                            .orElseThrow()
                    : Refusals.inLanguageOf(question.question());
            // What was cut from the passage must not be asked for.
            if (!question.answerable() || read.contains(answer)) {
                sequences.add(training.sequence(question.id(), messages, answer));
            }
        }
        return sequences;
    }

    private static List<String> distractors(SquadQuestion question, List<SquadQuestion> all, Random random) {
        List<String> others = all.stream()
                .filter(q -> q.article() == question.article())
                .map(SquadQuestion::passage)
                .distinct()
                .filter(passage -> !passage.equals(question.passage()))
                .filter(passage -> question.answers().stream().noneMatch(passage::contains))
                .toList();
        List<String> chosen = new ArrayList<>();
        for (int i = 0; i < DISTRACTORS && !others.isEmpty(); i++) {
            chosen.add(others.get(random.nextInt(others.size())));
        }
        return chosen;
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
