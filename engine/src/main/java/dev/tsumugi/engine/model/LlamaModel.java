package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.LinearLayer;
import dev.tsumugi.engine.kernels.LowRankRuns;
import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.model.LinearGroup.Projection;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Llama 2 and 3, SmolLM2, Mistral (sliding window), Qwen2 (biases on q, k, v) and Qwen3 (norms on q and k): pre-norm attention and SwiGLU,
 * each added to the residual stream.
 */
final class LlamaModel extends CausalModel {

    /** Weights of one layer. */
    private record Layer(
            Tensor attentionNorm,
            Weight query,
            Weight key,
            Weight value,
            Weight output,
            @Nullable Tensor queryBias,
            @Nullable Tensor keyBias,
            @Nullable Tensor valueBias,
            @Nullable Tensor outputBias,
            @Nullable Tensor queryNorm,
            @Nullable Tensor keyNorm,
            Tensor mlpNorm,
            Weight gate,
            Weight up,
            Weight down) {}

    private final EmbeddingTable embeddings;
    private final Layer[] layers;
    private final Tensor finalNorm;
    private final Weight head;
    private final RopeLayout ropeLayout;
    private final float attentionScale;

    private final Workspace normed;
    private final Workspace queries;
    private final Workspace keys;
    private final Workspace values;
    private final Workspace attended;
    private final Workspace added;
    private final Workspace gates;
    private final Workspace ups;

    LlamaModel(WeightLoader loader, DType cacheStorage) {
        super(loader, cacheStorage);
        int hidden = config.hiddenSize();
        int queryWidth = config.heads() * config.headSize();
        int keyWidth = config.keyValueHeads() * config.headSize();
        embeddings = loader.table("model.embed_tokens.weight", config.vocabularySize(), hidden);
        layers = new Layer[config.layers()];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = layer("model.layers." + i + ".");
        }
        finalNorm = loader.vector("model.norm.weight", hidden);
        String headName = loader.has("lm_head.weight") || !config.tiedEmbeddings()
                ? "lm_head.weight"
                : "model.embed_tokens.weight";
        head = loader.matrix(headName, config.vocabularySize(), hidden);
        ropeLayout = loader.files().ropeLayout();
        attentionScale = (float) (1 / Math.sqrt(config.headSize()));
        normed = workspace(hidden);
        queries = workspace(queryWidth);
        keys = workspace(keyWidth);
        values = workspace(keyWidth);
        attended = workspace(queryWidth);
        added = workspace(hidden);
        gates = workspace(config.intermediateSize());
        ups = workspace(config.intermediateSize());
    }

    private Layer layer(String name) {
        int hidden = config.hiddenSize();
        int queryWidth = config.heads() * config.headSize();
        int keyWidth = config.keyValueHeads() * config.headSize();
        int intermediate = config.intermediateSize();
        return new Layer(
                loader.vector(name + "input_layernorm.weight", hidden),
                loader.attentionInput(name + "self_attn.q_proj.weight", queryWidth, hidden),
                loader.attentionInput(name + "self_attn.k_proj.weight", keyWidth, hidden),
                loader.attentionInput(name + "self_attn.v_proj.weight", keyWidth, hidden),
                loader.matrix(name + "self_attn.o_proj.weight", hidden, queryWidth),
                loader.optionalVector(name + "self_attn.q_proj.bias", queryWidth),
                loader.optionalVector(name + "self_attn.k_proj.bias", keyWidth),
                loader.optionalVector(name + "self_attn.v_proj.bias", keyWidth),
                loader.optionalVector(name + "self_attn.o_proj.bias", hidden),
                loader.optionalVector(name + "self_attn.q_norm.weight", config.headSize()),
                loader.optionalVector(name + "self_attn.k_norm.weight", config.headSize()),
                loader.vector(name + "post_attention_layernorm.weight", hidden),
                loader.matrix(name + "mlp.gate_proj.weight", intermediate, hidden),
                loader.matrix(name + "mlp.up_proj.weight", intermediate, hidden),
                loader.matrix(name + "mlp.down_proj.weight", hidden, intermediate));
    }

    @Override
    List<LinearGroup> groups(int layer) {
        String name = "model.layers." + layer + ".";
        int hidden = config.hiddenSize();
        int intermediate = config.intermediateSize();
        return List.of(
                LinearGroup.of(
                        hidden,
                        rotated(name + "self_attn.q_proj", config.heads()),
                        rotated(name + "self_attn.k_proj", config.keyValueHeads()),
                        Projection.whole(name + "self_attn.v_proj", config.keyValueHeads() * config.headSize())),
                LinearGroup.of(config.heads() * config.headSize(), Projection.whole(name + "self_attn.o_proj", hidden)),
                LinearGroup.of(
                        hidden,
                        Projection.whole(name + "mlp.gate_proj", intermediate),
                        Projection.whole(name + "mlp.up_proj", intermediate)),
                LinearGroup.of(intermediate, Projection.whole(name + "mlp.down_proj", hidden)));
    }

    private Projection rotated(String module, int heads) {
        return ropeLayout == RopeLayout.NEIGHBOURS
                ? Projection.interleaved(module, heads, config.headSize())
                : Projection.whole(module, heads * config.headSize());
    }

    @Override
    LinearGroup headGroup() {
        return LinearGroup.of(config.hiddenSize(), Projection.whole("lm_head", config.vocabularySize()));
    }

    @Override
    void layers(Tensor x, BatchPlan plan, PagedCache cache, @Nullable LowRankRuns adapters) {
        int t = plan.tokens();
        int c = config.hiddenSize();
        int h = config.heads();
        int g = config.keyValueHeads();
        int d = config.headSize();
        float epsilon = config.normEpsilon();
        Tensor norm = normed.rows(t);
        Tensor q = queries.rows(t);
        Tensor k = keys.rows(t);
        Tensor v = values.rows(t);
        Tensor attention = attended.rows(t);
        Tensor add = added.rows(t);
        Tensor gate = gates.rows(t);
        Tensor up = ups.rows(t);
        for (int i = 0; i < layers.length && !isAbandoned(); i++) {
            Layer layer = layers[i];
            kernels.rmsNorm(norm, x, t, c, layer.attentionNorm, epsilon);
            kernels.linears(
                    norm,
                    t,
                    new LinearLayer(q, layer.query, layer.queryBias),
                    new LinearLayer(k, layer.key, layer.keyBias),
                    new LinearLayer(v, layer.value, layer.valueBias));
            if (adapters != null) {
                adapt(adapters, i, ATTENTION_IN, norm, q, k, v);
            }
            if (layer.queryNorm != null) {
                kernels.rmsNorm(q, q, t * h, d, layer.queryNorm, epsilon);
            }
            if (layer.keyNorm != null) {
                kernels.rmsNorm(k, k, t * g, d, layer.keyNorm, epsilon);
            }
            kernels.rope(q, plan, h, d, ropeLayout);
            kernels.rope(k, plan, g, d, ropeLayout);
            kernels.storeKeysValues(cache, i, plan, k, v);
            kernels.attention(attention, q, cache, i, plan, h, config.slidingWindow(), attentionScale);
            kernels.linear(add, attention, t, layer.output, layer.outputBias);
            if (adapters != null) {
                adapt(adapters, i, ATTENTION_OUT, attention, add);
            }
            probe.see(Probe.Point.ATTENTION_OUT, i, add, t, c);
            kernels.add(x, add, t * c);

            kernels.rmsNorm(norm, x, t, c, layer.mlpNorm, epsilon);
            kernels.linears(norm, t, new LinearLayer(gate, layer.gate, null), new LinearLayer(up, layer.up, null));
            if (adapters != null) {
                adapt(adapters, i, MLP_IN, norm, gate, up);
            }
            kernels.swiGlu(gate, gate, up, t * config.intermediateSize());
            kernels.linear(add, gate, t, layer.down, null);
            if (adapters != null) {
                adapt(adapters, i, MLP_OUT, gate, add);
            }
            probe.see(Probe.Point.MLP_OUT, i, add, t, c);
            kernels.add(x, add, t * c);
            probe.see(Probe.Point.LAYER_OUT, i, x, t, c);
        }
    }

    @Override
    EmbeddingTable embeddings() {
        return embeddings;
    }

    @Override
    void finalNorm(Tensor out, Tensor x, int rows) {
        kernels.rmsNorm(out, x, rows, config.hiddenSize(), finalNorm, config.normEpsilon());
    }

    @Override
    Weight head() {
        return head;
    }
}
