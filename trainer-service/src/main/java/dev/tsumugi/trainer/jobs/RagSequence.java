package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.train.LoraTraining;
import dev.tsumugi.engine.train.PassageExample;
import dev.tsumugi.engine.train.TrainingListener;
import dev.tsumugi.engine.train.TrainingOutcome;
import dev.tsumugi.engine.train.TrainingRefusedException;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.prompt.QuestionTooLongException;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.prompts.ExamplePrompts;
import dev.tsumugi.trainer.retrieval.QueryAdapterTraining;
import dev.tsumugi.trainer.retrieval.RetrievalRecall;
import dev.tsumugi.trainer.retrieval.TextVectors;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.springframework.web.client.RestClient;

/**
 * The part of a job that only the objective {@code rag-sequence} has: every passage of an example is a prompt of its own, and a query adapter
 * is trained beside the language model's.
 */
final class RagSequence {
    private static final String VECTORS = "vectors";

    private final RestClient embedService;
    private final List<SetMember> members;
    private final int passages;
    private final Path folder;
    private final RunningJob running;

    /** @param passages of an example that are looked at, at most */
    RagSequence(RestClient embedService, List<SetMember> members, int passages, Path folder, RunningJob running) {
        this.embedService = embedService;
        this.members = members;
        this.passages = passages;
        this.folder = folder;
        this.running = running;
    }

    private TextVectors vectors() throws IOException {
        return TextVectors.of(
                embedService,
                members.stream().map(member -> member.example().question()).toList(),
                members.stream()
                        .flatMap(member -> member.example().contexts().stream())
                        .toList(),
                folder.resolve(VECTORS),
                running::throwIfStopped);
    }

    TrainingOutcome train(
            LoraTraining training, long seed, Path checkpoint, TrainingListener listener, List<String> notes)
            throws IOException {
        TextVectors vectors = vectors();
        List<PassageExample> learned = examples(training, vectors, Split.TRAIN, notes);
        List<PassageExample> chosenBy = examples(training, vectors, Split.VALIDATION, notes);
        if (learned.isEmpty()) {
            throw new TrainingRefusedException(
                    TrainingRefusedException.Reason.EMPTY, "the training set is empty; give it examples with answers");
        }
        QueryAdapterTraining queries = new QueryAdapterTraining(
                vectors.indexGeneration(), learned.getFirst().question().length, seed);
        return training.runRagSequence(learned, chosenBy, queries, checkpoint, listener);
    }

    private List<PassageExample> examples(LoraTraining training, TextVectors vectors, Split split, List<String> notes) {
        ExamplePrompts prompts = new ExamplePrompts(training.text(), training.config());
        List<PassageExample> examples = new ArrayList<>();
        int tooLong = 0;
        for (SetMember member : members) {
            if (member.split() != split) {
                continue;
            }
            Example example = member.example();
            List<PassageExample.Passage> found = new ArrayList<>();
            for (int k = 0; k < Math.min(passages, example.contexts().size()); k++) {
                String text = example.contexts().get(k);
                Example alone = example.withContexts(
                        List.of(text), List.of(example.documents().get(k)));
                try {
                    found.add(new PassageExample.Passage(
                            training.sequence(
                                    example.id() + "#" + k, prompts.messages(alone), ExamplePrompts.answer(example)),
                            vectors.passage(text)));
                } catch (QuestionTooLongException e) {
                    tooLong++;
                }
            }
            if (!found.isEmpty()) {
                examples.add(new PassageExample(example.id(), vectors.question(example.question()), found));
            }
        }
        if (tooLong > 0) {
            notes.add(tooLong + " passages are left out: the question leaves no room for them.");
        }
        return examples;
    }

    /** Over the held-out questions. */
    RetrievalRecall recall() throws IOException {
        return new RetrievalRecall(
                vectors(),
                members.stream()
                        .filter(member -> member.split() == Split.HELD_OUT)
                        .map(SetMember::example)
                        .toList(),
                passages);
    }

    /** Of a trained candidate. */
    static QueryAdapter read(Path candidate) throws IOException {
        return QueryAdapter.parse(Files.readAllBytes(candidate.resolve(QueryAdapter.FILE)));
    }
}
