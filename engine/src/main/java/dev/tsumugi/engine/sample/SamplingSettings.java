package dev.tsumugi.engine.sample;

import java.util.Map;
import java.util.OptionalLong;

/**
 * How the next token is chosen from the logits. Applied in this order, after the mask of a constraint: logit bias, repetition penalty, presence
 * and frequency penalties, temperature, top-k, top-p, min-p. None of them brings back a token that the mask forbids.
 *
 * @param temperature 0: always the most likely token (greedy); otherwise logits are divided by it
 * @param topK only the k most likely tokens, and those equal to the k-th; 0: all
 * @param topP the smallest set of most likely tokens whose probability reaches it; 1: all
 * @param minP only tokens at least this likely compared with the most likely one; 0: all
 * @param repetitionPenalty logits of tokens in the prompt or the answer are divided by it when positive and multiplied when negative; 1: none
 * @param frequencyPenalty subtracted once for each time a token stands in the answer
 * @param presencePenalty subtracted when a token stands in the answer
 * @param logitBias what is added to the logits of some tokens, by their ids
 * @param seed the same seed and the same logits give the same tokens; absent: chosen by the engine
 */
public record SamplingSettings(
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        double frequencyPenalty,
        double presencePenalty,
        Map<Integer, Float> logitBias,
        OptionalLong seed) {

    private static final int MOST_BIASED = 1024;
    private static final SamplingSettings GREEDY =
            new SamplingSettings(0, 0, 1, 0, 1, 0, 0, Map.of(), OptionalLong.empty());

    /** @throws IllegalArgumentException for a value out of its range */
    public SamplingSettings {
        require(temperature >= 0 && temperature <= 100, "temperature", temperature, "0 to 100");
        require(topK >= 0, "top_k", topK, "0 or more");
        require(topP > 0 && topP <= 1, "top_p", topP, "above 0, at most 1");
        require(minP >= 0 && minP <= 1, "min_p", minP, "0 to 1");
        require(
                repetitionPenalty > 0 && repetitionPenalty <= 100,
                "repetition_penalty",
                repetitionPenalty,
                "above 0, at most 100");
        require(Math.abs(frequencyPenalty) <= 100, "frequency_penalty", frequencyPenalty, "-100 to 100");
        require(Math.abs(presencePenalty) <= 100, "presence_penalty", presencePenalty, "-100 to 100");
        logitBias = Map.copyOf(logitBias);
        if (logitBias.size() > MOST_BIASED) {
            throw new IllegalArgumentException(
                    "logit_bias names " + logitBias.size() + " tokens; at most " + MOST_BIASED);
        }
        for (float bias : logitBias.values()) {
            require(Math.abs(bias) <= 100, "a logit_bias", bias, "-100 to 100");
        }
    }

    private static void require(boolean holds, String name, double value, String range) {
        if (!holds) {
            throw new IllegalArgumentException(name + " is " + value + "; it must be " + range);
        }
    }

    /** The most likely token at each step, no penalties. */
    public static SamplingSettings greedy() {
        return GREEDY;
    }

    /** Plain sampling at {@code temperature}. */
    public static SamplingSettings atTemperature(double temperature) {
        return GREEDY.withTemperature(temperature);
    }

    public boolean isGreedy() {
        return temperature == 0;
    }

    /** Whether the token is always the one with the model's own largest logit. */
    public boolean takesLargest() {
        return isGreedy() && !hasPenalties() && logitBias.isEmpty();
    }

    /** Whether the token is drawn from the model's own logits. */
    public boolean drawsPlainly() {
        return !isGreedy() && !hasPenalties() && logitBias.isEmpty();
    }

    public boolean hasPenalties() {
        return repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0;
    }

    public SamplingSettings withTemperature(double value) {
        return new SamplingSettings(
                value, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    public SamplingSettings withTopK(int value) {
        return new SamplingSettings(
                temperature, value, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    public SamplingSettings withTopP(double value) {
        return new SamplingSettings(
                temperature, topK, value, minP, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    public SamplingSettings withMinP(double value) {
        return new SamplingSettings(
                temperature, topK, topP, value, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, seed);
    }

    public SamplingSettings withPenalties(double repetition, double frequency, double presence) {
        return new SamplingSettings(temperature, topK, topP, minP, repetition, frequency, presence, logitBias, seed);
    }

    public SamplingSettings withLogitBias(Map<Integer, Float> value) {
        return new SamplingSettings(
                temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, value, seed);
    }

    public SamplingSettings withSeed(long value) {
        return new SamplingSettings(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                frequencyPenalty,
                presencePenalty,
                logitBias,
                OptionalLong.of(value));
    }
}
