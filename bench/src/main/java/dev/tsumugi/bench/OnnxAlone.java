package dev.tsumugi.bench;

import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.embed.model.LengthBatches;
import dev.tsumugi.embed.model.ModelFiles;
import dev.tsumugi.embed.model.OnnxEmbedder;
import dev.tsumugi.embed.model.TokenizedText;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** ONNX Runtime without a platform around it, on the bundled embedding model: what ingest can at most reach on these cores. */
final class OnnxAlone implements AutoCloseable {
    /** The best of 512 to 6144 on two cores. */
    private static final int BATCH_TOKENS = 1024;

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
        for (int[] batch : LengthBatches.of(tokenized, BATCH_TOKENS)) {
            embedder.embed(Arrays.stream(batch).mapToObj(tokenized::get).toList());
        }
        return texts.size() / ((System.nanoTime() - start) / 1e9);
    }

    @Override
    public void close() {
        embedder.close();
    }
}
