package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.LowRankSource;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** What the forward passes of all families share: embedding in front, output rows through norm and head behind. */
abstract class CausalModel implements LanguageModel {
    private static final BooleanSupplier NEVER = () -> false;

    /** The groups of a layer, by their index in {@link #groups}. */
    static final int ATTENTION_IN = 0;

    static final int ATTENTION_OUT = 1;
    static final int MLP_IN = 2;
    static final int MLP_OUT = 3;
    private static final int GROUPS = 4;

    final ModelConfig config;
    final Kernels kernels;
    final WeightLoader loader;
    Probe probe = Probe.NONE;
    private BooleanSupplier abandoned = NEVER;

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
        inverseFrequencies = RopeFrequencies.of(loader.files());
        residual = workspace(config.hiddenSize());
        outputRows = workspace(config.hiddenSize());
        logitRows = workspace(config.vocabularySize());
    }

    final Workspace workspace(int width) {
        Workspace workspace = new Workspace(backend, width);
        workspaces.add(workspace);
        return workspace;
    }

    abstract EmbeddingTable embeddings();

    /**
     * Runs all layers over {@code x} [T, C] in place.
     *
     * @param adapters by token; null when no token has one
     */
    abstract void layers(Tensor x, BatchPlan plan, PagedCache cache, @Nullable LowRankRuns adapters);

    /** What adapters can change in one layer: {@link #ATTENTION_IN}, {@link #ATTENTION_OUT}, {@link #MLP_IN}, {@link #MLP_OUT}. */
    abstract List<LinearGroup> groups(int layer);

    abstract LinearGroup headGroup();

    /** Whether the pass in progress is to end before its next layer. */
    final boolean isAbandoned() {
        return abandoned.getAsBoolean();
    }

    /** {@code out} may be {@code x}. */
    abstract void finalNorm(Tensor out, Tensor x, int rows);

    abstract Weight head();

    /** Groups of all layers, one layer behind another, and the head's. */
    private List<LinearGroup> allGroups() {
        List<LinearGroup> groups = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            groups.addAll(groups(i));
        }
        groups.add(headGroup());
        return groups;
    }

    /** Adds what the adapters add to the linear layers of one group, whose outputs are in {@code outs}. */
    final void adapt(LowRankRuns adapters, int layer, int group, Tensor x, Tensor... outs) {
        kernels.addLowRank(outs, x, adapters, layer * GROUPS + group);
    }

    @Override
    public final Map<String, Shape> adaptableModules() {
        Map<String, Shape> modules = new LinkedHashMap<>();
        allGroups().forEach(group -> modules.putAll(group.modules()));
        return Collections.unmodifiableMap(modules);
    }

    @Override
    public final LowRankUpdates prepareAdapter(Map<String, LowRankPair> pairs) {
        Map<String, Shape> modules = adaptableModules();
        pairs.forEach((name, pair) -> {
            Shape shape = modules.get(name);
            if (shape == null) {
                throw new IllegalArgumentException("this model has no linear layer " + name);
            }
            Shape a = pair.a().shape();
            Shape b = pair.b().shape();
            if (a.rank() != 2 || b.rank() != 2 || a.get(1) != shape.get(1) || b.get(0) != shape.get(0)) {
                throw new IllegalArgumentException(
                        "layer " + name + " has shape " + shape + ", its adapter A " + a + " and B " + b
                                + "; they must be [rank, " + shape.get(1) + "] and [" + shape.get(0) + ", rank]");
            }
        });
        List<@Nullable LowRankSource> sources = new ArrayList<>();
        allGroups().forEach(group -> sources.add(group.source(pairs)));
        return backend.prepareLowRank(sources);
    }

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
    public final int alikeRows() {
        return kernels.alikeRows();
    }

    @Override
    public final boolean forward(Batch batch, KvCache cache, OutputRows wanted, BooleanSupplier abandoned) {
        this.abandoned = abandoned;
        try {
            return compute(batch, cache, wanted);
        } finally {
            // What it looks at, the requests of a step, must not outlive the step.
            this.abandoned = NEVER;
        }
    }

    private boolean compute(Batch batch, KvCache cache, OutputRows wanted) {
        int tokens = batch.size();
        int outputs = batch.outputs().length;
        if (wanted.rows() != outputs || wanted.vocabulary() != config.vocabularySize()) {
            throw new IllegalArgumentException("room for " + wanted.rows() + " rows of " + wanted.vocabulary()
                    + " logits is not that of a batch with " + outputs + " of " + config.vocabularySize());
        }
        if (tokens == 0) {
            return true;
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
            layers(x, plan, PagedKvCache.of(cache), AdapterRuns.ofTokens(batch));
            if (isAbandoned()) {
                return false;
            }
            if (outputs == 0) {
                return true;
            }
            Tensor rows = outputRows.rows(outputs);
            kernels.gatherOutputs(rows, x, plan, config.hiddenSize());
            finalNorm(rows, rows, outputs);
            probe.see(Probe.Point.FINAL_NORM, 0, rows, outputs, config.hiddenSize());
            Tensor out = logitRows.rows(outputs);
            kernels.linear(out, rows, outputs, head(), null);
            LowRankRuns adapters = AdapterRuns.ofOutputs(batch);
            if (adapters != null) {
                adapt(adapters, config.layers(), 0, rows, out);
            }
            if (wanted.wantsLargest()) {
                kernels.largest(wanted.largest, wanted.leads, out, outputs, config.vocabularySize());
            }
            if (kernels.draws() && wanted.wantsDraws()) {
                kernels.draw(wanted.largest, wanted.draws, out, outputs, config.vocabularySize());
                wanted.setDrawn();
            }
            if (wanted.wantsLogits()) {
                backend.download(out, wanted.logits, outputs * config.vocabularySize());
            }
            return true;
        }
    }

    @Override
    public final void close() {
        workspaces.forEach(Workspace::close);
        loader.close();
    }
}
