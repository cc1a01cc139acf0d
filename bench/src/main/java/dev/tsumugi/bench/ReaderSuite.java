package dev.tsumugi.bench;

import dev.tsumugi.bench.ReaderEvaluation.Result;
import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSettings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Trains {@code grounded-reader} on questions in the format of SQuAD 2.0, goes on where it was interrupted, and measures it, and the model alone,
 * on others.
 */
final class ReaderSuite implements Suite {
    private final @Nullable Path path;
    private final String backend;
    private final int threads;
    private final Path data;
    private final Path validation;
    private final Path folder;
    private final int examples;
    private final int questions;

    /**
     * @param data to train on
     * @param validation to measure on
     * @param folder for checkpoints and the adapter, in its subfolder {@code grounded-reader}
     * @param examples to train on, at most
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
            int questions) {
        this.path = path;
        this.backend = backend;
        this.threads = threads;
        this.data = data;
        this.validation = validation;
        this.folder = folder;
        this.examples = examples;
        this.questions = questions;
    }

    @Override
    public String name() {
        return "reader";
    }

    @Override
    public String description() {
        return "Reader: trained on " + data + ", measured on " + validation + " with the passage given";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Path model = path == null ? Downloads.inDefaultCache().languageModel() : path;
        List<SquadQuestion> asked = new ArrayList<>(SquadQuestion.read(validation));
        Collections.shuffle(asked, new Random(3));
        asked = asked.subList(0, Math.min(questions, asked.size()));
        TrainingResources resources =
                TrainingResources.defaults().withBackend(backend).withThreads(threads);
        TrainingOutcome outcome =
                new ReaderTraining(model, resources).run(SquadQuestion.read(data), examples, 1, folder);
        TrainingSettings settings = ReaderTraining.settings(1);
        Path adapter = folder.resolve("grounded-reader");
        RoundedAdapter.write(
                outcome.adapter(),
                adapter,
                new PeftWriter.Settings(
                        String.valueOf(model.getFileName()),
                        settings.rank(),
                        settings.alpha(),
                        settings.rankStabilized()));
        ModelOptions options = ModelOptions.defaults().withBackend(backend).withThreads(threads);
        report("model alone", ReaderEvaluation.run(model, null, asked, options), figures);
        report("grounded-reader", ReaderEvaluation.run(model, adapter, asked, options), figures);
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
