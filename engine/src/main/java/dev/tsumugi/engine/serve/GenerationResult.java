package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.sample.TokenLogprobs;
import java.time.Duration;
import java.util.List;

/**
 * A finished answer, also one that was cut short.
 *
 * @param text equals the pieces that were streamed
 * @param tokens all generated ids, the end token and those of a stop string among them
 * @param logprobs one entry for each token, when asked for
 */
public record GenerationResult(
        String text,
        int[] tokens,
        FinishReason finishReason,
        Usage usage,
        Timings timings,
        List<TokenLogprobs> logprobs) {

    /**
     * @param promptTokens length of the prompt
     * @param cachedTokens how many of these were in the cache already
     * @param generatedTokens length of the answer
     */
    public record Usage(int promptTokens, int cachedTokens, int generatedTokens) {}

    /**
     * All from submission on.
     *
     * @param queued until the first step that computed a part of the prompt
     * @param firstToken until the first token was chosen
     * @param total until the end; one that ended early has it in place of what never came
     */
    public record Timings(Duration queued, Duration firstToken, Duration total) {}
}
