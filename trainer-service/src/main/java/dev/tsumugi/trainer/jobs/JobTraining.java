package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.TrainingListener;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSequence;
import dev.tsumugi.platform.prompt.QuestionTooLongException;
import dev.tsumugi.trainer.base.BaseModel;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.prompts.ExamplePrompts;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.client.RestClient;
import tools.jackson.databind.json.JsonMapper;

/** The second stage of a job: an adapter is trained, after a sweep where one is wanted. */
final class JobTraining {
    private static final Logger log = LoggerFactory.getLogger(JobTraining.class);

    private final JobStore store;
    private final BaseModel base;
    private final RestClient embedService;
    private final TrainerProperties properties;
    private final JsonMapper json;

    JobTraining(
            JobStore store, BaseModel base, RestClient embedService, TrainerProperties properties, JsonMapper json) {
        this.store = store;
        this.base = base;
        this.embedService = embedService;
        this.properties = properties;
        this.json = json;
    }

    /**
     * Trains, or goes on where it was interrupted.
     *
     * @param folder of the job
     * @param checkpoint where the training leaves its state, and the best adapter
     */
    void train(RunningJob running, Job job, List<SetMember> members, Path folder, Path checkpoint, List<String> notes)
            throws IOException {
        running.progress(JobState.TRAINING, JobProgress.of(0, 0));
        TrainingResources resources = new TrainingResources(
                properties.backend(), properties.threads(), properties.memory().toBytes());
        JobSettings settings = job.settings();
        Sweep sweep = settings.sweep();
        if (sweep != null) {
            settings = new SweepRunner(store, base.locate().path(), resources)
                    .choose(
                            running,
                            job,
                            sweep,
                            folder,
                            training -> new SweepRunner.Data(
                                    sequences(training, Split.TRAIN.among(members), new ArrayList<>()),
                                    sequences(training, Split.VALIDATION.among(members), new ArrayList<>())));
            notes.add("The best settings of the sweep are " + json.writeValueAsString(settings) + ".");
        }
        try (LoraTraining training = LoraTraining.open(base.locate().path(), settings.training(), resources)) {
            store.forecast(running.tenant(), running.id(), training.forecast());
            TrainingOutcome outcome = settings.isRagSequence()
                    ? new RagSequence(embedService, members, job.settings().passages(), folder, running)
                            .train(
                                    training,
                                    settings.training().seed(),
                                    checkpoint,
                                    new Listener(running, notes),
                                    notes)
                    : train(running, training, members, checkpoint, notes);
            store.notes(running.tenant(), running.id(), notes);
            if (outcome.end() == TrainingOutcome.End.STOPPED) {
                running.throwIfStopped();
                throw new StopException(StopException.Reason.SHUTDOWN);
            }
        }
    }

    private TrainingOutcome train(
            RunningJob running, LoraTraining training, List<SetMember> members, Path checkpoint, List<String> notes)
            throws IOException {
        List<TrainingSequence> learned = sequences(training, Split.TRAIN.among(members), notes);
        List<TrainingSequence> chosenBy = sequences(training, Split.VALIDATION.among(members), notes);
        store.notes(running.tenant(), running.id(), notes);
        return training.run(learned, chosenBy, checkpoint, new Listener(running, notes));
    }

    private static List<TrainingSequence> sequences(
            LoraTraining training, List<SetMember> members, List<String> notes) {
        ExamplePrompts prompts = new ExamplePrompts(training.text(), training.config());
        List<TrainingSequence> sequences = new ArrayList<>();
        int tooLong = 0;
        for (SetMember member : members) {
            Example example = member.example();
            try {
                List<ChatMessage> messages = prompts.messages(example);
                sequences.add(training.sequence(example.id(), messages, ExamplePrompts.answer(example)));
            } catch (QuestionTooLongException e) {
                tooLong++;
            }
        }
        if (tooLong > 0) {
            notes.add(tooLong + " examples are left out: their questions leave no room for a passage.");
        }
        return sequences;
    }

    /** Writes down how training goes. */
    private final class Listener implements TrainingListener {
        private final RunningJob running;
        private final List<String> notes;

        Listener(RunningJob running, List<String> notes) {
            this.running = running;
            this.notes = notes;
        }

        @Override
        public void stepped(StepReport report) {
            store.loss(
                    running.tenant(),
                    running.id(),
                    "train",
                    new Job.Loss(report.step(), report.loss(), report.learningRate()));
            reportProgress(new JobProgress(
                    report.step(),
                    report.steps(),
                    report.epoch(),
                    report.tokensPerSecond(),
                    report.remaining().toSeconds()));
        }

        /** A stop must come through {@link #stopRequested}, so that training saves where it stands. */
        private void reportProgress(JobProgress progress) {
            try {
                running.progress(JobState.TRAINING, progress);
            } catch (StopException e) {
                log.debug("job {} stops after step {}", running.id(), progress.done());
            }
        }

        @Override
        public void evaluated(EvaluationReport report) {
            store.loss(running.tenant(), running.id(), "validation", new Job.Loss(report.step(), report.loss(), null));
        }

        @Override
        public void leftOut(int tooLong, int withoutTargets) {
            if (tooLong + withoutTargets > 0) {
                notes.add(tooLong + " examples are left out because they have more tokens than a micro-batch, "
                        + withoutTargets + " because no token of theirs can be learned.");
                store.notes(running.tenant(), running.id(), notes);
            }
        }

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
