package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.constrain.Constraint;
import dev.tsumugi.engine.sample.SamplingSettings;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What to generate. Begin with {@link #of} and change what differs.
 *
 * @param prompt token ids
 * @param sampling how tokens are chosen; greedy unless changed
 * @param maxTokens most tokens of the answer; less where the context ends
 * @param stop strings before which the answer ends; they are not part of it
 * @param logprobs how many of the most likely tokens to report at each step; -1: report none, 0: the chosen one alone
 * @param ignoreEnd go on behind the model's end tokens, to {@code maxTokens}
 * @param constraint what the answer must match, compiled for the model's tokenizer; null: nothing. An answer that reaches {@code maxTokens}
 *     before it matches ends there.
 * @param timeout from submission to the last token; null: none
 * @param tenant on whose behalf; tenants that compete get equal parts of the engine, whatever each of them asks for
 * @param adapter digest of the adapter to run with; null: none
 * @param firstTokenBias what is added to the logits of some tokens, by their ids, when the first token of the answer is chosen, and not after
 */
public record GenerationRequest(
        int[] prompt,
        SamplingSettings sampling,
        int maxTokens,
        List<String> stop,
        int logprobs,
        boolean ignoreEnd,
        @Nullable Constraint constraint,
        @Nullable Duration timeout,
        String tenant,
        @Nullable String adapter,
        Map<Integer, Float> firstTokenBias) {

    private static final int MOST_STOP_STRINGS = 16;
    private static final int LONGEST_STOP_STRING = 1024;
    private static final int MOST_LOGPROBS = 20;
    private static final int LARGEST_BIAS = 100;

    /** @throws IllegalArgumentException for a value out of its range */
    public GenerationRequest {
        prompt = prompt.clone();
        stop = List.copyOf(stop);
        firstTokenBias = Map.copyOf(firstTokenBias);
        if (prompt.length == 0) {
            throw new IllegalArgumentException("the prompt is empty");
        }
        if (maxTokens < 1) {
            throw new IllegalArgumentException("max_tokens is " + maxTokens + "; it must be at least 1");
        }
        if (stop.size() > MOST_STOP_STRINGS) {
            throw new IllegalArgumentException(stop.size() + " stop strings; at most " + MOST_STOP_STRINGS);
        }
        for (String s : stop) {
            if (s.isEmpty() || s.length() > LONGEST_STOP_STRING) {
                throw new IllegalArgumentException(
                        "a stop string has " + s.length() + " characters; it must have 1 to " + LONGEST_STOP_STRING);
            }
        }
        if (logprobs < -1 || logprobs > MOST_LOGPROBS) {
            throw new IllegalArgumentException("logprobs is " + logprobs + "; at most " + MOST_LOGPROBS);
        }
        if (timeout != null && !timeout.isPositive()) {
            throw new IllegalArgumentException("the timeout " + timeout + " is not positive");
        }
        for (float bias : firstTokenBias.values()) {
            if (!(Math.abs(bias) <= LARGEST_BIAS)) {
                throw new IllegalArgumentException("a bias of the first token is " + bias + "; it must be -"
                        + LARGEST_BIAS + " to " + LARGEST_BIAS);
            }
        }
    }

    /** A greedy answer of up to {@code maxTokens}. */
    public static GenerationRequest of(int[] prompt, int maxTokens) {
        return new GenerationRequest(
                prompt, SamplingSettings.greedy(), maxTokens, List.of(), -1, false, null, null, "", null, Map.of());
    }

    public GenerationRequest withSampling(SamplingSettings value) {
        return new GenerationRequest(
                prompt,
                value,
                maxTokens,
                stop,
                logprobs,
                ignoreEnd,
                constraint,
                timeout,
                tenant,
                adapter,
                firstTokenBias);
    }

    public GenerationRequest withStop(List<String> value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                value,
                logprobs,
                ignoreEnd,
                constraint,
                timeout,
                tenant,
                adapter,
                firstTokenBias);
    }

    public GenerationRequest withLogprobs(int value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                stop,
                value,
                ignoreEnd,
                constraint,
                timeout,
                tenant,
                adapter,
                firstTokenBias);
    }

    public GenerationRequest withIgnoreEnd(boolean value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                stop,
                logprobs,
                value,
                constraint,
                timeout,
                tenant,
                adapter,
                firstTokenBias);
    }

    public GenerationRequest withConstraint(@Nullable Constraint value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                stop,
                logprobs,
                ignoreEnd,
                value,
                timeout,
                tenant,
                adapter,
                firstTokenBias);
    }

    public GenerationRequest withTimeout(@Nullable Duration value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                stop,
                logprobs,
                ignoreEnd,
                constraint,
                value,
                tenant,
                adapter,
                firstTokenBias);
    }

    public GenerationRequest withTenant(String value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                stop,
                logprobs,
                ignoreEnd,
                constraint,
                timeout,
                value,
                adapter,
                firstTokenBias);
    }

    /** With the adapter of this digest, which the engine must have loaded; null: without any. */
    public GenerationRequest withAdapter(@Nullable String value) {
        return new GenerationRequest(
                prompt,
                sampling,
                maxTokens,
                stop,
                logprobs,
                ignoreEnd,
                constraint,
                timeout,
                tenant,
                value,
                firstTokenBias);
    }

    public GenerationRequest withFirstTokenBias(Map<Integer, Float> value) {
        return new GenerationRequest(
                prompt, sampling, maxTokens, stop, logprobs, ignoreEnd, constraint, timeout, tenant, adapter, value);
    }

    @Override
    public int[] prompt() {
        return prompt.clone();
    }
}
