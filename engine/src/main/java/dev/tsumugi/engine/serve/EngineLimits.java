package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.model.LanguageModel;

/**
 * How much an engine takes on.
 *
 * @param contextLength most tokens of a prompt and its answer together
 * @param cacheBlocks blocks of the key/value cache; must hold one sequence of {@code contextLength}
 * @param blockTokens tokens of one block
 * @param maxBatchTokens tokens computed in one step: the longer, the faster prompts are read and the longer others wait for their next token
 * @param maxRunning sequences computed side by side
 * @param maxQueued requests that wait beyond those; more are refused
 * @param maxPerTenant unfinished requests of one tenant; more are refused
 * @param maxGuesses tokens guessed ahead for one sequence in one step; 0: no speculation
 */
public record EngineLimits(
        int contextLength,
        int cacheBlocks,
        int blockTokens,
        int maxBatchTokens,
        int maxRunning,
        int maxQueued,
        int maxPerTenant,
        int maxGuesses) {
    private static final int BLOCK_TOKENS = 16;
    private static final int GUESSES = 8;

    /** @throws IllegalArgumentException when they contradict each other */
    public EngineLimits {
        if (contextLength < 2 || blockTokens < 1 || maxRunning < 1 || maxQueued < 0) {
            throw new IllegalArgumentException("context of " + contextLength + ", blocks of " + blockTokens
                    + " tokens, " + maxRunning + " running and " + maxQueued + " queued are too few");
        }
        if ((long) cacheBlocks * blockTokens < contextLength) {
            throw new IllegalArgumentException("a cache of " + cacheBlocks + " blocks of " + blockTokens
                    + " tokens cannot hold one context of " + contextLength
                    + "; give it more memory or shorten the context");
        }
        if (maxPerTenant < 1 || maxGuesses < 0) {
            throw new IllegalArgumentException(
                    maxPerTenant + " requests of a tenant and " + maxGuesses + " guesses are too few");
        }
        if (maxBatchTokens < maxRunning) {
            throw new IllegalArgumentException(
                    "maxBatchTokens " + maxBatchTokens + " is below maxRunning " + maxRunning);
        }
    }

    /** Limits in which one tenant may fill the queue. */
    public EngineLimits(
            int contextLength, int cacheBlocks, int blockTokens, int maxBatchTokens, int maxRunning, int maxQueued) {
        this(
                contextLength,
                cacheBlocks,
                blockTokens,
                maxBatchTokens,
                maxRunning,
                maxQueued,
                Integer.MAX_VALUE,
                GUESSES);
    }

    /**
     * Limits for a cache of about {@code cacheBytes}, the whole context of the model where that fits, 16 running, 256 queued.
     *
     * @throws IllegalArgumentException when {@code cacheBytes} does not hold 256 tokens
     */
    public static EngineLimits forMemory(LanguageModel model, long cacheBytes) {
        int blocks = (int) Math.min(1 << 20, cacheBytes / model.cacheBlockBytes(BLOCK_TOKENS));
        if (blocks < 256 / BLOCK_TOKENS) {
            throw new IllegalArgumentException(cacheBytes + " bytes of cache hold " + Math.max(blocks, 0) * BLOCK_TOKENS
                    + " tokens of this model; give it at least "
                    + model.cacheBlockBytes(BLOCK_TOKENS) * (256 / BLOCK_TOKENS) + " bytes");
        }
        int context = Math.min(model.config().contextLength(), blocks * BLOCK_TOKENS);
        return new EngineLimits(context, blocks, BLOCK_TOKENS, 256, 16, 256);
    }

    public EngineLimits withContextLength(int value) {
        return new EngineLimits(
                value, cacheBlocks, blockTokens, maxBatchTokens, maxRunning, maxQueued, maxPerTenant, maxGuesses);
    }

    public EngineLimits withMaxBatchTokens(int value) {
        return new EngineLimits(
                contextLength, cacheBlocks, blockTokens, value, maxRunning, maxQueued, maxPerTenant, maxGuesses);
    }

    public EngineLimits withMaxRunning(int value) {
        return new EngineLimits(
                contextLength, cacheBlocks, blockTokens, maxBatchTokens, value, maxQueued, maxPerTenant, maxGuesses);
    }

    public EngineLimits withMaxQueued(int value) {
        return new EngineLimits(
                contextLength, cacheBlocks, blockTokens, maxBatchTokens, maxRunning, value, maxPerTenant, maxGuesses);
    }

    public EngineLimits withMaxPerTenant(int value) {
        return new EngineLimits(
                contextLength, cacheBlocks, blockTokens, maxBatchTokens, maxRunning, maxQueued, value, maxGuesses);
    }

    public EngineLimits withMaxGuesses(int value) {
        return new EngineLimits(
                contextLength, cacheBlocks, blockTokens, maxBatchTokens, maxRunning, maxQueued, maxPerTenant, value);
    }
}
