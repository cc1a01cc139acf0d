package dev.tsumugi.bench;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.sample.TokenLogprobs.TokenLogprob;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import dev.tsumugi.platform.grounding.CitationFinder;
import dev.tsumugi.platform.grounding.RefusalBias;
import dev.tsumugi.platform.grounding.RefusalBias.Asked;
import dev.tsumugi.platform.grounding.Refusals;
import dev.tsumugi.platform.grounding.Repetition;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Answers questions from passages, as the generator would, and compares them word by word as SQuAD does. As for readers, an answer
 * that no passage supports is a refusal.
 */
final class ReaderEvaluation implements AutoCloseable {
    private static final int ANSWER_TOKENS = 48;
    private static final int AT_ONCE = 16;
    private static final long CACHE_BYTES = 256L << 20;
    private static final int LIKELY = 20;
    private static final float NEVER = -100;

    private final LoadedModel model;
    private final Engine engine;
    private final ReaderPrompts prompts;
    private final CitationFinder citations = new CitationFinder();

    ReaderEvaluation(Path path, ModelOptions options) {
        model = LoadedModel.open(path, options);
        engine = model.startEngine(CACHE_BYTES);
        prompts = new ReaderPrompts(model.tokenizer(), model.config().hiddenSize());
    }

    /**
     * @param f1 mean over the questions that the passage answers; a refusal counts 0
     * @param rightRefusals share of the other questions that are refused
     * @param wrongRefusals share of the questions that the passage answers and that are refused
     */
    record Result(double f1, double rightRefusals, double wrongRefusals, int answerable, int unanswerable) {

        /** @param answers null: refused */
        static Result of(List<SquadQuestion> questions, List<@Nullable String> answers) {
            double f1 = 0;
            int answerable = 0;
            int right = 0;
            int wrong = 0;
            for (int i = 0; i < questions.size(); i++) {
                String answer = answers.get(i);
                if (questions.get(i).answerable()) {
                    answerable++;
                    wrong += answer == null ? 1 : 0;
                    f1 += answer == null ? 0 : bestF1(questions.get(i), answer);
                } else {
                    right += answer == null ? 1 : 0;
                }
            }
            int unanswerable = questions.size() - answerable;
            return new Result(
                    f1 / Math.max(1, answerable),
                    (double) right / Math.max(1, unanswerable),
                    (double) wrong / Math.max(1, answerable),
                    answerable,
                    unanswerable);
        }
    }

    /**
     * @param adapter folder as PEFT writes it, which may hold a {@link RefusalBias}; null: the model alone
     * @param passages what is given to read, best first
     */
    Result measure(@Nullable Path adapter, List<SquadQuestion> questions, Function<SquadQuestion, List<Hit>> passages) {
        String digest = load(adapter);
        float bias = digest == null ? 0 : RefusalBias.of(engine.adapters().metadata(digest));
        List<GenerationResult> results = ask(questions, passages, digest, bias);
        List<@Nullable String> answers = new ArrayList<>();
        for (int i = 0; i < questions.size(); i++) {
            SquadQuestion question = questions.get(i);
            answers.add(readable(question, passages.apply(question), results.get(i)));
        }
        return Result.of(questions, answers);
    }

    /** What the adapter would answer if it might not refuse, and how much it leans to refuse, to tune a {@link RefusalBias} with. */
    List<Asked> lean(Path adapter, List<SquadQuestion> questions) {
        List<GenerationResult> results = ask(questions, ReaderPrompts::own, load(adapter), NEVER);
        Tokenizer tokenizer = model.tokenizer();
        List<Asked> asked = new ArrayList<>();
        for (int i = 0; i < questions.size(); i++) {
            SquadQuestion question = questions.get(i);
            int refusal = tokenizer.encodePlain(Refusals.inLanguageOf(question.question()))[0];
            String answer = readable(question, ReaderPrompts.own(question), results.get(i));
            double margin = margin(results.get(i).logprobs().getFirst(), refusal);
            double f1 = answer == null || !question.answerable() ? 0 : bestF1(question, answer);
            asked.add(new Asked(question.answerable(), answer != null, margin, f1));
        }
        return asked;
    }

    /** At most what it is where the refusal is not among the likely tokens. */
    private static double margin(TokenLogprobs first, int refusal) {
        double refusing = first.top().getLast().logprob();
        double other = Double.NEGATIVE_INFINITY;
        for (TokenLogprob token : first.top()) {
            if (token.id() == refusal) {
                refusing = token.logprob();
            } else {
                other = Math.max(other, token.logprob());
            }
        }
        return refusing - other;
    }

    private @Nullable String load(@Nullable Path adapter) {
        return adapter == null ? null : engine.adapters().load(adapter, null).digest();
    }

    private List<GenerationResult> ask(
            List<SquadQuestion> questions,
            Function<SquadQuestion, List<Hit>> passages,
            @Nullable String digest,
            float bias) {
        List<Generation> running = new ArrayList<>();
        for (SquadQuestion question : questions) {
            GenerationRequest request = GenerationRequest.of(
                            model.chatPrompt(prompts.messages(question, passages.apply(question))), ANSWER_TOKENS)
                    .withStop(AnswerPrompt.STOP)
                    .withLogprobs(LIKELY)
                    .withAdapter(digest)
                    .withFirstTokenBias(
                            RefusalBias.firstToken(question.question(), bias, model.tokenizer()::encodePlain));
            running.add(engine.submit(request));
            if (running.size() % AT_ONCE == 0) {
                running.getLast().result().join();
            }
        }
        return running.stream().map(generation -> generation.result().join()).toList();
    }

    /** Null when it is a refusal, or becomes one because no passage supports it. */
    private @Nullable String readable(SquadQuestion question, List<Hit> passages, GenerationResult result) {
        String text = Repetition.withoutOne(result.text()).strip();
        boolean supported =
                citations.ground(question.question(), text, passages).supported();
        return Refusals.isRefusal(text) || !supported ? null : text;
    }

    private static double bestF1(SquadQuestion question, String answer) {
        return question.answers().stream()
                .mapToDouble(wanted -> f1(answer, wanted))
                .max()
                .orElse(0);
    }

    /** Harmonic mean of precision and recall of the words, articles and punctuation aside, as SQuAD's own script defines it. */
    static double f1(String text, String answer) {
        List<String> said = words(text);
        List<String> wanted = words(answer);
        if (said.isEmpty() || wanted.isEmpty()) {
            return said.equals(wanted) ? 1 : 0;
        }
        Map<String, Integer> left = new HashMap<>();
        wanted.forEach(word -> left.merge(word, 1, Integer::sum));
        int common = 0;
        for (String word : said) {
            if (left.getOrDefault(word, 0) > 0) {
                left.merge(word, -1, Integer::sum);
                common++;
            }
        }
        return 2.0 * common / (said.size() + wanted.size());
    }

    private static List<String> words(String text) {
        return Arrays.stream(text.toLowerCase(Locale.ROOT)
                        .replaceAll("[\\p{Punct}]", "")
                        .replaceAll("\\b(a|an|the)\\b", " ")
                        .strip()
                        .split("\\s+"))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    @Override
    public void close() {
        engine.close();
        model.close();
    }
}
