package dev.tsumugi.trainer.gate;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.engine.adapter.AdapterLease;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.model.KvCache;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.EngineLimits;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.platform.grounding.CitationFinder;
import dev.tsumugi.platform.grounding.GroundedAnswer;
import dev.tsumugi.platform.grounding.RefusalBias;
import dev.tsumugi.platform.grounding.Refusals;
import dev.tsumugi.platform.grounding.Repetition;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import dev.tsumugi.platform.prompt.QuestionTooLongException;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.prompts.ExamplePrompts;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Asks a model, bare or with an adapter, the held-out questions and judges its answers as the generator would serve them. The wanted answers'
 * loss is measured in the same go.
 */
public final class Evaluation implements AutoCloseable {
    /** Each takes a row of logits as long as the vocabulary. */
    private static final int MOST_JUDGED_TOKENS = 256;

    private static final int BLOCK = 16;
    private static final int AT_ONCE = 8;
    private static final int LIKELY = 20;
    private static final float NEVER = -100;
    private static final long CACHE_BYTES = 256L << 20;

    private final LoadedModel model;
    private final Engine engine;
    private final ExamplePrompts prompts;
    private final CitationFinder citations = new CitationFinder();
    private final KvCache cache;
    private final int longest;

    /** Called between two parts of the work: it may wait, and ends the work by throwing. */
    @FunctionalInterface
    public interface Pause {
        void between(int done, int total);
    }

    /** A conversation that has nothing to do with documents. */
    private record Replayed(String question, String answer) {}

    /** @param model stays the caller's, and serves nobody else meanwhile */
    public Evaluation(LoadedModel model) {
        this.model = model;
        prompts = new ExamplePrompts(model.text(), model.config());
        EngineLimits limits = EngineLimits.forMemory(model.model(), CACHE_BYTES)
                .withMaxRunning(AT_ONCE)
                .withMaxQueued(AT_ONCE)
                .withMaxPerTenant(2 * AT_ONCE);
        engine = model.startEngine(limits);
        longest = limits.contextLength();
        cache = model.model().newCache(Math.ceilDiv(longest, BLOCK), BLOCK);
    }

    /**
     * @param adapter PEFT folder; null: the bare model
     * @param examples with contexts
     */
    public Measured measure(@Nullable Path adapter, List<Example> examples, Pause pause) {
        String digest =
                adapter == null ? null : engine.adapters().load(adapter, null).digest();
        float bias = digest == null ? 0 : RefusalBias.of(engine.adapters().metadata(digest));
        try (AdapterLease lease = digest == null ? null : engine.adapters().acquire(digest)) {
            List<Example> fitting = examples.stream().filter(this::fits).toList();
            List<Judged> judged = new ArrayList<>();
            for (int from = 0; from < fitting.size(); from += AT_ONCE) {
                pause.between(from, fitting.size());
                List<Example> part = fitting.subList(from, Math.min(from + AT_ONCE, fitting.size()));
                // The engine rests while the loss is computed: one thread at a time runs a model.
                double[] losses = part.stream()
                        .mapToDouble(example -> loss(prompts.messages(example), ExamplePrompts.answer(example), lease))
                        .toArray();
                List<GenerationResult> answers = ask(part, digest, bias);
                for (int i = 0; i < part.size(); i++) {
                    judged.add(judge(part.get(i), losses[i], answer(answers.get(i))));
                }
            }
            return new Measured(judged, replay(lease), examples.size() - fitting.size());
        }
    }

    /** The bare model on the conversations that show whether something is forgotten. */
    public List<Double> bareReplay() {
        return replay(null);
    }

    private boolean fits(Example example) {
        try {
            return model.chatPrompt(prompts.messages(example)).length < longest;
        } catch (QuestionTooLongException e) {
            return false;
        }
    }

    /**
     * What an adapter would answer if it might not refuse, and how much it leans to refuse.
     *
     * @param examples with contexts
     */
    public List<RefusalBias.Asked> lean(Path adapter, List<Example> examples, Pause pause) {
        String digest = engine.adapters().load(adapter, null).digest();
        List<Example> fitting = examples.stream().filter(this::fits).toList();
        List<RefusalBias.Asked> asked = new ArrayList<>();
        for (int from = 0; from < fitting.size(); from += AT_ONCE) {
            pause.between(from, fitting.size());
            List<Example> part = fitting.subList(from, Math.min(from + AT_ONCE, fitting.size()));
            List<GenerationResult> results = ask(part, digest, NEVER);
            for (int i = 0; i < part.size(); i++) {
                asked.add(lean(part.get(i), results.get(i)));
            }
        }
        engine.adapters().unload(digest);
        return asked;
    }

    private RefusalBias.Asked lean(Example example, GenerationResult result) {
        Judged judged = judge(example, 0, answer(result));
        int refusal = model.tokenizer().encodePlain(Refusals.inLanguageOf(example.question()))[0];
        List<TokenLogprobs.TokenLogprob> likely = result.logprobs().getFirst().top();
        double refusing = likely.getLast().logprob();
        double other = Double.NEGATIVE_INFINITY;
        for (TokenLogprobs.TokenLogprob token : likely) {
            if (token.id() == refusal) {
                refusing = token.logprob();
            } else {
                other = Math.max(other, token.logprob());
            }
        }
        return new RefusalBias.Asked(example.answerable(), !judged.refused(), refusing - other, judged.f1());
    }

    private List<GenerationResult> ask(List<Example> examples, @Nullable String digest, float bias) {
        List<Generation> running = examples.stream()
                .map(example -> engine.submit(GenerationRequest.of(
                                model.chatPrompt(prompts.messages(example)),
                                prompts.budget().answerTokens())
                        .withStop(AnswerPrompt.STOP)
                        .withLogprobs(LIKELY)
                        .withAdapter(digest)
                        .withFirstTokenBias(
                                RefusalBias.firstToken(example.question(), bias, model.tokenizer()::encodePlain))))
                .toList();
        return running.stream().map(generation -> generation.result().join()).toList();
    }

    private static String answer(GenerationResult result) {
        return Repetition.withoutOne(result.text()).strip();
    }

    private Judged judge(Example example, double loss, String answer) {
        List<Hit> passages = ExamplePrompts.passages(example);
        GroundedAnswer grounded = citations.ground(example.question(), answer, passages);
        boolean refused = !grounded.supported();
        boolean knowsDocuments = !example.cited().isEmpty();
        return new Judged(
                example.id(),
                example.question(),
                example.answerable(),
                example.answer(),
                loss,
                answer,
                refused,
                refused || !example.answerable() ? 0 : AnswerScores.f1(answer, example.answer()),
                !refused && example.answerable() && AnswerScores.exactMatch(answer, example.answer()),
                refused || !knowsDocuments
                        ? null
                        : grounded.citations().stream()
                                .anyMatch(citation -> example.cited().contains(citation.documentId())));
    }

    private List<Double> replay(@Nullable AdapterLease lease) {
        return replayed().stream()
                .map(one -> loss(List.of(new ChatMessage("user", one.question())), one.answer(), lease))
                .toList();
    }

    /**
     * Mean negative log likelihood of the answer's tokens and the one that ends it, of the first {@value #MOST_JUDGED_TOKENS}; what does not fit
     * the context is left out.
     */
    private double loss(List<ChatMessage> messages, String answer, @Nullable AdapterLease lease) {
        int[] prompt = model.chatPrompt(messages);
        int[] said = model.text().chatAnswer(messages, answer);
        int judged = Math.min(said.length, MOST_JUDGED_TOKENS);
        int[] tokens = Arrays.copyOf(prompt, Math.min(prompt.length + judged, longest));
        System.arraycopy(said, 0, tokens, prompt.length, tokens.length - prompt.length);
        int count = tokens.length - prompt.length;
        if (count == 0) {
            return 0;
        }
        int vocabulary = model.config().vocabularySize();
        int[] outputs = IntStream.range(prompt.length - 1, tokens.length - 1).toArray();
        float[] logits = new float[count * vocabulary];
        int[][] blocks = {IntStream.range(0, cache.blocks()).toArray()};
        Batch batch =
                new Batch(tokens, IntStream.range(0, tokens.length).toArray(), new int[tokens.length], blocks, outputs);
        if (lease != null) {
            batch = batch.withAdapters(new LowRankUpdates[] {lease.updates()});
        }
        model.model().forward(batch, cache, logits);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += surprise(logits, i * vocabulary, vocabulary, tokens[prompt.length + i]);
        }
        return sum / count;
    }

    /** Negative logarithm of the probability of {@code token}. */
    private static double surprise(float[] logits, int from, int vocabulary, int token) {
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            largest = Math.max(largest, logits[from + i]);
        }
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits[from + i] - largest);
        }
        return Math.log(sum) + largest - logits[from + token];
    }

    private static List<Replayed> replayed() {
        try (InputStream in = Evaluation.class.getResourceAsStream("replay.jsonl")) {
            if (in == null) {
                throw new IllegalStateException("replay.jsonl is missing from the class path");
            }
            JsonMapper json = JsonMapper.shared();
            return new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> json.readValue(line, Replayed.class))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        engine.close();
        cache.close();
    }
}
