package dev.tsumugi.embed.model;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import ai.onnxruntime.ValueInfo;
import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An E5 embedding model under ONNX Runtime: prefix, tokenize, run, mean over the tokens, unit length (Wang et al. 2022, "Text
 * Embeddings by Weakly-Supervised Contrastive Pre-training"). Safe for use by many threads.
 *
 * <p>It loads the model twice. {@link #embed} divides each operation among the cores, which serves one question soonest; {@link
 * #embedOnOneCore} keeps to the caller's, which gets through many batches sooner when as many callers as there are cores run it: no core waits
 * for another at the end of each operation.
 */
public final class OnnxEmbedder implements AutoCloseable {
    /** The index holds vectors of this size only. */
    public static final int DIMENSION = 384;

    /** Position embeddings of the E5 small models. */
    private static final int MAX_TOKENS = 512;

    /** Named in the generation: change it when the same model file would give other vectors. */
    private static final String RECIPE = "e5-prefixes/mean/unit/1";

    private static final String IDS = "input_ids";
    private static final String MASK = "attention_mask";
    private static final String TYPES = "token_type_ids";

    private final String name;
    private final String indexGeneration;
    private final TextTokenizer tokenizer;
    private final OrtEnvironment environment;
    private final OrtSession session;
    private final OrtSession oneCore;
    private final boolean needsMask;
    private final boolean needsTypes;
    private final String output;
    /** Whether the output has one vector a token [B,T,D], or one a text [B,D]. */
    private final boolean perToken;

    /**
     * Loads a model; takes about two seconds.
     *
     * @param nativeCache folder for native libraries
     * @param threads cores that one run of {@link #embed} uses
     * @throws IllegalArgumentException when the files are not an embedding model of {@value #DIMENSION} dimensions
     */
    public OnnxEmbedder(ModelFiles files, Path nativeCache, int threads) {
        name = files.name();
        indexGeneration = generation(files.sha256());
        tokenizer = new TextTokenizer(files.tokenizer(), nativeCache, MAX_TOKENS);
        OnnxRuntimeLibrary.unpack(nativeCache);
        environment = OrtEnvironment.getEnvironment();
        try {
            session = environment.createSession(files.onnx().toString(), options(threads));
            oneCore = threads == 1
                    ? session
                    : environment.createSession(files.onnx().toString(), options(1));
            Set<String> inputs = session.getInputNames();
            if (!inputs.contains(IDS) || !Set.of(IDS, MASK, TYPES).containsAll(inputs)) {
                throw new IllegalArgumentException("embedding model " + files.onnx() + " wants inputs " + inputs
                        + "; supported are " + IDS + ", " + MASK + " and " + TYPES);
            }
            needsMask = inputs.contains(MASK);
            needsTypes = inputs.contains(TYPES);
            NodeInfo vectors = vectorOutput(files, session.getOutputInfo());
            output = vectors.getName();
            perToken = rank(vectors.getInfo()) == 3;
        } catch (OrtException e) {
            tokenizer.close();
            throw new IllegalArgumentException(
                    "cannot load embedding model " + files.onnx() + ": " + e.getMessage()
                            + "; it must be an ONNX export of a sentence embedding model",
                    e);
        }
    }

    public String name() {
        return name;
    }

    /** Short name of model, tokenizer and recipe: vectors are comparable exactly when it is the same. */
    public String indexGeneration() {
        return indexGeneration;
    }

    /** Adds the prefix of {@code kind} and cuts at the model's maximum. */
    public List<TokenizedText> tokenize(Kind kind, List<String> texts) {
        String prefix = switch (kind) {
            case QUERY -> "query: ";
            case PASSAGE -> "passage: ";
        };
        return tokenizer.tokenize(texts.stream().map(text -> prefix + text).toList());
    }

    /**
     * One run of the model on all cores.
     *
     * @param batch B texts, padded to the longest of them, T tokens
     * @return B vectors of {@value #DIMENSION}, unit length, in order
     */
    public List<float[]> embed(List<TokenizedText> batch) {
        return run(session, batch);
    }

    /** As {@link #embed}, on the core of the caller. */
    public List<float[]> embedOnOneCore(List<TokenizedText> batch) {
        return run(oneCore, batch);
    }

    private List<float[]> run(OrtSession session, List<TokenizedText> batch) {
        if (batch.isEmpty()) {
            return List.of();
        }
        int rows = batch.size();
        int columns = batch.stream().mapToInt(TokenizedText::length).max().orElseThrow();
        LongBuffer ids = direct(rows * columns);
        LongBuffer mask = direct(rows * columns);
        for (int row = 0; row < rows; row++) {
            long[] tokens = batch.get(row).ids();
            ids.put(row * columns, tokens);
            for (int t = 0; t < tokens.length; t++) {
                mask.put(row * columns + t, 1);
            }
        }
        long[] shape = {rows, columns};
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try {
            inputs.put(IDS, OnnxTensor.createTensor(environment, ids, shape));
            if (needsMask) {
                inputs.put(MASK, OnnxTensor.createTensor(environment, mask, shape));
            }
            if (needsTypes) {
                inputs.put(TYPES, OnnxTensor.createTensor(environment, direct(rows * columns), shape));
            }
            try (OrtSession.Result result = session.run(inputs, Set.of(output))) {
                FloatBuffer values = ((OnnxTensor) result.get(0)).getFloatBuffer();
                return perToken ? meanOfTokens(values, batch, columns) : rowsOf(values, rows);
            }
        } catch (OrtException e) {
            throw new IllegalStateException(
                    "embedding model " + name + " failed on " + rows + " texts of up to " + columns + " tokens: "
                            + e.getMessage(),
                    e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    @Override
    public void close() {
        tokenizer.close();
        try {
            session.close();
            if (oneCore != session) {
                oneCore.close();
            }
        } catch (OrtException e) {
            throw new IllegalStateException("cannot close embedding model " + name, e);
        }
    }

    private static List<float[]> meanOfTokens(FloatBuffer values, List<TokenizedText> batch, int columns) {
        List<float[]> vectors = new ArrayList<>(batch.size());
        float[] token = new float[DIMENSION];
        for (int row = 0; row < batch.size(); row++) {
            float[] sum = new float[DIMENSION];
            int length = batch.get(row).length();
            for (int t = 0; t < length; t++) {
                values.get((row * columns + t) * DIMENSION, token);
                for (int d = 0; d < DIMENSION; d++) {
                    sum[d] += token[d];
                }
            }
            vectors.add(unit(sum));
        }
        return vectors;
    }

    private static List<float[]> rowsOf(FloatBuffer values, int rows) {
        List<float[]> vectors = new ArrayList<>(rows);
        for (int row = 0; row < rows; row++) {
            float[] vector = new float[DIMENSION];
            values.get(row * DIMENSION, vector);
            vectors.add(unit(vector));
        }
        return vectors;
    }

    /** Scales to length 1, which also makes the mean of a sum. */
    private static float[] unit(float[] vector) {
        double squares = 0;
        for (float value : vector) {
            squares += (double) value * value;
        }
        if (!(squares > 0) || Double.isInfinite(squares)) {
            throw new IllegalStateException("embedding model gave a vector without direction (zero, infinite or NaN)");
        }
        float scale = (float) (1 / Math.sqrt(squares));
        for (int d = 0; d < vector.length; d++) {
            vector[d] *= scale;
        }
        return vector;
    }

    private static LongBuffer direct(int size) {
        return ByteBuffer.allocateDirect(Math.multiplyExact(size, Long.BYTES))
                .order(ByteOrder.nativeOrder())
                .asLongBuffer();
    }

    private static OrtSession.SessionOptions options(int threads) throws OrtException {
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(threads);
        options.setInterOpNumThreads(1);
        options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        // Every batch has another shape: a remembered allocation plan never fits and only holds memory.
        options.setMemoryPatternOptimization(false);
        // Idle threads must sleep: the language model needs the same cores.
        options.addConfigEntry("session.intra_op.allow_spinning", "0");
        return options;
    }

    private static NodeInfo vectorOutput(ModelFiles files, Map<String, NodeInfo> outputs) {
        for (String known : List.of("sentence_embedding", "last_hidden_state", "token_embeddings")) {
            NodeInfo node = outputs.get(known);
            if (node != null && isVectors(node.getInfo())) {
                return node;
            }
        }
        return outputs.values().stream()
                .filter(node -> isVectors(node.getInfo()))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("embedding model " + files.onnx() + " gives "
                        + outputs.values() + "; the index takes float vectors of " + DIMENSION
                        + " dimensions, as e5-small models give them"));
    }

    private static boolean isVectors(ValueInfo info) {
        int rank = rank(info);
        return (rank == 2 || rank == 3)
                && info instanceof TensorInfo tensor
                && tensor.type == OnnxJavaType.FLOAT
                && tensor.getShape()[rank - 1] == DIMENSION;
    }

    private static int rank(ValueInfo info) {
        return info instanceof TensorInfo tensor ? tensor.getShape().length : -1;
    }

    private static String generation(String filesSha256) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] hash = digest.digest((RECIPE + "/" + filesSha256).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 6);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }
}
