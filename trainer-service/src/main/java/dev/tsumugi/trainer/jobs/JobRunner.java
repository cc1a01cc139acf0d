package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.TrainingRefusedException;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.adapters.AdapterPublisher;
import dev.tsumugi.trainer.adapters.CurrentAdapters;
import dev.tsumugi.trainer.adapters.PublishedAdapter;
import dev.tsumugi.trainer.adapters.QueryAdapters;
import dev.tsumugi.trainer.base.BaseModel;
import dev.tsumugi.trainer.gate.GateReport;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.TrainingSet;
import dev.tsumugi.trainer.sets.TrainingSets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.util.FileSystemUtils;
import tools.jackson.databind.json.JsonMapper;

/**
 * Runs one job from its set to its verdict. What it has done lies in its folder and its row, so whoever runs it again goes on from there: the
 * contexts as they were fetched, the checkpoint of the training, the report of the gate.
 */
final class JobRunner {
    private static final Logger log = LoggerFactory.getLogger(JobRunner.class);
    private static final int MOST_ATTEMPTS_AFTER_FAILURES = 4;
    private static final String TRAINED = "trained";
    private static final String CHECKPOINT = "checkpoint";

    private final JobStore store;
    private final TrainingSets sets;
    private final ServingLoad load;
    private final BaseModel base;
    private final JobPreparation preparation;
    private final JobTraining training;
    private final JobEvaluation evaluation;
    private final AdapterPublisher publisher;
    private final CurrentAdapters adapters;
    private final QueryAdapters queryAdapters;
    private final JobTracking tracking;
    private final TrainerProperties properties;
    private final JsonMapper json;

    JobRunner(
            JobStore store,
            TrainingSets sets,
            ServingLoad load,
            BaseModel base,
            JobPreparation preparation,
            JobTraining training,
            JobEvaluation evaluation,
            AdapterPublisher publisher,
            CurrentAdapters adapters,
            QueryAdapters queryAdapters,
            JobTracking tracking,
            TrainerProperties properties,
            JsonMapper json) {
        this.store = store;
        this.sets = sets;
        this.load = load;
        this.base = base;
        this.preparation = preparation;
        this.training = training;
        this.evaluation = evaluation;
        this.publisher = publisher;
        this.adapters = adapters;
        this.queryAdapters = queryAdapters;
        this.tracking = tracking;
        this.properties = properties;
        this.json = json;
    }

    /** Whether the queue may forget the job. */
    enum Outcome {
        DONE,
        /** It is to be run again soon. */
        AGAIN
    }

    Outcome run(String tenant, UUID id, BooleanSupplier shutdown) {
        Optional<Integer> attempt = store.begin(tenant, id);
        if (attempt.isEmpty()) {
            return Outcome.DONE;
        }
        RunningJob running = new RunningJob(store, load, shutdown, tenant, id, attempt.get());
        try {
            run(running, store.find(tenant, id).orElseThrow());
        } catch (StopException e) {
            return stopped(running, e.reason());
        } catch (TrainingRefusedException e) {
            finish(running, JobState.REFUSED, sentence(e.getMessage()));
        } catch (ProblemException e) {
            if (e.getStatusCode().is5xxServerError()) {
                return failed(running, e);
            }
            finish(running, JobState.REFUSED, String.valueOf(e.getBody().getDetail()));
        } catch (ModelFileException e) {
            finish(running, JobState.REFUSED, sentence(e.getMessage()));
        } catch (RuntimeException | IOException e) {
            return failed(running, e);
        } catch (OutOfMemoryError e) {
            finish(
                    running,
                    JobState.FAILED,
                    "The trainer ran out of memory. Train with fewer microBatchTokens or a lower rank, or set tsumugi.trainer.memory so that"
                            + " such a job is refused before it begins.");
        }
        return Outcome.DONE;
    }

    private Outcome stopped(RunningJob running, StopException.Reason reason) {
        switch (reason) {
            case CANCELLED -> finish(running, JobState.CANCELLED, "Cancelled.");
            case SHUTDOWN -> {
                store.requeue(
                        running.tenant(), running.id(), running.attempt(), "Its trainer stopped; it goes on later.");
                return Outcome.AGAIN;
            }
            case LOST -> log.warn("Job {} is run by another trainer now", running.id());
        }
        return Outcome.DONE;
    }

    private Outcome failed(RunningJob running, Exception e) {
        log.error("Job {} failed in attempt {}", running.id(), running.attempt(), e);
        String message = "It failed: " + e + ". The log of the trainer has more.";
        if (running.attempt() >= MOST_ATTEMPTS_AFTER_FAILURES) {
            finish(running, JobState.FAILED, message);
            return Outcome.DONE;
        }
        store.requeue(running.tenant(), running.id(), running.attempt(), message + " It will be tried again.");
        return Outcome.AGAIN;
    }

    private void finish(RunningJob running, JobState state, String message) {
        if (store.finish(running.tenant(), running.id(), running.attempt(), state, message)) {
            log.info("Job {} of {}: {}. {}", running.id(), running.tenant(), state, message);
            tracking.finished(running.tenant(), running.id());
            try {
                FileSystemUtils.deleteRecursively(folder(running.id()));
            } catch (IOException e) {
                log.warn("The folder of the finished job {} cannot be deleted", running.id(), e);
            }
        }
    }

    private Path folder(UUID id) {
        return properties.work().resolve(id.toString());
    }

    private void run(RunningJob running, Job job) throws IOException {
        if (!base.isNamed()) {
            throw new TrainingRefusedException(
                    TrainingRefusedException.Reason.SETTINGS,
                    "This trainer has no model: set tsumugi.trainer.model (TSUMUGI_MODEL) to the one that the generator serves");
        }
        UUID set = job.set();
        if (set == null) {
            TrainingSet made = sets.make(running.tenant(), job.settings().set());
            set = made.id();
            store.set(running.tenant(), running.id(), set);
        }
        if (job.schedule() != null
                && store.isRepetition(running.tenant(), running.id(), job.schedule(), set, job.settings())) {
            finish(
                    running,
                    JobState.UNCHANGED,
                    "Neither examples nor settings have changed since the last job of the schedule " + job.schedule()
                            + ".");
            return;
        }
        Path folder = folder(running.id());
        Files.createDirectories(folder);
        List<String> notes = new ArrayList<>();
        List<SetMember> members = preparation.prepare(running, job, set, folder, notes);
        Path checkpoint = folder.resolve(CHECKPOINT);
        if (!Files.exists(folder.resolve(TRAINED))) {
            training.train(running, job, members, folder, checkpoint, notes);
            Files.writeString(folder.resolve(TRAINED), "");
        }
        GateReport report = job.report() == null ? null : json.treeToValue(job.report(), GateReport.class);
        Path candidate = checkpoint.resolve(LoraTraining.BEST);
        if (report == null) {
            report = evaluation.evaluate(running, job, members, folder, candidate, notes);
            store.report(running.tenant(), running.id(), report);
        }
        if (report.promoted()) {
            publish(running, job, candidate, report);
        } else {
            finish(running, JobState.REJECTED, String.join(" ", report.reasons()));
        }
    }

    private void publish(RunningJob running, Job job, Path candidate, GateReport report) throws IOException {
        running.throwIfStopped();
        Map<String, Object> metrics = metrics(report);
        if (job.settings().isRagSequence()) {
            metrics.put(QueryAdapters.METRIC, queryAdapters.store(RagSequence.read(candidate)));
        }
        String tenant = running.tenant();
        PublishedAdapter published = publisher.publish(
                tenant,
                job.adapter(),
                candidate,
                base.locate().digest(),
                json.writeValueAsString(metrics),
                running.id().toString());
        store.candidate(tenant, running.id(), published.digest());
        Optional<String> promoted = adapters.promoted(tenant);
        String answers;
        if (promoted.isEmpty() || promoted.get().equals(job.adapter())) {
            publisher.promote(tenant, job.adapter());
            answers = "It answers from now on.";
        } else {
            answers = "It answers where " + job.adapter() + " is asked for; where none is named, " + promoted.get()
                    + " still does.";
        }
        finish(
                running,
                JobState.PROMOTED,
                "Published as " + job.adapter() + " with the digest " + published.digest() + ". " + answers + " "
                        + String.join(" ", report.reasons()));
    }

    private static Map<String, Object> metrics(GateReport report) {
        Map<String, Object> metrics = new LinkedHashMap<>();
        metrics.put("candidate", report.candidate());
        metrics.put("champion", report.champion());
        metrics.put("answerable", report.answerable());
        metrics.put("unanswerable", report.unanswerable());
        metrics.put("reasons", report.reasons());
        if (report.retrieval() != null) {
            metrics.put("retrieval", report.retrieval());
        }
        return metrics;
    }

    private static String sentence(@Nullable String message) {
        String text = String.valueOf(message);
        String capital =
                text.isEmpty() ? text : text.substring(0, 1).toUpperCase(java.util.Locale.ROOT) + text.substring(1);
        return capital.endsWith(".") ? capital : capital + ".";
    }
}
