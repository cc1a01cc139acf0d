package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.grounding.RefusalBias;
import dev.tsumugi.trainer.adapters.CurrentAdapters;
import dev.tsumugi.trainer.adapters.QueryAdapters;
import dev.tsumugi.trainer.base.BaseModel;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.gate.Evaluation;
import dev.tsumugi.trainer.gate.Gate;
import dev.tsumugi.trainer.gate.GateProperties;
import dev.tsumugi.trainer.gate.GateReport;
import dev.tsumugi.trainer.gate.Measured;
import dev.tsumugi.trainer.retrieval.RetrievalRecall;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.springframework.web.client.RestClient;

/** The third stage of a job: the trained candidate and the adapter that answers now, on questions that neither has seen, and the gate. */
final class JobEvaluation {
    private static final String ALL_TENANTS = "";

    private final JobStore store;
    private final BaseModel base;
    private final CurrentAdapters adapters;
    private final QueryAdapters queryAdapters;
    private final RestClient embedService;
    private final TrainerProperties properties;
    private final GateProperties margins;

    JobEvaluation(
            JobStore store,
            BaseModel base,
            CurrentAdapters adapters,
            QueryAdapters queryAdapters,
            RestClient embedService,
            TrainerProperties properties,
            GateProperties margins) {
        this.store = store;
        this.base = base;
        this.adapters = adapters;
        this.queryAdapters = queryAdapters;
        this.embedService = embedService;
        this.properties = properties;
        this.margins = margins;
    }

    /**
     * Measures the candidate against what answers now.
     *
     * @param folder of the job
     * @param candidate the adapter's folder; gets the bias of its refusals
     */
    GateReport evaluate(
            RunningJob running, Job job, List<SetMember> members, Path folder, Path candidate, List<String> notes)
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
                            retrieval(running, job, members, folder, candidate, champion));
        }
    }

    private GateReport.@Nullable Retrieval retrieval(
            RunningJob running,
            Job job,
            List<SetMember> members,
            Path folder,
            Path candidate,
            CurrentAdapters.@Nullable Current champion)
            throws IOException {
        if (!job.settings().isRagSequence()) {
            return null;
        }
        RetrievalRecall recall =
                new RagSequence(embedService, members, job.settings().passages(), folder, running).recall();
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
        return split.among(members).stream()
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
}
