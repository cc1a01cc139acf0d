package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.sample.TokenLogprobs;
import java.util.List;

/**
 * Hears of one answer as it grows: pieces in order, then exactly one of {@link #onFinish} and {@link #onFailure}. Calls come one at a time
 * and never on the engine's thread, so a listener may block; what it throws is logged and changes nothing.
 */
public interface GenerationListener {
    GenerationListener NONE = new GenerationListener() {};

    /**
     * More of the answer.
     *
     * @param text complete characters, never a part of a stop string; may be empty when there are log probabilities
     * @param logprobs of the tokens chosen since the last piece, when asked for
     */
    default void onPiece(String text, List<TokenLogprobs> logprobs) {}

    /** The end, also of a cancelled answer. */
    default void onFinish(GenerationResult result) {}

    /** The model failed on this request, or the engine was closed. */
    default void onFailure(GenerationException failure) {}
}
