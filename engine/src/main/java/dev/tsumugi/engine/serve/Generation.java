package dev.tsumugi.engine.serve;

import java.util.concurrent.CompletableFuture;

/** A request that an engine has accepted. */
public final class Generation {
    private final CompletableFuture<GenerationResult> result = new CompletableFuture<>();
    private volatile boolean cancelled;

    Generation() {}

    /** Ends it at the next step and frees what it holds; it finishes with {@link FinishReason#CANCELLED}. Once finished, this does nothing. */
    public void cancel() {
        cancelled = true;
    }

    /** The finished answer, or a {@link GenerationException}. Completed after the last call of the listener; cancelling it does not end the generation. */
    public CompletableFuture<GenerationResult> result() {
        return result.copy();
    }

    boolean isCancelled() {
        return cancelled;
    }

    void complete(GenerationResult answer) {
        result.complete(answer);
    }

    void fail(GenerationException failure) {
        result.completeExceptionally(failure);
    }
}
