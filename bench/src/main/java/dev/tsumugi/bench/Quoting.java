package dev.tsumugi.bench;

import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.GenerationListener;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Questions with the paragraph that answers them, from this project's own documentation: one answer after another, greedy. */
final class Quoting {
    private static final String QUESTIONS = "quoting.json";
    private static final int MOST_TOKENS = 128;

    private final List<int[]> prompts = new ArrayList<>();

    Quoting(LoadedModel model) {
        try (InputStream in = Quoting.class.getResourceAsStream(QUESTIONS)) {
            if (in == null) {
                throw new IllegalStateException(QUESTIONS + " is missing from the class path");
            }
            for (JsonNode question : JsonMapper.shared().readTree(in)) {
                String text = "Text: " + question.path("text").asString()
                        + "\n\nQuote the sentences of the text, word for word, that answer: "
                        + question.path("question").asString();
                prompts.add(model.chatPrompt(List.of(
                        new ChatMessage("system", "You answer questions with the words of the given text."),
                        new ChatMessage("user", text))));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Tokens a second behind the first token of each answer, on {@code engine}. */
    double run(Engine engine, List<int[]> answers) {
        long tokens = 0;
        double seconds = 0;
        answers.clear();
        for (int[] prompt : prompts) {
            GenerationResult result = engine.submit(GenerationRequest.of(prompt, MOST_TOKENS), GenerationListener.NONE)
                    .result()
                    .join();
            answers.add(result.tokens());
            tokens += result.usage().generatedTokens() - 1;
            seconds += result.timings()
                            .total()
                            .minus(result.timings().firstToken())
                            .toNanos()
                    / 1e9;
        }
        return tokens / seconds;
    }

    /** Speed without the right tokens is worth nothing. */
    static void requireEqual(List<int[]> some, List<int[]> others) {
        for (int i = 0; i < some.size(); i++) {
            BenchException.require(
                    Arrays.equals(some.get(i), others.get(i)),
                    "speculation changed the answer to question " + i + " of " + QUESTIONS);
        }
    }
}
