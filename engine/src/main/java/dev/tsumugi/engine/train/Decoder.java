package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BatchPlan;
import dev.tsumugi.engine.kernels.EmbeddingTable;
import dev.tsumugi.engine.kernels.Kernels;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.TrainingKernels.AttentionShape;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.model.RopeFrequencies;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.DecoderShape.Group;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model under training. Its forward pass is that of inference with what the backward pass needs kept on tapes, its backward pass the mirror of
 * it: same names, opposite order. Below the first adapted layer nothing is kept and no gradient is computed. Logits are computed for some
 * target tokens at a time, and for no others.
 */
final class Decoder implements AutoCloseable {
    /** Bytes of logits that are computed at a time. */
    static final long LOGIT_BYTES = 24L << 20;

    private static final String EMBEDDED = "embedded";
    private static final String GRADIENT = "gradient";
    private static final String NORMED = "normed";
    private static final String D_NORMED = "gradient by normed";
    private static final String INNER = "inner";
    private static final String D_INNER = "gradient by inner";
    private static final String D_OUTER = "gradient by the block's way in";
    private static final String D_HEADS = "gradient by heads";
    private static final String D_ATTENDED = "gradient by attended";
    private static final String PICKED = "picked rows";
    private static final String LOGITS = "logits";
    private static final String HEAD_SHRUNK = "shrunk by the head";

    /** A norm's weights; without a bias it is an RMS norm. */
    private record Norm(Tensor weight, @Nullable Tensor bias) {}

    /** One layer's weights. */
    private record Layer(
            Norm attentionNorm,
            AdaptedLinear heads,
            @Nullable Tensor queryNorm,
            @Nullable Tensor keyNorm,
            AdaptedLinear attentionOut,
            Norm mlpNorm,
            AdaptedLinear mlpIn,
            AdaptedLinear mlpOut) {}

    /**
     * What the backward pass needs of one layer, [rows, width] each.
     *
     * @param rawHeads queries and keys before their norms; null where there are none
     * @param middle the residual stream between the blocks
     * @param inner the feed-forward block's first product, before the activation; F32, or of {@link TrainingKernels#keptType}
     * @param shrunk of each group, as {@link AdaptedLinear#forward} keeps it
     */
    private record Tape(
            @Nullable Tensor rawHeads,
            Tensor heads,
            Tensor logSums,
            Tensor attended,
            Tensor middle,
            Tensor inner,
            Tensor[] shrunk) {}

    private final ModelConfig config;
    private final Backend backend;
    private final Kernels kernels;
    private final TrainingKernels training;
    private final boolean gated;
    private final boolean tanh;
    private final EmbeddingTable embeddings;
    private final Layer[] layers;
    private final Norm finalNorm;
    private final AdaptedLinear head;
    private final float[] cosines;
    private final float[] sines;
    private final int rotaryPairs;
    private final int firstAdapted;
    private final int firstAdaptedGroup;
    private final boolean computeTwice;
    private final Scratchpad scratch;
    private final int capacity;
    private final int chunkRows;
    /** [L + 1] the residual stream before each layer and behind the last; those below the first adapted layer share two. */
    private final Tensor[] streams;

    private final Tape[] tapes;
    private final List<AutoCloseable> owned = new ArrayList<>();

    /**
     * @param files stay open as long as this
     * @param capacity tokens of a micro-batch, at most
     * @param computeTwice keeps only the residual stream of each layer and computes the rest again in the backward pass
     */
    Decoder(
            ModelFiles files,
            DecoderShape shape,
            TrainingSettings settings,
            LoraParameters parameters,
            Backend backend,
            int capacity,
            boolean computeTwice) {
        config = files.config();
        this.backend = backend;
        this.capacity = capacity;
        this.computeTwice = computeTwice;
        kernels = backend.kernels();
        training = backend.trainingKernels();
        gated = config.family() == ModelConfig.Family.LLAMA;
        tanh = config.activation() == ModelConfig.Activation.GELU_TANH;
        scratch = new Scratchpad(backend);
        owned.add(scratch);
        int first = 0;
        List<Group> groups = shape.all();
        while (parameters.group(groups.get(first)) == null) {
            first++;
        }
        firstAdapted = first / DecoderShape.GROUPS;
        firstAdaptedGroup = first % DecoderShape.GROUPS;
        BaseLinears linears = new BaseLinears(files, backend, settings.base());
        String tableName = gated ? "model.embed_tokens.weight" : "gpt_neox.embed_in.weight";
        embeddings = backend.prepareTable(linears.required(tableName, config.vocabularySize(), config.hiddenSize()));
        owned.add(embeddings::close);
        layers = new Layer[config.layers()];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = layer(i, linears, shape, settings, parameters);
            // What is packed is not read again; without this the whole file would count as our memory until the end.
            files.unload();
        }
        finalNorm = norm(linears, gated ? "model.norm" : "gpt_neox.final_layer_norm");
        String headName = shape.head().modules().getFirst().name() + ".weight";
        boolean own = files.tensor(headName).isPresent() || !config.tiedEmbeddings();
        head = new AdaptedLinear(
                backend,
                linears.load(shape.head(), false, List.of(own ? headName : tableName), true),
                parameters,
                parameters.group(shape.head()),
                (float) settings.dropout(),
                layers.length * DecoderShape.GROUPS,
                scratch);
        owned.add(head);
        float[] frequencies = RopeFrequencies.of(files);
        rotaryPairs = frequencies.length;
        // Sequences are no longer than the model's context, whatever a micro-batch holds.
        int positions = config.contextLength() > 0 ? Math.min(capacity, config.contextLength()) : capacity;
        cosines = new float[positions * rotaryPairs];
        sines = new float[positions * rotaryPairs];
        for (int i = 0; i < cosines.length; i++) {
            float angle = i / rotaryPairs * frequencies[i % rotaryPairs];
            cosines[i] = (float) Math.cos(angle);
            sines[i] = (float) Math.sin(angle);
        }
        chunkRows = chunkRows(config, capacity);
        streams = new Tensor[layers.length + 1];
        tapes = new Tape[layers.length];
        allocateTapes(shape, parameters);
    }

    static int chunkRows(ModelConfig config, int capacity) {
        long rows = LOGIT_BYTES / (4L * config.vocabularySize());
        return (int) Math.min(capacity, Math.max(16, rows & -16L));
    }

    private Layer layer(
            int i, BaseLinears linears, DecoderShape shape, TrainingSettings settings, LoraParameters parameters) {
        String name = (gated ? "model.layers." : "gpt_neox.layers.") + i + ".";
        AdaptedLinear[] groups = new AdaptedLinear[DecoderShape.GROUPS];
        for (int g = 0; g < groups.length; g++) {
            Group group = shape.group(i, g);
            boolean passes = i > firstAdapted || i == firstAdapted && g > firstAdaptedGroup;
            groups[g] = new AdaptedLinear(
                    backend,
                    linears.load(
                            group,
                            true,
                            group.modules().stream()
                                    .map(m -> m.name() + ".weight")
                                    .toList(),
                            passes),
                    parameters,
                    parameters.group(group),
                    (float) settings.dropout(),
                    i * DecoderShape.GROUPS + g,
                    scratch);
            owned.add(groups[g]);
        }
        return new Layer(
                norm(linears, name + "input_layernorm"),
                groups[DecoderShape.ATTENTION_IN],
                gated ? linears.optionalVector(name + "self_attn.q_norm.weight", config.headSize()) : null,
                gated ? linears.optionalVector(name + "self_attn.k_norm.weight", config.headSize()) : null,
                groups[DecoderShape.ATTENTION_OUT],
                norm(linears, name + "post_attention_layernorm"),
                groups[DecoderShape.MLP_IN],
                groups[DecoderShape.MLP_OUT]);
    }

    private Norm norm(BaseLinears linears, String name) {
        return new Norm(
                linears.vector(name + ".weight", config.hiddenSize()),
                gated ? null : linears.vector(name + ".bias", config.hiddenSize()));
    }

    private void allocateTapes(DecoderShape shape, LoraParameters parameters) {
        Tensor[] passing = {activation(config.hiddenSize()), activation(config.hiddenSize())};
        for (int i = 0; i < streams.length; i++) {
            streams[i] = i < firstAdapted ? passing[i % 2] : activation(config.hiddenSize());
        }
        Tape shared = firstAdapted > 0 || computeTwice ? tape(0, shape, parameters) : null;
        for (int i = 0; i < tapes.length; i++) {
            tapes[i] = shared != null && (computeTwice || i < firstAdapted) ? shared : tape(i, shape, parameters);
        }
    }

    private Tape tape(int layer, DecoderShape shape, LoraParameters parameters) {
        Tensor[] shrunk = new Tensor[DecoderShape.GROUPS];
        for (int g = 0; g < shrunk.length; g++) {
            int ranks = 0;
            // A tape that layers share has room for each of them.
            for (int i = computeTwice ? 0 : layer; i < (computeTwice ? layers.length : layer + 1); i++) {
                LoraParameters.AdaptedGroup group = parameters.group(shape.group(i, g));
                ranks = Math.max(ranks, group == null ? 0 : group.ranks());
            }
            shrunk[g] = activation(Math.max(1, ranks));
        }
        int headsWidth = (config.heads() + 2 * config.keyValueHeads()) * config.headSize();
        return new Tape(
                layers[layer].queryNorm == null && layers[layer].keyNorm == null ? null : activation(headsWidth),
                activation(headsWidth),
                activation(config.heads()),
                activation(config.heads() * config.headSize()),
                activation(config.hiddenSize()),
                activation(keptType(config, backend), (gated ? 2 : 1) * config.intermediateSize()),
                shrunk);
    }

    /** Type of {@link Tape#inner}. */
    static DType keptType(ModelConfig config, Backend backend) {
        return config.family() == ModelConfig.Family.LLAMA
                ? backend.trainingKernels().keptType(config.intermediateSize())
                : DType.F32;
    }

    private Tensor activation(int width) {
        return activation(DType.F32, width);
    }

    private Tensor activation(DType type, int width) {
        Tensor tensor = backend.allocate(type, capacity, width);
        owned.add(((OwnedMemory) tensor.memory())::close);
        return tensor;
    }

    /** Bytes that {@link #allocateTapes} and the scratch buffers take for each token, about. */
    static long bytesPerToken(
            ModelConfig config,
            DecoderShape shape,
            LoraShape lora,
            DType kept,
            boolean headNorms,
            boolean computeTwice) {
        boolean gated = config.family() == ModelConfig.Family.LLAMA;
        int headsWidth = (config.heads() + 2 * config.keyValueHeads()) * config.headSize();
        int inner = (gated ? 2 : 1) * config.intermediateSize();
        long tape = (headNorms ? 2L : 1L) * headsWidth
                + config.heads()
                + (long) config.heads() * config.headSize()
                + config.hiddenSize()
                + kept.bytes(inner) / Float.BYTES
                + lora.ranksOfLayer();
        long layers = computeTwice ? 1 : shape.layers() - lora.firstAdapted() + 1;
        long streams = (long) config.hiddenSize() * (shape.layers() - lora.firstAdapted() + 3);
        long scratch = 5L * config.hiddenSize()
                + 2L * headsWidth
                + 2L * config.intermediateSize()
                + inner
                + 4L * config.heads() * config.headSize();
        return 4 * (tape * layers + streams + scratch);
    }

    /** What a forecast needs to know of the adapters: ranks that a layer's groups have together, and the lowest layer with one. */
    record LoraShape(int ranksOfLayer, int firstAdapted) {}

    /** Sum of the loss over the batch's targets, without label smoothing. */
    double loss(MicroBatch batch) {
        forward(batch, 0);
        return targets(batch, 0, 0, 0, null);
    }

    /**
     * Adds {@code gradientScale} times the gradient of the summed loss to the adapters' gradients.
     *
     * @param seed of the dropout; 0: none
     * @return sum of the loss over the batch's targets
     */
    double lossAndGradients(MicroBatch batch, double smoothing, float gradientScale, int seed) {
        forward(batch, seed);
        Tensor dX = scratch.rows(GRADIENT, batch.size(), config.hiddenSize());
        training.clear(dX, (long) batch.size() * config.hiddenSize());
        double loss = targets(batch, smoothing, gradientScale, seed, dX);
        AttentionShape attention = attention(batch);
        for (int i = layers.length - 1; i >= firstAdapted; i--) {
            if (computeTwice) {
                layerForward(i, batch, attention, seed, null);
            }
            layerBackward(i, dX, batch, attention, seed);
        }
        return loss;
    }

    private AttentionShape attention(MicroBatch batch) {
        return new AttentionShape(
                batch.starts(),
                config.heads(),
                config.keyValueHeads(),
                config.headSize(),
                config.slidingWindow(),
                (float) (1 / Math.sqrt(config.headSize())));
    }

    private void forward(MicroBatch batch, int seed) {
        if (batch.size() > capacity) {
            throw new IllegalArgumentException(batch.size() + " tokens do not fit a micro-batch of " + capacity);
        }
        int[] alone = new int[batch.size()];
        try (BatchPlan plan = kernels.plan(
                batch.tokens(),
                positionsOfOne(batch.size()),
                alone,
                new int[][] {{0}},
                alone,
                capacity + 1,
                new float[0])) {
            kernels.embed(streams[0], plan, embeddings);
        }
        AttentionShape attention = attention(batch);
        for (int i = 0; i < layers.length; i++) {
            layerForward(i, batch, attention, seed, streams[i + 1]);
        }
    }

    private static int[] positionsOfOne(int size) {
        int[] positions = new int[size];
        Arrays.setAll(positions, t -> t);
        return positions;
    }

    /** @param out the residual stream behind the layer; null when only the tape is wanted */
    private void layerForward(int i, MicroBatch batch, AttentionShape attention, int seed, @Nullable Tensor out) {
        Layer layer = layers[i];
        Tape tape = tapes[i];
        Tensor x = streams[i];
        int t = batch.size();
        int c = config.hiddenSize();
        int d = config.headSize();
        int headsWidth = attention.heads() * d + 2 * attention.keyValueHeads() * d;
        Tensor normed = scratch.rows(NORMED, t, c);
        normalize(normed, x, t, layer.attentionNorm);
        layer.heads.forward(tape.heads, normed, t, tape.shrunk[DecoderShape.ATTENTION_IN], seed);
        if (tape.rawHeads != null) {
            training.scale(tape.rawHeads, tape.heads, t * headsWidth, 1);
            headNorms(tape.heads, tape.rawHeads, t, headsWidth, layer);
        }
        rotate(tape.heads, batch, headsWidth, false);
        training.attention(tape.attended, tape.logSums, tape.heads, attention);
        layer.attentionOut.forward(tape.middle, tape.attended, t, tape.shrunk[DecoderShape.ATTENTION_OUT], seed);
        kernels.add(tape.middle, x, t * c);

        // In a parallel layer the feed-forward block reads the stream as it was before attention added to it.
        normalize(normed, config.parallelResidual() ? x : tape.middle, t, layer.mlpNorm);
        boolean kept = tape.inner.dtype() == DType.F32;
        Tensor product = kept ? tape.inner : scratch.rows(D_OUTER, t, layer.mlpIn.outputs());
        layer.mlpIn.forward(product, normed, t, tape.shrunk[DecoderShape.MLP_IN], seed);
        if (out == null && !layer.mlpOut.isAdapted() && kept) {
            return;
        }
        Tensor inner = scratch.rows(INNER, t, config.intermediateSize());
        activate(inner, product, kept ? null : tape.inner, t);
        if (out == null && !layer.mlpOut.isAdapted()) {
            return;
        }
        Tensor to = out == null ? scratch.rows(D_NORMED, t, c) : out;
        layer.mlpOut.forward(to, inner, t, tape.shrunk[DecoderShape.MLP_OUT], seed);
        if (out != null) {
            kernels.add(out, tape.middle, t * c);
        }
    }

    /** @param dX the gradient by the residual stream behind the layer before, by that in front of it after; of no use below the last learner */
    private void layerBackward(int i, Tensor dX, MicroBatch batch, AttentionShape attention, int seed) {
        Layer layer = layers[i];
        Tape tape = tapes[i];
        Tensor x = streams[i];
        int t = batch.size();
        int c = config.hiddenSize();
        int d = config.headSize();
        int f = config.intermediateSize();
        int headsWidth = attention.heads() * d + 2 * attention.keyValueHeads() * d;
        int last = i == firstAdapted ? firstAdaptedGroup : -1;
        boolean parallel = config.parallelResidual();
        Tensor normed = scratch.rows(NORMED, t, c);
        Tensor dNormed = scratch.rows(D_NORMED, t, c);
        Tensor inner = scratch.rows(INNER, t, f);
        Tensor dInner = scratch.rows(D_INNER, t, f);

        if (layer.mlpOut.isAdapted()) {
            activate(inner, tape.inner, null, t);
        }
        layer.mlpOut.backward(
                last == DecoderShape.MLP_OUT ? null : dInner, dX, inner, t, tape.shrunk[DecoderShape.MLP_OUT], seed);
        if (last == DecoderShape.MLP_OUT) {
            return;
        }
        Tensor dOuter = scratch.rows(D_OUTER, t, layer.mlpIn.outputs());
        activateBackward(dOuter, dInner, tape.inner, t);
        Tensor mlpInput = parallel ? x : tape.middle;
        normalize(normed, mlpInput, t, layer.mlpNorm);
        layer.mlpIn.backward(
                last == DecoderShape.MLP_IN ? null : dNormed,
                dOuter,
                normed,
                t,
                tape.shrunk[DecoderShape.MLP_IN],
                seed);
        if (last == DecoderShape.MLP_IN) {
            return;
        }
        if (!parallel) {
            normalizeBackward(dX, dNormed, mlpInput, t, layer.mlpNorm);
        }

        Tensor dAttended = scratch.rows(D_ATTENDED, t, config.heads() * d);
        layer.attentionOut.backward(
                last == DecoderShape.ATTENTION_OUT ? null : dAttended,
                dX,
                tape.attended,
                t,
                tape.shrunk[DecoderShape.ATTENTION_OUT],
                seed);
        if (last == DecoderShape.ATTENTION_OUT) {
            return;
        }
        if (parallel) {
            normalizeBackward(dX, dNormed, mlpInput, t, layer.mlpNorm);
        }
        Tensor dHeads = scratch.rows(D_HEADS, t, headsWidth);
        training.attentionBackward(dHeads, dAttended, tape.attended, tape.logSums, tape.heads, attention);
        rotate(dHeads, batch, headsWidth, true);
        if (tape.rawHeads != null) {
            headNormsBackward(dHeads, tape.rawHeads, t, headsWidth, layer);
        }
        normalize(normed, x, t, layer.attentionNorm);
        layer.heads.backward(
                last == DecoderShape.ATTENTION_IN ? null : dNormed,
                dHeads,
                normed,
                t,
                tape.shrunk[DecoderShape.ATTENTION_IN],
                seed);
        if (last != DecoderShape.ATTENTION_IN) {
            normalizeBackward(dX, dNormed, x, t, layer.attentionNorm);
        }
    }

    /**
     * Sums the loss, some target tokens at a time.
     *
     * @param dX gets the gradient by the residual stream behind the last layer; null when none is wanted
     */
    private double targets(MicroBatch batch, double smoothing, float gradientScale, int seed, @Nullable Tensor dX) {
        int c = config.hiddenSize();
        int v = config.vocabularySize();
        double loss = 0;
        Tensor stream = streams[layers.length];
        for (int from = 0; from < batch.targets().length; from += chunkRows) {
            int rows = Math.min(chunkRows, batch.targets().length - from);
            Tensor picked = scratch.rows(PICKED, chunkRows, c);
            int[] targetRows = Arrays.copyOfRange(batch.targetRows(), from, from + rows);
            training.gather(picked, stream, targetRows, c);
            Tensor normed = scratch.rows(NORMED, chunkRows, c);
            normalize(normed, picked, rows, finalNorm);
            Tensor logits = scratch.rows(LOGITS, chunkRows, v);
            Tensor shrunk = scratch.rows(HEAD_SHRUNK, chunkRows, Math.max(1, head.ranks()));
            // The head's dropout must not repeat from one part of the batch to the next.
            int own = seed == 0 ? 0 : seed + 7919 * (1 + from);
            head.forward(logits, normed, rows, shrunk, own);
            int[] aims = Arrays.copyOfRange(batch.targets(), from, from + rows);
            loss += training.crossEntropy(logits, aims, rows, v, smoothing, dX == null ? 0 : gradientScale);
            if (dX == null) {
                continue;
            }
            Tensor dNormed = scratch.rows(D_NORMED, chunkRows, c);
            boolean passes = firstAdapted < layers.length;
            head.backward(passes ? dNormed : null, logits, normed, rows, shrunk, own);
            if (passes) {
                Tensor dPicked = scratch.rows(EMBEDDED, chunkRows, c);
                training.clear(dPicked, (long) rows * c);
                normalizeBackward(dPicked, dNormed, picked, rows, finalNorm);
                training.scatter(dX, dPicked, targetRows, c);
            }
        }
        return loss;
    }

    private void normalize(Tensor out, Tensor x, int rows, Norm norm) {
        if (norm.bias == null) {
            kernels.rmsNorm(out, x, rows, config.hiddenSize(), norm.weight, config.normEpsilon());
        } else {
            kernels.layerNorm(out, x, rows, config.hiddenSize(), norm.weight, norm.bias, config.normEpsilon());
        }
    }

    private void normalizeBackward(Tensor dX, Tensor dOut, Tensor x, int rows, Norm norm) {
        if (norm.bias == null) {
            training.rmsNormBackward(dX, dOut, x, rows, config.hiddenSize(), norm.weight, config.normEpsilon());
        } else {
            training.layerNormBackward(dX, dOut, x, rows, config.hiddenSize(), norm.weight, config.normEpsilon());
        }
    }

    private void headNorms(Tensor out, Tensor raw, int rows, int stride, Layer layer) {
        int d = config.headSize();
        if (layer.queryNorm != null) {
            training.headNorm(out, raw, rows, stride, 0, config.heads(), d, layer.queryNorm, config.normEpsilon());
        }
        if (layer.keyNorm != null) {
            training.headNorm(
                    out,
                    raw,
                    rows,
                    stride,
                    config.heads(),
                    config.keyValueHeads(),
                    d,
                    layer.keyNorm,
                    config.normEpsilon());
        }
    }

    private void headNormsBackward(Tensor dHeads, Tensor raw, int rows, int stride, Layer layer) {
        int d = config.headSize();
        if (layer.queryNorm != null) {
            training.headNormBackward(
                    dHeads, raw, rows, stride, 0, config.heads(), d, layer.queryNorm, config.normEpsilon());
        }
        if (layer.keyNorm != null) {
            training.headNormBackward(
                    dHeads,
                    raw,
                    rows,
                    stride,
                    config.heads(),
                    config.keyValueHeads(),
                    d,
                    layer.keyNorm,
                    config.normEpsilon());
        }
    }

    private void rotate(Tensor heads, MicroBatch batch, int stride, boolean backward) {
        training.rope(
                heads,
                stride,
                config.heads() + config.keyValueHeads(),
                config.headSize(),
                batch.positions(),
                cosines,
                sines,
                rotaryPairs,
                backward);
    }

    /** @param kept gets {@code inner} rounded; null where that is kept itself */
    private void activate(Tensor out, Tensor inner, @Nullable Tensor kept, int rows) {
        if (gated) {
            training.swiGlu(out, inner, kept, rows, config.intermediateSize());
        } else {
            training.gelu(out, inner, rows * config.intermediateSize(), tanh);
        }
    }

    private void activateBackward(Tensor dInner, Tensor dOut, Tensor inner, int rows) {
        if (gated) {
            training.swiGluBackward(dInner, dOut, inner, rows, config.intermediateSize());
        } else {
            training.geluBackward(dInner, dOut, inner, rows * config.intermediateSize(), tanh);
        }
    }

    /** Residual stream behind a layer, as the last forward pass left it; for tests. */
    Tensor stream(int layer) {
        return streams[layer + 1];
    }

    @Override
    public void close() {
        for (AutoCloseable resource : owned.reversed()) {
            try {
                resource.close();
            } catch (Exception e) {
                throw new IllegalStateException("a part of the model could not be freed", e);
            }
        }
        for (Layer layer : layers) {
            close(layer.attentionNorm.weight, layer.attentionNorm.bias, layer.mlpNorm.weight, layer.mlpNorm.bias);
            close(layer.queryNorm, layer.keyNorm);
        }
        close(finalNorm.weight, finalNorm.bias);
    }

    private static void close(@Nullable Tensor... tensors) {
        for (Tensor tensor : tensors) {
            if (tensor != null) {
                ((OwnedMemory) tensor.memory()).close();
            }
        }
    }
}
