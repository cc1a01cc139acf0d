package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** What the forward passes of all families share: embedding in front, output rows through norm and head behind. */
abstract class CausalModel implements LanguageModel {
    final ModelConfig config;
    final Kernels kernels;
    final WeightLoader loader;
    Probe probe = Probe.NONE;

    private final Backend backend;
    private final DType cacheStorage;
    private final float[] inverseFrequencies;
    private final List<Workspace> workspaces = new ArrayList<>();
    private final Workspace residual;
    private final Workspace outputRows;
    private final Workspace logitRows;

    CausalModel(WeightLoader loader, DType cacheStorage) {
        this.loader = loader;
        this.cacheStorage = cacheStorage;
        backend = loader.backend();
        config = loader.files().config();
        kernels = backend.kernels();
        inverseFrequencies = inverseFrequencies(loader.files());
        residual = workspace(config.hiddenSize());
        outputRows = workspace(config.hiddenSize());
        logitRows = workspace(config.vocabularySize());
    }

    private static float[] inverseFrequencies(ModelFiles files) {
        float[] frequencies = RopeFrequencies.of(files.config());
        files.tensor(ModelFiles.ROPE_FREQUENCY_FACTORS).ifPresent(tensor -> {
            float[] factors = Floats.of(tensor, frequencies.length);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= factors[i];
            }
        });
        return frequencies;
    }

    final Workspace workspace(int width) {
        Workspace workspace = new Workspace(backend, width);
        workspaces.add(workspace);
        return workspace;
    }

    abstract EmbeddingTable embeddings();

    /** Runs all layers over {@code x} [T, C] in place. */
    abstract void layers(Tensor x, BatchPlan plan, PagedCache cache);

    /** {@code out} may be {@code x}. */
    abstract void finalNorm(Tensor out, Tensor x, int rows);

    abstract Weight head();

    @Override
    public final ModelConfig config() {
        return config;
    }

    @Override
    public final KvCache newCache(int blocks, int blockTokens) {
        return new PagedKvCache(backend.newCache(
                config.layers(), blocks, blockTokens, config.keyValueHeads(), config.headSize(), cacheStorage));
    }

    @Override
    public final long cacheBlockBytes(int blockTokens) {
        return backend.cacheBlockBytes(
                config.layers(), blockTokens, config.keyValueHeads(), config.headSize(), cacheStorage);
    }

    @Override
    public final void forward(Batch batch, KvCache cache, float[] logits) {
        int tokens = batch.size();
        int outputs = batch.outputs().length;
        if ((long) outputs * config.vocabularySize() > logits.length) {
            throw new IllegalArgumentException(outputs + " rows of " + config.vocabularySize()
                    + " logits do not fit an array of " + logits.length);
        }
        if (tokens == 0) {
            return;
        }
        Tensor x = residual.rows(tokens);
        try (BatchPlan plan = kernels.plan(
                batch.tokens(),
                batch.positions(),
                batch.sequences(),
                batch.blockTables(),
                batch.outputs(),
                cache.blockTokens(),
                inverseFrequencies)) {
            kernels.embed(x, plan, embeddings());
            probe.see(Probe.Point.EMBEDDING, 0, x, tokens, config.hiddenSize());
            layers(x, plan, PagedKvCache.of(cache));
            if (outputs == 0) {
                return;
            }
            Tensor rows = outputRows.rows(outputs);
            kernels.gatherOutputs(rows, x, plan, config.hiddenSize());
            finalNorm(rows, rows, outputs);
            probe.see(Probe.Point.FINAL_NORM, 0, rows, outputs, config.hiddenSize());
            Tensor out = logitRows.rows(outputs);
            kernels.linear(out, rows, outputs, head(), null);
            backend.download(out, logits, outputs * config.vocabularySize());
        }
    }

    @Override
    public final void close() {
        workspaces.forEach(Workspace::close);
        loader.close();
    }
}
