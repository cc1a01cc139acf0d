package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.TrainingListener;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingRefusedException;
import dev.tsumugi.engine.train.TrainingResources;
import dev.tsumugi.engine.train.TrainingSequence;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.grounding.CitationFinder;
import dev.tsumugi.platform.grounding.RefusalBias;
import dev.tsumugi.platform.prompt.QuestionTooLongException;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.adapters.AdapterPublisher;
import dev.tsumugi.trainer.adapters.CurrentAdapters;
import dev.tsumugi.trainer.adapters.PublishedAdapter;
import dev.tsumugi.trainer.adapters.QueryAdapters;
import dev.tsumugi.trainer.base.BaseModel;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.gate.Evaluation;
import dev.tsumugi.trainer.gate.Gate;
import dev.tsumugi.trainer.gate.GateProperties;
import dev.tsumugi.trainer.gate.GateReport;
import dev.tsumugi.trainer.gate.Measured;
import dev.tsumugi.trainer.prompts.ExamplePrompts;
import dev.tsumugi.trainer.retrieval.Contexts;
import dev.tsumugi.trainer.retrieval.RetrievalRecall;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import dev.tsumugi.trainer.sets.TrainingSet;
import dev.tsumugi.trainer.sets.TrainingSets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.util.FileSystemUtils;
import org.springframework.web.client.RestClient;
import tools.jackson.databind.json.JsonMapper;

/**
 * Runs one job from its set to its verdict. What it has done lies in its folder and its row, so whoever runs it again goes on from there: the
 * contexts as they were fetched, the checkpoint of the training, the report of the gate.
 */
final class JobRunner {
    private static final Logger log = LoggerFactory.getLogger(JobRunner.class);
    private static final int MOST_ATTEMPTS_AFTER_FAILURES = 4;
    private static final String PREPARED = "prepared.jsonl";
    private static final String TRAINED = "trained";
    private static final String CHECKPOINT = "checkpoint";
    private static final String ALL_TENANTS = "";

    private final JobStore store;
    private final TrainingSets sets;
    private final Contexts contexts;
    private final ServingLoad load;
    private final BaseModel base;
    private final AdapterPublisher publisher;
    private final CurrentAdapters adapters;
    private final QueryAdapters queryAdapters;
    private final RestClient embedService;
    private final JobTracking tracking;
    private final TrainerProperties properties;
    private final GateProperties margins;
    private final JsonMapper json;
    private final CitationFinder citations = new CitationFinder();

    JobRunner(
            JobStore store,
            TrainingSets sets,
            Contexts contexts,
            ServingLoad load,
            BaseModel base,
            AdapterPublisher publisher,
            CurrentAdapters adapters,
            QueryAdapters queryAdapters,
            RestClient embedService,
            JobTracking tracking,
            TrainerProperties properties,
            GateProperties margins,
            JsonMapper json) {
        this.store = store;
        this.sets = sets;
        this.contexts = contexts;
        this.load = load;
        this.base = base;
        this.publisher = publisher;
        this.adapters = adapters;
        this.queryAdapters = queryAdapters;
        this.embedService = embedService;
        this.tracking = tracking;
        this.properties = properties;
        this.margins = margins;
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
        List<SetMember> members = prepared(running, job, set, folder, notes);
        if (!Files.exists(folder.resolve(TRAINED))) {
            train(running, job, members, folder, notes);
            Files.writeString(folder.resolve(TRAINED), "");
        }
        GateReport report = job.report() == null ? null : json.treeToValue(job.report(), GateReport.class);
        Path candidate = folder.resolve(CHECKPOINT).resolve(LoraTraining.BEST);
        if (report == null) {
            report = evaluate(running, job, members, candidate, notes);
            store.report(running.tenant(), running.id(), report);
        }
        if (report.promoted()) {
            publish(running, job, candidate, report);
        } else {
            finish(running, JobState.REJECTED, String.join(" ", report.reasons()));
        }
    }

    private List<SetMember> prepared(RunningJob running, Job job, UUID set, Path folder, List<String> notes)
            throws IOException {
        Path file = folder.resolve(PREPARED);
        List<SetMember> filled;
        if (Files.exists(file)) {
            try (Stream<String> lines = Files.lines(file)) {
                filled =
                        lines.map(line -> json.readValue(line, SetMember.class)).toList();
            }
        } else {
            Instant begun = sets.moment(running.tenant());
            List<SetMember> all = new ArrayList<>();
            for (Split split : Split.values()) {
                all.addAll(sets.members(running.tenant(), set, split));
            }
            int every = Math.max(1, all.size() / 100);
            List<SetMember> fetched = new ArrayList<>();
            try (Contexts.Prefetch prefetch =
                    contexts.prefetch(running.tenant(), all, job.settings().passages())) {
                while (prefetch.hasNext()) {
                    fetched.add(prefetch.next());
                    if (fetched.size() % every == 0) {
                        running.progress(JobState.PREPARING, JobProgress.of(fetched.size(), all.size()));
                    }
                }
            }
            filled = withoutWithdrawn(running, fetched, begun);
            write(file, filled);
        }
        store.documents(running.tenant(), running.id(), learnedFrom(filled));
        List<SetMember> usable =
                filled.stream().filter(this::teachesWhatThePassagesSay).toList();
        if (usable.size() < filled.size()) {
            notes.add((filled.size() - usable.size())
                    + " examples are left out: no passage was found for them, or none that supports their answer.");
        }
        return usable;
    }

    /**
     * Without what rests on a document that was deleted while the examples were read and their contexts fetched. Those documents are written
     * down first: of two, a deletion and this, the later one sees the other.
     */
    private List<SetMember> withoutWithdrawn(RunningJob running, List<SetMember> fetched, Instant begun) {
        store.documents(running.tenant(), running.id(), learnedFrom(fetched));
        Set<String> withdrawn = sets.withdrawnSince(running.tenant(), begun);
        if (withdrawn.isEmpty()) {
            return fetched;
        }
        List<SetMember> left = fetched.stream()
                .filter(member -> Collections.disjoint(member.example().allDocuments(), withdrawn))
                .toList();
        store.forgetDocuments(running.tenant(), running.id(), withdrawn);
        return left;
    }

    private static Set<String> learnedFrom(List<SetMember> members) {
        Set<String> documents = new TreeSet<>();
        members.stream()
                .filter(member -> member.split() != Split.HELD_OUT)
                .forEach(member -> documents.addAll(member.example().allDocuments()));
        return documents;
    }

    private void write(Path file, List<SetMember> members) throws IOException {
        Path written = file.resolveSibling(PREPARED + ".new");
        Files.write(written, (Iterable<String>) members.stream().map(json::writeValueAsString)::iterator);
        Files.move(
                written,
                file,
                java.nio.file.StandardCopyOption.ATOMIC_MOVE,
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }

    /** An answer that its passages do not support would teach to make things up. What is held out stays: retrieval is measured with it. */
    private boolean teachesWhatThePassagesSay(SetMember member) {
        Example example = member.example();
        if (example.contexts().isEmpty()) {
            return false;
        }
        return member.split() == Split.HELD_OUT
                || !member.source().equals("feedback")
                || !example.answerable()
                || citations
                        .ground(example.question(), example.answer(), ExamplePrompts.passages(example))
                        .supported();
    }

    private void train(RunningJob running, Job job, List<SetMember> members, Path folder, List<String> notes)
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
                                    sequences(training, of(members, Split.TRAIN), new ArrayList<>()),
                                    sequences(training, of(members, Split.VALIDATION), new ArrayList<>())));
            notes.add("The best settings of the sweep are " + json.writeValueAsString(settings) + ".");
        }
        try (LoraTraining training = LoraTraining.open(base.locate().path(), settings.training(), resources)) {
            store.forecast(running.tenant(), running.id(), training.forecast());
            TrainingOutcome outcome = settings.isRagSequence()
                    ? ragSequence(running, job, members)
                            .train(
                                    training,
                                    settings.training().seed(),
                                    folder.resolve(CHECKPOINT),
                                    new Listener(running, notes),
                                    notes)
                    : train(running, training, members, folder, notes);
            store.notes(running.tenant(), running.id(), notes);
            if (outcome.end() == TrainingOutcome.End.STOPPED) {
                running.throwIfStopped();
                throw new StopException(StopException.Reason.SHUTDOWN);
            }
        }
    }

    private TrainingOutcome train(
            RunningJob running, LoraTraining training, List<SetMember> members, Path folder, List<String> notes)
            throws IOException {
        List<TrainingSequence> learned = sequences(training, of(members, Split.TRAIN), notes);
        List<TrainingSequence> chosenBy = sequences(training, of(members, Split.VALIDATION), notes);
        store.notes(running.tenant(), running.id(), notes);
        return training.run(learned, chosenBy, folder.resolve(CHECKPOINT), new Listener(running, notes));
    }

    private RagSequence ragSequence(RunningJob running, Job job, List<SetMember> members) {
        return new RagSequence(embedService, members, job.settings().passages(), folder(running.id()), running);
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

    private static List<SetMember> of(List<SetMember> members, Split split) {
        return members.stream().filter(member -> member.split() == split).toList();
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

    private GateReport evaluate(
            RunningJob running, Job job, List<SetMember> members, Path candidate, List<String> notes)
            throws IOException {
        List<Example> questions = questions(members, Split.HELD_OUT);
        CurrentAdapters.Current champion = champion(running.tenant(), job.adapter());
        int total = 2 * questions.size();
        running.progress(JobState.EVALUATING, JobProgress.of(0, total));
        ModelOptions options =
                ModelOptions.defaults().withBackend(properties.backend()).withThreads(properties.threads());
        try (LoadedModel model = LoadedModel.open(base.locate().path(), options);
                Evaluation evaluation = new Evaluation(model)) {
            tune(running, evaluation, candidate, questions(members, Split.VALIDATION), notes);
            Measured challenger = evaluation.measure(candidate, questions, pause(running, 0, total));
            Measured holder = evaluation.measure(
                    champion == null ? null : champion.folder(), questions, pause(running, questions.size(), total));
            return new Gate(margins)
                    .decide(
                            "candidate",
                            challenger,
                            champion == null ? "bare model" : champion.name() + "@" + champion.digest(),
                            holder,
                            evaluation.bareReplay(),
                            retrieval(running, job, members, candidate, champion));
        }
    }

    private GateReport.@Nullable Retrieval retrieval(
            RunningJob running,
            Job job,
            List<SetMember> members,
            Path candidate,
            CurrentAdapters.@Nullable Current champion)
            throws IOException {
        if (!job.settings().isRagSequence()) {
            return null;
        }
        RetrievalRecall recall = ragSequence(running, job, members).recall();
        if (!recall.canTell()) {
            return null;
        }
        QueryAdapter trained = RagSequence.read(candidate);
        // One of another embedding model moves nothing any more.
        QueryAdapter serving = champion == null
                ? null
                : queryAdapters
                        .of(running.tenant(), champion.name())
                        .filter(adapter -> adapter.indexGeneration().equals(trained.indexGeneration()))
                        .orElse(null);
        return GateReport.Retrieval.of(recall.limit(), recall.found(trained), recall.found(serving));
    }

    private List<Example> questions(List<SetMember> members, Split split) {
        return of(members, split).stream()
                .map(SetMember::example)
                .sorted(Comparator.comparing(Example::digest))
                .limit(margins.maxQuestions())
                .toList();
    }

    /** A candidate that refuses too readily, or too seldom, need not be trained anew. */
    private void tune(
            RunningJob running, Evaluation evaluation, Path candidate, List<Example> questions, List<String> notes)
            throws IOException {
        long answerable = questions.stream().filter(Example::answerable).count();
        if (!RefusalBias.canBeTuned(answerable, questions.size() - answerable)) {
            return;
        }
        List<RefusalBias.Asked> asked = evaluation.lean(candidate, questions, (done, total) -> {
            running.yieldToServing();
            running.throwIfStopped();
        });
        double bias = RefusalBias.tuned(asked);
        PeftWriter.annotate(candidate, RefusalBias.metadata(bias));
        RefusalBias.Outcome before = RefusalBias.outcome(asked, 0);
        RefusalBias.Outcome after = RefusalBias.outcome(asked, bias);
        notes.add(String.format(
                Locale.ROOT,
                "Its refusals have a bias of %.2f: on %d validation questions F1 went from %.2f to %.2f, right refusals from %.2f to %.2f.",
                bias,
                questions.size(),
                before.f1(),
                after.f1(),
                before.rightRefusals(),
                after.rightRefusals()));
        store.notes(running.tenant(), running.id(), notes);
    }

    private static Evaluation.Pause pause(RunningJob running, int before, int total) {
        return (done, ofPart) -> {
            running.yieldToServing();
            running.progress(JobState.EVALUATING, JobProgress.of(before + done, total));
        };
    }

    /**
     * What the name stands for now; where it is new, what answers the tenant if none is named, its own or what comes with Tsumugi; null: the bare
     * model.
     */
    private CurrentAdapters.@Nullable Current champion(String tenant, String name) {
        String digest = base.locate().digest();
        return adapters.find(tenant, name)
                .or(() -> adapters.promoted(tenant).flatMap(promoted -> adapters.find(tenant, promoted)))
                .or(() -> adapters.promoted(ALL_TENANTS).flatMap(promoted -> adapters.find(ALL_TENANTS, promoted)))
                .filter(current -> current.baseDigest().equals(digest))
                .orElse(null);
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
