package dev.tsumugi.bench;

import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.embed.model.LengthBatches;
import dev.tsumugi.embed.model.ModelFiles;
import dev.tsumugi.embed.model.OnnxEmbedder;
import dev.tsumugi.embed.model.TokenizedText;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * ONNX Runtime without a platform around it, on the bundled embedding model: what ingest can at most reach on these cores. As fast as it gets on
 * two of them: one batch on each core is about a tenth faster than one batch on both.
 */
final class OnnxAlone implements AutoCloseable {
    private static final int BATCH_TOKENS = 512;

    private final OnnxEmbedder embedder;

    OnnxAlone(Path cache) {
        embedder = new OnnxEmbedder(
                ModelFiles.bundled(cache),
                cache.resolve("native"),
                Runtime.getRuntime().availableProcessors());
    }

    /** Texts embedded per second, tokenizing included. */
    double rate(List<String> texts) {
        long start = System.nanoTime();
        List<TokenizedText> tokenized = embedder.tokenize(Kind.PASSAGE, texts);
        // The common pool has one thread less than there are cores, and the caller is the last one.
        LengthBatches.of(tokenized, BATCH_TOKENS).parallelStream()
                .forEach(batch -> embedder.embedOnOneCore(
                        Arrays.stream(batch).mapToObj(tokenized::get).toList()));
        return texts.size() / ((System.nanoTime() - start) / 1e9);
    }

    @Override
    public void close() {
        embedder.close();
    }
}
