package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.TrainingListener;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingRefusedException;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSequence;
import dev.tsumugi.engine.train.TrainingSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.springframework.util.FileSystemUtils;

/** Finds the best settings of a sweep. Every finished trial is written down, so that a resumed job does not repeat it. */
final class SweepRunner {
    private final JobStore store;
    private final Path model;
    private final TrainingResources resources;

    SweepRunner(JobStore store, Path model, TrainingResources resources) {
        this.store = store;
        this.model = model;
        this.resources = resources;
    }

    /** The examples as a model reads them. */
    record Data(List<TrainingSequence> train, List<TrainingSequence> validation) {}

    /**
     * @param folder for checkpoints of trials
     * @param data made for one training; the same for all, for none of the settings changes a token
     * @throws TrainingRefusedException when nothing can be compared
     */
    JobSettings choose(RunningJob running, Job job, Sweep sweep, Path folder, Function<LoraTraining, Data> data)
            throws IOException {
        List<JobSettings> combinations = sweep.combinations(job.settings());
        List<Trial> trials = new ArrayList<>(job.trials());
        List<Integer> left =
                new ArrayList<>(IntStream.range(0, combinations.size()).boxed().toList());
        int total = left.size();
        for (int n = Math.ceilDiv(total, 2); n > 1; n = Math.ceilDiv(n, 2)) {
            total += n;
        }
        int steps = sweep.firstSteps();
        for (int round = 1; left.size() > 1; round++) {
            for (int combination : left) {
                if (find(trials, round, combination).isEmpty()) {
                    running.progress(JobState.TRAINING, JobProgress.of(trials.size(), total));
                    trials.add(run(
                            running,
                            round,
                            combination,
                            Sweep.forTrial(combinations.get(combination), steps),
                            folder.resolve("trial-" + round + "-" + combination),
                            data));
                    store.trials(running.tenant(), running.id(), trials);
                }
            }
            left = better(trials, round, left);
            steps *= 2;
        }
        return combinations.get(left.getFirst());
    }

    private Trial run(
            RunningJob running,
            int round,
            int combination,
            TrainingSettings settings,
            Path folder,
            Function<LoraTraining, Data> data)
            throws IOException {
        try (LoraTraining training = LoraTraining.open(model, settings, resources)) {
            Data examples = data.apply(training);
            if (examples.validation().isEmpty()) {
                throw new TrainingRefusedException(
                        TrainingRefusedException.Reason.EMPTY,
                        "The validation split is empty, so settings cannot be compared; add examples that rest on more documents");
            }
            long parameters = training.trainableParameters();
            long memory = training.forecast().total();
            try {
                TrainingOutcome outcome =
                        training.run(examples.train(), examples.validation(), folder, new TrialListener(running));
                if (outcome.end() == TrainingOutcome.End.STOPPED) {
                    running.throwIfStopped();
                    throw new StopException(StopException.Reason.SHUTDOWN);
                }
                double loss = outcome.evaluations().getLast().loss();
                return Trial.of(round, combination, settings, loss, parameters, memory, null);
            } catch (TrainingRefusedException e) {
                if (e.reason() != TrainingRefusedException.Reason.DIVERGED) {
                    throw e;
                }
                return Trial.of(round, combination, settings, null, parameters, memory, e.getMessage());
            }
        } catch (TrainingRefusedException e) {
            if (e.reason() != TrainingRefusedException.Reason.MEMORY) {
                throw e;
            }
            return Trial.of(round, combination, settings, null, 0, 0, e.getMessage());
        } finally {
            FileSystemUtils.deleteRecursively(folder);
        }
    }

    private static Optional<Trial> find(List<Trial> trials, int round, int combination) {
        return trials.stream()
                .filter(trial -> trial.round() == round && trial.combination() == combination)
                .findFirst();
    }

    /** The better half, those without a loss never. */
    private static List<Integer> better(List<Trial> trials, int round, List<Integer> tried) {
        List<Trial> measured = trials.stream()
                .filter(trial -> trial.round() == round && trial.loss() != null)
                .sorted(Comparator.comparingDouble(SweepRunner::lossOf).thenComparing(Trial::combination))
                .toList();
        if (measured.isEmpty()) {
            throw new TrainingRefusedException(
                    TrainingRefusedException.Reason.DIVERGED,
                    "None of the settings of the sweep can be trained; the table of trials says why");
        }
        return measured.stream()
                .limit(Math.ceilDiv(tried.size(), 2))
                .map(Trial::combination)
                .toList();
    }

    private static double lossOf(Trial trial) {
        return trial.loss() == null ? Double.POSITIVE_INFINITY : trial.loss();
    }

    /** @param running the job that the trial belongs to */
    private record TrialListener(RunningJob running) implements TrainingListener {
        @Override
        public boolean stopRequested() {
            return running.mustStop();
        }

        @Override
        public void beforeMicroBatch() {
            running.yieldToServing();
        }
    }
}
