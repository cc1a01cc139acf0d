package dev.tsumugi.generator.model;

import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationException;
import dev.tsumugi.engine.serve.GenerationListener;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Some generations whose events are read by one thread, in the order in which they come. Closing it cancels those that are not finished,
 * so a reader that fails, because its client is gone, frees the engine at once.
 */
public final class TokenStream implements AutoCloseable {
    /** What happened to the generation with this index. */
    public sealed interface Event {
        int index();
    }

    public record Piece(int index, String text, List<TokenLogprobs> logprobs) implements Event {}

    public record Finished(int index, GenerationResult result) implements Event {}

    public record Failed(int index, GenerationException failure) implements Event {}

    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final List<Generation> generations = new ArrayList<>();

    private TokenStream() {}

    /** Submits all requests, or none when one is refused; throws what {@link Engine#submit} throws. */
    public static TokenStream of(Engine engine, List<GenerationRequest> requests) {
        TokenStream stream = new TokenStream();
        try {
            for (int i = 0; i < requests.size(); i++) {
                stream.generations.add(engine.submit(requests.get(i), stream.listener(i)));
            }
        } catch (RuntimeException e) {
            stream.close();
            throw e;
        }
        return stream;
    }

    private GenerationListener listener(int index) {
        return new GenerationListener() {
            @Override
            public void onPiece(String text, List<TokenLogprobs> logprobs) {
                events.add(new Piece(index, text, logprobs));
            }

            @Override
            public void onFinish(GenerationResult result) {
                events.add(new Finished(index, result));
            }

            @Override
            public void onFailure(GenerationException failure) {
                events.add(new Failed(index, failure));
            }
        };
    }

    /** The next event, or null when none came in time. */
    public @Nullable Event next(Duration patience) throws InterruptedException {
        return events.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    public void cancel(int index) {
        generations.get(index).cancel();
    }

    @Override
    public void close() {
        generations.forEach(Generation::cancel);
    }
}
