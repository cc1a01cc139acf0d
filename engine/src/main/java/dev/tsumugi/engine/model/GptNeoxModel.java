package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.LinearLayer;
import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.model.LinearGroup.Projection;
import dev.tsumugi.engine.model.ModelConfig.Activation;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * GPT-NeoX (rinna, open-calm, Pythia): layer norms and linears with bias, partial rotary embedding, GELU; attention and feed-forward read the
 * same residual stream (parallel) or one after the other (sequential).
 */
final class GptNeoxModel extends CausalModel {

    private record Norm(Tensor weight, Tensor bias) {}

    private record Linear(Weight weight, Tensor bias) {
        LinearLayer to(Tensor out) {
            return new LinearLayer(out, weight, bias);
        }
    }

    private record Layer(
            Norm attentionNorm,
            Linear query,
            Linear key,
            Linear value,
            Linear output,
            Norm mlpNorm,
            Linear up,
            Linear down) {}

    private final EmbeddingTable embeddings;
    private final Layer[] layers;
    private final Norm finalNorm;
    private final Weight head;
    private final RopeLayout ropeLayout;
    private final float attentionScale;

    private final Workspace normed;
    private final Workspace queries;
    private final Workspace keys;
    private final Workspace values;
    private final Workspace attended;
    private final Workspace added;
    private final Workspace ups;

    GptNeoxModel(WeightLoader loader, DType cacheStorage) {
        super(loader, cacheStorage);
        if (config.keyValueHeads() != config.heads()) {
            throw new IllegalArgumentException("GPT-NeoX has one key/value head per query head, not "
                    + config.keyValueHeads() + " for " + config.heads());
        }
        int hidden = config.hiddenSize();
        int headsWidth = config.heads() * config.headSize();
        embeddings = loader.table("gpt_neox.embed_in.weight", config.vocabularySize(), hidden);
        layers = new Layer[config.layers()];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = layer("gpt_neox.layers." + i + ".");
        }
        finalNorm = norm("gpt_neox.final_layer_norm");
        String headName = loader.has("embed_out.weight") || !config.tiedEmbeddings()
                ? "embed_out.weight"
                : "gpt_neox.embed_in.weight";
        head = loader.matrix(headName, config.vocabularySize(), hidden);
        ropeLayout = loader.files().ropeLayout();
        attentionScale = (float) (1 / Math.sqrt(config.headSize()));
        normed = workspace(hidden);
        queries = workspace(headsWidth);
        keys = workspace(headsWidth);
        values = workspace(headsWidth);
        attended = workspace(headsWidth);
        added = workspace(hidden);
        ups = workspace(config.intermediateSize());
    }

    private Layer layer(String name) {
        int hidden = config.hiddenSize();
        int headsWidth = config.heads() * config.headSize();
        String fused = name + "attention.query_key_value";
        try (Arena copies = Arena.ofShared()) {
            return new Layer(
                    norm(name + "input_layernorm"),
                    fusedPart(fused, 0, copies),
                    fusedPart(fused, 1, copies),
                    fusedPart(fused, 2, copies),
                    linear(name + "attention.dense", hidden, headsWidth),
                    norm(name + "post_attention_layernorm"),
                    linear(name + "mlp.dense_h_to_4h", config.intermediateSize(), hidden),
                    linear(name + "mlp.dense_4h_to_h", hidden, config.intermediateSize()));
        }
    }

    private Linear fusedPart(String name, int part, Arena copies) {
        int heads = config.heads();
        int headSize = config.headSize();
        int rows = FusedQueryKeyValue.PARTS * heads * headSize;
        Tensor matrix = loader.required(name + ".weight", rows, config.hiddenSize());
        float[] bias = Floats.of(loader.required(name + ".bias", rows), rows);
        return new Linear(
                loader.prepareAttentionInput(FusedQueryKeyValue.part(matrix, part, heads, headSize, copies)),
                loader.upload(FusedQueryKeyValue.part(bias, part, heads, headSize)));
    }

    private Linear linear(String name, int outputs, int inputs) {
        return new Linear(loader.matrix(name + ".weight", outputs, inputs), loader.vector(name + ".bias", outputs));
    }

    private Norm norm(String name) {
        return new Norm(
                loader.vector(name + ".weight", config.hiddenSize()),
                loader.vector(name + ".bias", config.hiddenSize()));
    }

    @Override
    List<LinearGroup> groups(int layer) {
        String name = "gpt_neox.layers." + layer + ".";
        int hidden = config.hiddenSize();
        int headsWidth = config.heads() * config.headSize();
        return List.of(
                LinearGroup.of(hidden, fused(name, 0), fused(name, 1), fused(name, 2)),
                LinearGroup.of(headsWidth, Projection.whole(name + "attention.dense", hidden)),
                LinearGroup.of(hidden, Projection.whole(name + "mlp.dense_h_to_4h", config.intermediateSize())),
                LinearGroup.of(config.intermediateSize(), Projection.whole(name + "mlp.dense_4h_to_h", hidden)));
    }

    private Projection fused(String layer, int part) {
        return Projection.part(layer + "attention.query_key_value", part, config.heads(), config.headSize());
    }

    @Override
    LinearGroup headGroup() {
        return LinearGroup.of(config.hiddenSize(), Projection.whole("embed_out", config.vocabularySize()));
    }

    @Override
    void layers(Tensor x, BatchPlan plan, PagedCache cache, @Nullable LowRankRuns adapters) {
        int t = plan.tokens();
        int c = config.hiddenSize();
        int h = config.heads();
        int d = config.headSize();
        Tensor norm = normed.rows(t);
        Tensor q = queries.rows(t);
        Tensor k = keys.rows(t);
        Tensor v = values.rows(t);
        Tensor attention = attended.rows(t);
        Tensor add = added.rows(t);
        Tensor up = ups.rows(t);
        for (int i = 0; i < layers.length && !isAbandoned(); i++) {
            Layer layer = layers[i];
            normalize(norm, x, t, layer.attentionNorm);
            kernels.linears(norm, t, layer.query.to(q), layer.key.to(k), layer.value.to(v));
            if (adapters != null) {
                adapt(adapters, i, ATTENTION_IN, norm, q, k, v);
            }
            kernels.rope(q, plan, h, d, ropeLayout);
            kernels.rope(k, plan, h, d, ropeLayout);
            kernels.storeKeysValues(cache, i, plan, k, v);
            kernels.attention(attention, q, cache, i, plan, h, config.slidingWindow(), attentionScale);
            apply(add, attention, t, layer.output);
            if (adapters != null) {
                adapt(adapters, i, ATTENTION_OUT, attention, add);
            }
            probe.see(Probe.Point.ATTENTION_OUT, i, add, t, c);
            if (config.parallelResidual()) {
                // The feed-forward block reads the stream as it was before attention added to it.
                normalize(norm, x, t, layer.mlpNorm);
                kernels.add(x, add, t * c);
            } else {
                kernels.add(x, add, t * c);
                normalize(norm, x, t, layer.mlpNorm);
            }
            apply(up, norm, t, layer.up);
            if (adapters != null) {
                adapt(adapters, i, MLP_IN, norm, up);
            }
            activate(up, t * config.intermediateSize());
            apply(add, up, t, layer.down);
            if (adapters != null) {
                adapt(adapters, i, MLP_OUT, up, add);
            }
            probe.see(Probe.Point.MLP_OUT, i, add, t, c);
            kernels.add(x, add, t * c);
            probe.see(Probe.Point.LAYER_OUT, i, x, t, c);
        }
    }

    private void apply(Tensor out, Tensor x, int rows, Linear linear) {
        kernels.linear(out, x, rows, linear.weight, linear.bias);
    }

    private void normalize(Tensor out, Tensor x, int rows, Norm norm) {
        kernels.layerNorm(out, x, rows, config.hiddenSize(), norm.weight, norm.bias, config.normEpsilon());
    }

    private void activate(Tensor x, int count) {
        if (config.activation() == Activation.GELU_TANH) {
            kernels.geluTanh(x, count);
        } else {
            kernels.geluErf(x, count);
        }
    }

    @Override
    EmbeddingTable embeddings() {
        return embeddings;
    }

    @Override
    void finalNorm(Tensor out, Tensor x, int rows) {
        normalize(out, x, rows, finalNorm);
    }

    @Override
    Weight head() {
        return head;
    }
}
