package dev.tsumugi.embed;

import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.embed.lane.EmbeddingLane;
import dev.tsumugi.embed.model.OnnxEmbedder;
import dev.tsumugi.embed.model.TokenizedText;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Texts to vectors. Short requests, questions above all, have a lane of their own that runs beside the one for documents: they share
 * cores with a bulk batch but never wait for it to end.
 */
class EmbeddingService implements AutoCloseable {
    private static final int QUICK_TOKENS = 512;
    private static final int BATCHES_PER_WINDOW = 4;

    private final OnnxEmbedder embedder;
    private final EmbeddingLane quick;
    private final EmbeddingLane bulk;
    private final Counter texts;
    private final Counter tokens;
    private final Counter truncated;

    /**
     * @param vectors in order of the texts
     * @param tokens over all texts, special ones included
     */
    record Embedded(List<float[]> vectors, int tokens) {}

    EmbeddingService(OnnxEmbedder embedder, int threads, int batchTokens, MeterRegistry meters) {
        this.embedder = embedder;
        quick = new EmbeddingLane("embed-quick", 1, embedder::embed, QUICK_TOKENS, QUICK_TOKENS);
        bulk = new EmbeddingLane(
                "embed-bulk",
                threads,
                embedder::embedOnOneCore,
                batchTokens,
                BATCHES_PER_WINDOW * threads * batchTokens);
        texts = Counter.builder("tsumugi.embed.texts")
                .description("Texts embedded")
                .register(meters);
        tokens = Counter.builder("tsumugi.embed.tokens")
                .description("Tokens embedded")
                .register(meters);
        truncated = Counter.builder("tsumugi.embed.truncated")
                .description("Texts cut at the model's maximum length")
                .register(meters);
        Gauge.builder("tsumugi.embed.waiting", this, EmbeddingService::waitingTexts)
                .description("Texts that wait to be embedded")
                .register(meters);
    }

    CompletableFuture<Embedded> embed(Kind kind, List<String> inputs) {
        List<TokenizedText> tokenized = embedder.tokenize(kind, inputs);
        int count = tokenized.stream().mapToInt(TokenizedText::length).sum();
        texts.increment(tokenized.size());
        tokens.increment(count);
        truncated.increment(tokenized.stream().filter(TokenizedText::truncated).count());
        EmbeddingLane lane = kind == Kind.QUERY && count <= QUICK_TOKENS ? quick : bulk;
        return lane.submit(tokenized).thenApply(vectors -> new Embedded(vectors, count));
    }

    /** Texts that are not yet embedded. */
    int waitingTexts() {
        return quick.waitingTexts() + bulk.waitingTexts();
    }

    String model() {
        return embedder.name();
    }

    String indexGeneration() {
        return embedder.indexGeneration();
    }

    @Override
    public void close() {
        quick.close();
        bulk.close();
    }
}
