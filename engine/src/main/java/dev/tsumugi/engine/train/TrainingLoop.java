package dev.tsumugi.engine.train;

import dev.tsumugi.engine.train.Objective.Stop;
import dev.tsumugi.engine.train.TrainingListener.EvaluationReport;
import dev.tsumugi.engine.train.TrainingListener.StepReport;
import dev.tsumugi.engine.train.TrainingOutcome.End;
import dev.tsumugi.engine.train.TrainingRefusedException.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** One run: step after step, with evaluations, checkpoints and an early end. */
final class TrainingLoop {
    /** Between checkpoints that no evaluation asks for; what a sudden end costs at most. */
    private static final Duration CHECKPOINT_EVERY = Duration.ofSeconds(60);

    private final Objective objective;
    private final LoraParameters parameters;
    private final Optimizer optimizer;
    private final TrainingSettings settings;
    private final Checkpoint checkpoint;
    private final Progress progress;
    private final Path best;
    private final String baseModel;
    private final TrainingListener listener;
    private final StepPlan plan;
    private long lastCheckpoint = System.nanoTime();
    private double secondsPerToken;

    TrainingLoop(
            Objective objective,
            LoraParameters parameters,
            Optimizer optimizer,
            TrainingSettings settings,
            Checkpoint checkpoint,
            Progress progress,
            Path best,
            String baseModel,
            TrainingListener listener) {
        this.objective = objective;
        this.parameters = parameters;
        this.optimizer = optimizer;
        this.settings = settings;
        this.checkpoint = checkpoint;
        this.progress = progress;
        this.best = best;
        this.baseModel = baseModel;
        this.listener = listener;
        plan = objective.plan();
    }

    TrainingOutcome run() throws IOException {
        try {
            evaluateWhenDue();
            while (progress.step() < plan.count() && !endsEarly()) {
                step(progress.step() + 1);
                evaluateWhenDue();
            }
        } catch (Stop e) {
            checkpoint.save(progress, parameters, optimizer);
            return outcome(End.STOPPED);
        }
        return outcome(progress.step() < plan.count() ? End.EARLY : End.COMPLETED);
    }

    private boolean endsEarly() {
        return settings.patience() > 0 && progress.withoutBetter >= settings.patience();
    }

    private TrainingOutcome outcome(End end) throws IOException {
        if (!objective.hasValidation() && progress.step() > 0) {
            progress.bestStep = progress.step();
            writeBest();
        }
        return new TrainingOutcome(
                end,
                progress.step(),
                List.copyOf(progress.losses),
                List.copyOf(progress.evaluations),
                progress.bestStep,
                best,
                objective.tooLong(),
                objective.withoutTargets());
    }

    private void step(int step) throws IOException, Stop {
        long start = System.nanoTime();
        parameters.clearGradients();
        Objective.Sum sum = objective.gradients(step, i -> dropoutSeed(step, i), this::pause);
        double loss = sum.loss() / sum.targets();
        double rate = LearningRate.of(
                settings.schedule(), settings.learningRate(), settings.warmUpSteps(), plan.count(), step);
        double norm = update(step, loss, rate);
        progress.losses.add(loss);
        double seconds = (System.nanoTime() - start) / 1e9;
        double each = seconds / sum.tokens();
        secondsPerToken = secondsPerToken == 0 ? each : 0.9 * secondsPerToken + 0.1 * each;
        listener.stepped(new StepReport(
                step,
                plan.count(),
                plan.epochs().get(step - 1),
                loss,
                rate,
                norm,
                sum.tokens(),
                sum.tokens() / seconds,
                Duration.ofMillis((long) (1000 * secondsPerToken * objective.tokensBehind(step)))));
    }

    /** Clips and applies the gradients of a step. */
    private double update(int step, double loss, double rate) {
        double norm = parameters.gradientNorm();
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            throw new TrainingRefusedException(
                    Reason.DIVERGED,
                    "in step " + step + " the loss is " + loss + " and the gradient's norm " + norm
                            + "; lower the learning rate, or warm up longer, and look at the examples of this step");
        }
        double clip = settings.clipNorm();
        double factor = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
        optimizer.step(parameters.values(), parameters.gradients(), factor, step, rate);
        return norm;
    }

    /** Different for each micro-batch, and 0 without dropout. */
    private int dropoutSeed(int step, int microBatch) {
        if (settings.dropout() == 0) {
            return 0;
        }
        int seed = Long.hashCode(settings.seed() * 0x9E3779B97F4A7C15L + (long) step * 65_537 + microBatch);
        return seed == 0 ? 1 : seed;
    }

    private void pause() throws Stop {
        listener.beforeMicroBatch();
        if (listener.stopRequested()) {
            throw new Stop();
        }
    }

    /** After the step that is done, unless a run before has done it; before the first step the base model is measured. */
    private void evaluateWhenDue() throws IOException, Stop {
        int step = progress.step();
        boolean due = step == 0
                || step == plan.count()
                || (settings.evaluateEverySteps() == 0
                        ? plan.endsEpoch(step)
                        : step % settings.evaluateEverySteps() == 0);
        boolean done = !progress.evaluations.isEmpty()
                && progress.evaluations.getLast().step() == step;
        if (due && !done && objective.hasValidation()) {
            evaluateAndKeep(step);
        } else if (System.nanoTime() - lastCheckpoint > CHECKPOINT_EVERY.toNanos() || step == plan.count()) {
            save();
        }
    }

    private void evaluateAndKeep(int step) throws IOException, Stop {
        double loss = objective.validate(this::pause);
        boolean better = step > 0 && loss < progress.bestLoss;
        if (better) {
            progress.bestLoss = loss;
            progress.bestStep = step;
            progress.withoutBetter = 0;
            writeBest();
        } else if (step > 0) {
            progress.withoutBetter++;
        }
        report(new EvaluationReport(step, loss, better));
        save();
    }

    private void report(EvaluationReport report) {
        progress.evaluations.add(report);
        listener.evaluated(report);
    }

    private void save() throws IOException {
        checkpoint.save(progress, parameters, optimizer);
        lastCheckpoint = System.nanoTime();
    }

    /** Written beside and then put in place, so that there is a whole one at any time but for a moment. */
    private void writeBest() throws IOException {
        Path next = best.resolveSibling(best.getFileName() + ".next");
        delete(next);
        parameters.write(next, baseModel);
        objective.write(next);
        delete(best);
        Files.move(next, best);
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
