package dev.tsumugi.bench;

import dev.tsumugi.bench.ReaderEvaluation.Result;
import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSettings;
import dev.tsumugi.platform.grounding.RefusalBias;
import dev.tsumugi.platform.grounding.RefusalBias.Asked;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Trains {@code grounded-reader} on questions in the format of SQuAD 2.0, goes on where it was interrupted, and measures it, and the model alone,
 * on others.
 */
final class ReaderSuite implements Suite {
    private static final double CURVE = 3;

    private final @Nullable Path path;
    private final String backend;
    private final int threads;
    private final Path data;
    private final Path validation;
    private final Path folder;
    private final int examples;
    private final int steps;
    private final int questions;

    /**
     * @param data to train on
     * @param validation to measure on
     * @param folder for checkpoints and the adapter, in its subfolder {@code grounded-reader}
     * @param examples to train on, at most
     * @param steps of training
     * @param questions to measure on, at most
     */
    ReaderSuite(
            @Nullable Path path,
            String backend,
            int threads,
            Path data,
            Path validation,
            Path folder,
            int examples,
            int steps,
            int questions) {
        this.path = path;
        this.backend = backend;
        this.threads = threads;
        this.data = data;
        this.validation = validation;
        this.folder = folder;
        this.examples = examples;
        this.steps = steps;
        this.questions = questions;
    }

    @Override
    public String name() {
        return "reader";
    }

    @Override
    public String description() {
        return "Reader: trained on " + data + ", measured on " + validation + " with the passage given, and found";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Path model = path == null ? Downloads.inDefaultCache().languageModel() : path;
        List<SquadQuestion> learned = SquadQuestion.read(data);
        TrainingResources resources =
                TrainingResources.defaults().withBackend(backend).withThreads(threads);
        TrainingOutcome outcome = new ReaderTraining(model, resources).run(learned, examples, steps, folder);
        List<SquadQuestion> all = SquadQuestion.read(validation);
        List<SquadQuestion> asked = new ArrayList<>(all);
        Collections.shuffle(asked, new Random(3));
        asked = asked.subList(0, Math.min(questions, asked.size()));
        Path adapter = folder.resolve("grounded-reader");
        ModelOptions options = ModelOptions.defaults().withBackend(backend).withThreads(threads);
        try (ReaderEvaluation evaluation = new ReaderEvaluation(model, options)) {
            round(model, outcome.adapter(), adapter);
            List<Asked> leanings = evaluation.lean(
                    adapter, learned.stream().filter(ReaderTraining::isHeldBack).toList());
            double bias = RefusalBias.tuned(leanings);
            annotate(adapter, bias);
            figures.accept(new Figure(
                    "refusal bias, tuned on " + leanings.size() + " questions held back",
                    "logits",
                    new double[] {bias},
                    threads,
                    -1));
            report("model alone", evaluation.measure(null, asked, ReaderPrompts::own), figures);
            report("grounded-reader", evaluation.measure(adapter, asked, ReaderPrompts::own), figures);
            PassageSearch search = new PassageSearch(all);
            report("model alone, passages found", evaluation.measure(null, asked, search::find), figures);
            report("grounded-reader, passages found", evaluation.measure(adapter, asked, search::find), figures);
            List<Asked> curve = evaluation.lean(adapter, asked);
            for (double shift = -CURVE; shift <= CURVE; shift++) {
                RefusalBias.Outcome point = RefusalBias.outcome(curve, bias + shift);
                String at = String.format(Locale.ROOT, "refusal bias %+.0f: ", shift);
                figures.accept(figure(at + "F1", point.f1()));
                figures.accept(figure(at + "right refusals", point.rightRefusals()));
            }
        }
    }

    private static void round(Path model, Path from, Path to) {
        TrainingSettings settings = ReaderTraining.settings(1);
        RoundedAdapter.write(
                from,
                to,
                new PeftWriter.Settings(
                        String.valueOf(model.getFileName()),
                        settings.rank(),
                        settings.alpha(),
                        settings.rankStabilized()));
    }

    private static void annotate(Path adapter, double bias) {
        try {
            PeftWriter.annotate(adapter, RefusalBias.metadata(bias));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void report(String who, Result result, Consumer<Figure> figures) {
        figures.accept(figure(who + ": F1 of " + result.answerable() + " answerable questions", result.f1()));
        figures.accept(figure(
                who + ": right refusals of " + result.unanswerable() + " unanswerable questions",
                result.rightRefusals()));
        figures.accept(figure(who + ": answerable questions refused", result.wrongRefusals()));
    }

    private Figure figure(String what, double value) {
        return new Figure(what, "of 1", new double[] {value}, threads, -1);
    }
}
