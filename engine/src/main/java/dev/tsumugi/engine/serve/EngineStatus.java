package dev.tsumugi.engine.serve;

/**
 * Where an engine stands; counters since its start.
 *
 * @param running requests with tokens in the cache
 * @param waiting requests that wait for room
 * @param freeBlocks blocks of the cache that no request holds
 * @param steps forward passes
 * @param computedTokens tokens that went through the model
 * @param cachedTokens tokens of prompts that were found in the cache
 * @param generatedTokens tokens chosen
 * @param guessedTokens tokens that were guessed and computed ahead
 * @param rightGuesses how many of these were generated then
 * @param preemptions how often a request gave its blocks back for another one
 * @param failures requests that ended by {@link GenerationListener#onFailure}
 */
public record EngineStatus(
        int running,
        int waiting,
        int freeBlocks,
        int blocks,
        long steps,
        long computedTokens,
        long cachedTokens,
        long generatedTokens,
        long guessedTokens,
        long rightGuesses,
        long preemptions,
        long failures) {}
