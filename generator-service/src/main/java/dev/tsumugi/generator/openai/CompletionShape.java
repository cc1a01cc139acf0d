package dev.tsumugi.generator.openai;

import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.sample.TokenLogprobs.TokenLogprob;
import dev.tsumugi.engine.serve.FinishReason;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The bodies of one answer: whole, or as chunks of a stream; chat and text completions differ in how a choice looks. */
final class CompletionShape {
    private final boolean chat;
    private final String id;
    private final String model;
    private final @Nullable String fingerprint;
    private final long created;
    private final Tokenizer tokenizer;
    private final boolean usageFollows;

    /**
     * @param fingerprint digest of the adapter that answers; null: the bare model does
     * @param created seconds since 1970
     * @param usageFollows whether a stream ends with a chunk of the usage, of which the others then say that it is null
     */
    CompletionShape(
            boolean chat,
            String id,
            String model,
            @Nullable String fingerprint,
            long created,
            Tokenizer tokenizer,
            boolean usageFollows) {
        this.chat = chat;
        this.id = id;
        this.model = model;
        this.fingerprint = fingerprint;
        this.created = created;
        this.tokenizer = tokenizer;
        this.usageFollows = usageFollows;
    }

    Map<String, @Nullable Object> whole(
            List<GenerationResult> results,
            List<String> echoes,
            boolean logprobs,
            Map<String, @Nullable Object> usage) {
        List<Map<String, @Nullable Object>> choices = new ArrayList<>();
        for (int i = 0; i < results.size(); i++) {
            GenerationResult result = results.get(i);
            Map<String, @Nullable Object> choice = new LinkedHashMap<>();
            choice.put("index", i);
            if (chat) {
                Map<String, @Nullable Object> message = new LinkedHashMap<>();
                message.put("role", "assistant");
                message.put("content", result.text());
                message.put("refusal", null);
                choice.put("message", message);
            } else {
                choice.put("text", echoes.get(i) + result.text());
            }
            choice.put("logprobs", logprobs ? logprobs(result.logprobs(), 0) : null);
            choice.put("finish_reason", finishReason(result.finishReason()));
            choices.add(choice);
        }
        Map<String, @Nullable Object> body = head(chat ? "chat.completion" : "text_completion");
        body.put("choices", choices);
        body.put("usage", usage);
        return body;
    }

    /** The first chunk of a choice of a chat says who speaks. */
    Map<String, @Nullable Object> begin(int index) {
        return chunk(index, Map.of("role", "assistant", "content", ""), "", null, null);
    }

    /** @param offset of the text in the answer so far */
    Map<String, @Nullable Object> piece(int index, String text, @Nullable List<TokenLogprobs> logprobs, int offset) {
        return chunk(
                index,
                Map.of("content", text),
                text,
                logprobs == null || logprobs.isEmpty() ? null : logprobs(logprobs, offset),
                null);
    }

    Map<String, @Nullable Object> end(int index, FinishReason reason) {
        return chunk(index, Map.of(), "", null, finishReason(reason));
    }

    /** The last chunk, on request. */
    Map<String, @Nullable Object> usage(Map<String, @Nullable Object> usage) {
        Map<String, @Nullable Object> body = head(chat ? "chat.completion.chunk" : "text_completion");
        body.put("choices", List.of());
        body.put("usage", usage);
        return body;
    }

    static Map<String, @Nullable Object> usageOf(int promptTokens, List<GenerationResult> results) {
        int completion = results.stream()
                .mapToInt(result -> result.usage().generatedTokens())
                .sum();
        int cached = results.stream()
                .mapToInt(result -> result.usage().cachedTokens())
                .max()
                .orElse(0);
        Map<String, @Nullable Object> usage = new LinkedHashMap<>();
        usage.put("prompt_tokens", promptTokens);
        usage.put("completion_tokens", completion);
        usage.put("total_tokens", promptTokens + completion);
        usage.put("prompt_tokens_details", Map.of("cached_tokens", Math.min(cached, promptTokens)));
        return usage;
    }

    private Map<String, @Nullable Object> chunk(
            int index, Map<String, String> delta, String text, @Nullable Object logprobs, @Nullable String reason) {
        Map<String, @Nullable Object> choice = new LinkedHashMap<>();
        choice.put("index", index);
        if (chat) {
            choice.put("delta", delta);
        } else {
            choice.put("text", text);
        }
        choice.put("logprobs", logprobs);
        choice.put("finish_reason", reason);
        Map<String, @Nullable Object> body = head(chat ? "chat.completion.chunk" : "text_completion");
        body.put("choices", List.of(choice));
        if (usageFollows) {
            body.put("usage", null);
        }
        return body;
    }

    private Map<String, @Nullable Object> head(String object) {
        Map<String, @Nullable Object> body = new LinkedHashMap<>();
        body.put("id", id);
        body.put("object", object);
        body.put("created", created);
        body.put("model", model);
        // Says what made the answer, of which the name alone does not tell.
        body.put("system_fingerprint", fingerprint);
        return body;
    }

    private static String finishReason(FinishReason reason) {
        return reason == FinishReason.STOP ? "stop" : "length";
    }

    private Map<String, @Nullable Object> logprobs(List<TokenLogprobs> steps, int offset) {
        return chat ? chatLogprobs(steps) : textLogprobs(steps, offset);
    }

    private Map<String, @Nullable Object> chatLogprobs(List<TokenLogprobs> steps) {
        List<Map<String, @Nullable Object>> content = new ArrayList<>();
        for (TokenLogprobs step : steps) {
            Map<String, @Nullable Object> entry = token(step.chosen());
            entry.put("top_logprobs", step.top().stream().map(this::token).toList());
            content.add(entry);
        }
        Map<String, @Nullable Object> logprobs = new LinkedHashMap<>();
        logprobs.put("content", content);
        logprobs.put("refusal", null);
        return logprobs;
    }

    private Map<String, @Nullable Object> token(TokenLogprob token) {
        byte[] bytes = tokenizer.bytesOf(token.id());
        List<Integer> values = new ArrayList<>();
        for (byte b : bytes) {
            values.add(b & 0xff);
        }
        Map<String, @Nullable Object> entry = new LinkedHashMap<>();
        entry.put("token", textOf(token.id()));
        entry.put("logprob", token.logprob());
        entry.put("bytes", values);
        return entry;
    }

    private Map<String, @Nullable Object> textLogprobs(List<TokenLogprobs> steps, int offset) {
        List<String> tokens = new ArrayList<>();
        List<Double> chosen = new ArrayList<>();
        List<Map<String, Double>> top = new ArrayList<>();
        List<Integer> offsets = new ArrayList<>();
        int at = offset;
        for (TokenLogprobs step : steps) {
            String text = textOf(step.chosen().id());
            tokens.add(text);
            chosen.add(step.chosen().logprob());
            Map<String, Double> best = new LinkedHashMap<>();
            step.top().forEach(token -> best.putIfAbsent(textOf(token.id()), token.logprob()));
            // The chosen token is always there, so there may be one more than were asked for.
            best.putIfAbsent(text, step.chosen().logprob());
            top.add(best);
            offsets.add(at);
            at += text.length();
        }
        Map<String, @Nullable Object> logprobs = new LinkedHashMap<>();
        logprobs.put("tokens", tokens);
        logprobs.put("token_logprobs", chosen);
        logprobs.put("top_logprobs", top);
        logprobs.put("text_offset", offsets);
        return logprobs;
    }

    private String textOf(int id) {
        return new String(tokenizer.bytesOf(id), StandardCharsets.UTF_8);
    }
}
