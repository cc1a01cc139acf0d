package dev.tsumugi.embed.lane;

import dev.tsumugi.embed.model.LengthBatches;
import dev.tsumugi.embed.model.TokenizedText;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A few threads that embed what many callers hand in. They take all that waits, up to a window of tokens, and cut that into batches by
 * length, of which each thread runs one at a time; so small requests share a batch, and a long document does not pad a short one. First in,
 * first out by window.
 */
public final class EmbeddingLane implements AutoCloseable {
    private final Function<List<TokenizedText>, List<float[]>> model;
    private final int batchTokens;
    private final int windowTokens;
    private final LinkedBlockingQueue<Request> queue = new LinkedBlockingQueue<>();
    private final AtomicInteger waitingTexts = new AtomicInteger();
    /** Ends the threads; never embedded. */
    private final Request end = new Request(List.of());

    private final List<Thread> threads;
    /** Held while the next batch is taken, also while there is nothing to take. */
    private final ReentrantLock taking = new ReentrantLock();

    /** Of the last window, those that no thread has taken yet. */
    private final Deque<List<Item>> batches = new ArrayDeque<>();

    private volatile boolean closed;

    private record Item(Request request, int index) {
        TokenizedText text() {
            return request.texts.get(index);
        }
    }

    private final class Request {
        private final List<TokenizedText> texts;
        private final CompletableFuture<List<float[]>> result = new CompletableFuture<>();
        private final float[][] vectors;
        private final AtomicInteger missing;

        Request(List<TokenizedText> texts) {
            this.texts = List.copyOf(texts);
            vectors = new float[texts.size()][];
            missing = new AtomicInteger(texts.size());
        }

        void put(int index, float[] vector) {
            vectors[index] = vector;
            if (missing.decrementAndGet() == 0) {
                waitingTexts.addAndGet(-texts.size());
                result.complete(List.of(vectors));
            }
        }

        /** Once; its texts in other batches no longer matter. */
        void fail(Throwable cause) {
            if (missing.getAndSet(Integer.MIN_VALUE / 2) > 0) {
                waitingTexts.addAndGet(-texts.size());
                result.completeExceptionally(cause);
            }
        }
    }

    /**
     * @param name of the threads
     * @param runs how many batches are in work at once
     * @param model embeds one batch
     * @param batchTokens most padded tokens of one batch
     * @param windowTokens most tokens, about, that are sorted by length together
     */
    public EmbeddingLane(
            String name,
            int runs,
            Function<List<TokenizedText>, List<float[]>> model,
            int batchTokens,
            int windowTokens) {
        this.model = model;
        this.batchTokens = batchTokens;
        this.windowTokens = windowTokens;
        threads = IntStream.range(0, runs)
                .mapToObj(i -> Thread.ofPlatform().name(name + "-" + i).daemon().unstarted(this::run))
                .toList();
        threads.forEach(Thread::start);
    }

    /**
     * @return the vectors in order; fails with what the model threw, or with {@link IllegalStateException} after {@link #close}
     */
    public CompletableFuture<List<float[]>> submit(List<TokenizedText> texts) {
        Request request = new Request(texts);
        if (texts.isEmpty()) {
            request.result.complete(List.of());
            return request.result;
        }
        waitingTexts.addAndGet(texts.size());
        queue.add(request);
        if (closed) {
            failWaiting();
        }
        return request.result;
    }

    /** Texts that are not yet embedded. */
    public int waitingTexts() {
        return waitingTexts.get();
    }

    @Override
    public void close() {
        closed = true;
        queue.add(end);
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        failWaiting();
    }

    private void run() {
        List<Item> batch;
        while ((batch = nextBatch()) != null) {
            try {
                embed(batch);
            } catch (RuntimeException | Error e) {
                embedAlone(batch, e);
            }
        }
    }

    /** Null when the lane is closed. */
    private @Nullable List<Item> nextBatch() {
        taking.lock();
        try {
            while (!closed && batches.isEmpty()) {
                takeWindow();
            }
            return closed ? null : batches.remove();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        } finally {
            taking.unlock();
        }
    }

    private void takeWindow() throws InterruptedException {
        List<Item> window = new ArrayList<>();
        int tokens = 0;
        for (@Nullable Request next = queue.take(); next != null && next != end; next = queue.poll()) {
            for (int i = 0; i < next.texts.size(); i++) {
                window.add(new Item(next, i));
                tokens += next.texts.get(i).length();
            }
            if (tokens >= windowTokens) {
                break;
            }
        }
        for (int[] batch : LengthBatches.of(window.stream().map(Item::text).toList(), batchTokens)) {
            batches.add(IntStream.of(batch).mapToObj(window::get).toList());
        }
    }

    private void embed(List<Item> batch) {
        List<float[]> vectors = model.apply(batch.stream().map(Item::text).toList());
        for (int i = 0; i < batch.size(); i++) {
            Item item = batch.get(i);
            item.request().put(item.index(), vectors.get(i));
        }
    }

    /** One poisonous text must not take its neighbours down: each request gets a run of its own. */
    private void embedAlone(List<Item> batch, Throwable firstFailure) {
        Map<Request, List<Item>> byRequest = new LinkedHashMap<>();
        batch.forEach(item -> byRequest
                .computeIfAbsent(item.request(), unused -> new ArrayList<>())
                .add(item));
        byRequest.forEach((request, items) -> {
            try {
                embed(items);
            } catch (RuntimeException | Error e) {
                if (e != firstFailure) {
                    e.addSuppressed(firstFailure);
                }
                request.fail(e);
            }
        });
    }

    private void failWaiting() {
        IllegalStateException stopping = new IllegalStateException("the embedding service is stopping");
        taking.lock();
        try {
            batches.forEach(batch -> batch.forEach(item -> item.request().fail(stopping)));
            batches.clear();
        } finally {
            taking.unlock();
        }
        for (@Nullable Request request = queue.poll(); request != null; request = queue.poll()) {
            request.fail(stopping);
        }
    }
}
