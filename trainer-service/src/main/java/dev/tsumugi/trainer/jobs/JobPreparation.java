package dev.tsumugi.trainer.jobs;

import dev.tsumugi.platform.grounding.CitationFinder;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.prompts.ExamplePrompts;
import dev.tsumugi.trainer.retrieval.Contexts;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import dev.tsumugi.trainer.sets.TrainingSets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;

/** The first stage of a job: the examples of its set, with the passages that they are to be answered from. */
final class JobPreparation {
    private static final String PREPARED = "prepared.jsonl";

    private final JobStore store;
    private final TrainingSets sets;
    private final Contexts contexts;
    private final JsonMapper json;
    private final CitationFinder citations = new CitationFinder();

    JobPreparation(JobStore store, TrainingSets sets, Contexts contexts, JsonMapper json) {
        this.store = store;
        this.sets = sets;
        this.contexts = contexts;
        this.json = json;
    }

    /**
     * The examples of a set with their passages, as they were fetched the first time.
     *
     * @param folder of the job
     * @param notes gets what was left out
     */
    List<SetMember> prepare(RunningJob running, Job job, UUID set, Path folder, List<String> notes) throws IOException {
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
}
