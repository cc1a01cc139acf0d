package dev.tsumugi.embed.lane;

import dev.tsumugi.embed.model.LengthBatches;
import dev.tsumugi.embed.model.TokenizedText;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One thread that embeds what many callers hand in. It takes all that waits, up to a window of tokens, cuts that into batches by length
 * and runs them one after the other; so small requests share a batch, and a long document does not pad a short one. First in, first out
 * by window.
 */
public final class EmbeddingLane implements AutoCloseable {
    private static final Request CLOSE = new Request(List.of(), new CompletableFuture<>());

    private final Function<List<TokenizedText>, List<float[]>> model;
    private final int batchTokens;
    private final int windowTokens;
    private final LinkedBlockingQueue<Request> queue = new LinkedBlockingQueue<>();
    private final AtomicInteger waitingTexts = new AtomicInteger();
    private final Thread thread;
    private volatile boolean closed;

    private record Request(List<TokenizedText> texts, CompletableFuture<List<float[]>> result) {}

    /**
     * @param name of the thread
     * @param model embeds one batch
     * @param batchTokens most padded tokens of one batch
     * @param windowTokens most tokens, about, that are sorted by length together
     */
    public EmbeddingLane(
            String name, Function<List<TokenizedText>, List<float[]>> model, int batchTokens, int windowTokens) {
        this.model = model;
        this.batchTokens = batchTokens;
        this.windowTokens = windowTokens;
        thread = Thread.ofPlatform().name(name).daemon().start(this::run);
    }

    /**
     * @return the vectors in order; fails with what the model threw, or with {@link IllegalStateException} after {@link #close}
     */
    public CompletableFuture<List<float[]>> submit(List<TokenizedText> texts) {
        Request request = new Request(List.copyOf(texts), new CompletableFuture<>());
        if (texts.isEmpty()) {
            request.result().complete(List.of());
            return request.result();
        }
        waitingTexts.addAndGet(texts.size());
        queue.add(request);
        if (closed) {
            failWaiting();
        }
        return request.result();
    }

    /** Texts that are not yet embedded. */
    public int waitingTexts() {
        return waitingTexts.get();
    }

    @Override
    public void close() {
        closed = true;
        queue.add(CLOSE);
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        failWaiting();
    }

    private void run() {
        while (!closed) {
            List<Request> window = nextWindow();
            if (window.isEmpty()) {
                return;
            }
            try {
                embed(window);
            } catch (RuntimeException | Error e) {
                // One poisonous text must not take its neighbours down: each request gets a run of its own.
                window.forEach(request -> embedAlone(request, e));
            }
        }
    }

    private List<Request> nextWindow() {
        List<Request> window = new ArrayList<>();
        try {
            Request first = queue.take();
            int tokens = 0;
            for (@Nullable Request next = first; next != null && next != CLOSE; next = queue.poll()) {
                window.add(next);
                tokens += next.texts().stream().mapToInt(TokenizedText::length).sum();
                if (tokens >= windowTokens) {
                    break;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return window;
    }

    private void embed(List<Request> window) {
        List<TokenizedText> texts =
                window.stream().flatMap(request -> request.texts().stream()).toList();
        List<float[]> vectors = embedTexts(texts);
        int from = 0;
        for (Request request : window) {
            int to = from + request.texts().size();
            waitingTexts.addAndGet(-request.texts().size());
            request.result().complete(List.copyOf(vectors.subList(from, to)));
            from = to;
        }
    }

    private void embedAlone(Request request, Throwable firstFailure) {
        waitingTexts.addAndGet(-request.texts().size());
        try {
            request.result().complete(embedTexts(request.texts()));
        } catch (RuntimeException | Error e) {
            if (e != firstFailure) {
                e.addSuppressed(firstFailure);
            }
            request.result().completeExceptionally(e);
        }
    }

    private List<float[]> embedTexts(List<TokenizedText> texts) {
        float[][] vectors = new float[texts.size()][];
        for (int[] batch : LengthBatches.of(texts, batchTokens)) {
            List<TokenizedText> members = new ArrayList<>(batch.length);
            for (int index : batch) {
                members.add(texts.get(index));
            }
            List<float[]> results = model.apply(members);
            for (int i = 0; i < batch.length; i++) {
                vectors[batch[i]] = results.get(i);
            }
        }
        return List.of(vectors);
    }

    private void failWaiting() {
        for (@Nullable Request request = queue.poll(); request != null; request = queue.poll()) {
            waitingTexts.addAndGet(-request.texts().size());
            request.result().completeExceptionally(new IllegalStateException("the embedding service is stopping"));
        }
    }
}
