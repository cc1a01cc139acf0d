package dev.tsumugi.bench;

import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.platform.grounding.Refusals;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Answers questions with their own passage given, as the generator would ask them, and compares them word by word as SQuAD does. */
final class ReaderEvaluation {
    private static final int ANSWER_TOKENS = 48;
    private static final long CACHE_BYTES = 256L << 20;

    private ReaderEvaluation() {}

    /**
     * @param f1 mean over the questions that the passage answers; a refusal counts 0
     * @param rightRefusals share of the other questions that are refused
     * @param wrongRefusals share of the questions that the passage answers and that are refused
     */
    record Result(double f1, double rightRefusals, double wrongRefusals, int answerable, int unanswerable) {}

    /** @param adapter folder as PEFT writes it; null: the model alone */
    static Result run(Path model, @Nullable Path adapter, List<SquadQuestion> questions, ModelOptions options) {
        try (LoadedModel loaded = LoadedModel.open(model, options);
                Engine engine = loaded.startEngine(CACHE_BYTES)) {
            String digest = adapter == null
                    ? null
                    : engine.adapters().load(adapter, null).digest();
            ReaderPrompts prompts =
                    new ReaderPrompts(loaded.tokenizer(), loaded.config().hiddenSize());
            List<Generation> answers = new ArrayList<>();
            for (SquadQuestion question : questions) {
                GenerationRequest request = GenerationRequest.of(
                                loaded.chatPrompt(prompts.messages(question, List.of())), ANSWER_TOKENS)
                        .withStop(AnswerPrompt.STOP)
                        .withAdapter(digest);
                Generation generation = engine.submit(request);
                answers.add(generation);
                if (answers.size() % 16 == 0) {
                    generation.result().join();
                }
            }
            double f1 = 0;
            int answerable = 0;
            int right = 0;
            int wrong = 0;
            for (int i = 0; i < answers.size(); i++) {
                String text = answers.get(i).result().join().text().strip();
                SquadQuestion question = questions.get(i);
                boolean refused = isRefusal(text, question.question());
                if (question.answerable()) {
                    answerable++;
                    wrong += refused ? 1 : 0;
                    f1 += refused
                            ? 0
                            : question.answers().stream()
                                    .mapToDouble(answer -> f1(text, answer))
                                    .max()
                                    .orElse(0);
                } else {
                    right += refused ? 1 : 0;
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

    /** The first words tell: what follows them may be cut short. */
    static boolean isRefusal(String text, String question) {
        String refusal = Refusals.inLanguageOf(question);
        return text.startsWith(refusal.substring(0, refusal.length() / 2));
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
}
