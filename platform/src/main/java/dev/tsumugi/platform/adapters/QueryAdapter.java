package dev.tsumugi.platform.adapters;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a job with the objective {@code rag-sequence} has learned about questions: {@code q' = normalize(q + B A q)} for the vector q of a
 * question, where A is [r, D] and B [D, r]. Vectors of passages stay as they are, so nothing is indexed anew.
 *
 * <p>As a file it is a JSON object: {@code format} ({@value #FORMAT}), {@code indexGeneration}, {@code dimension}, {@code rank}, and {@code a}
 * and {@code b}, 32-bit floats, little-endian, row after row, in Base64.
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record QueryAdapter(String indexGeneration, int dimension, int rank, float[] a, float[] b) {
    /** In the folder of a trained adapter. */
    public static final String FILE = "query_adapter.json";

    public static final int MOST_BYTES = 4 << 20;
    private static final String FORMAT = "tsumugi-query-adapter-1";
    private static final int MOST_RANK = 64;
    private static final int MOST_DIMENSIONS = 4096;
    private static final JsonMapper JSON = JsonMapper.shared();

    private record File(String format, String indexGeneration, int dimension, int rank, String a, String b) {}

    /** @throws IllegalArgumentException saying what is wrong */
    public QueryAdapter {
        if (rank < 1 || rank > MOST_RANK || dimension < 1 || dimension > MOST_DIMENSIONS) {
            throw new IllegalArgumentException("a query adapter has rank 1 to " + MOST_RANK + " and up to "
                    + MOST_DIMENSIONS + " dimensions, but this one has " + rank + " and " + dimension);
        }
        requireSound("A", a, rank * dimension);
        requireSound("B", b, rank * dimension);
    }

    private static void requireSound(String name, float[] matrix, int count) {
        if (matrix.length != count) {
            throw new IllegalArgumentException(name + " has " + matrix.length + " values, not " + count);
        }
        for (float value : matrix) {
            if (!Float.isFinite(value)) {
                throw new IllegalArgumentException(name + " holds " + value);
            }
        }
    }

    /** @throws IllegalArgumentException when it is no sound query adapter */
    public static QueryAdapter parse(byte[] content) {
        if (content.length > MOST_BYTES) {
            throw new IllegalArgumentException("a query adapter has at most " + MOST_BYTES + " bytes");
        }
        try {
            File file = JSON.readValue(content, File.class);
            if (!FORMAT.equals(file.format()) || file.indexGeneration() == null) {
                throw new IllegalArgumentException("it is not of the format " + FORMAT);
            }
            return new QueryAdapter(
                    file.indexGeneration(), file.dimension(), file.rank(), floats(file.a()), floats(file.b()));
        } catch (JacksonException e) {
            throw new IllegalArgumentException("it is no sound JSON: " + e.getOriginalMessage(), e);
        }
    }

    private static float[] floats(String text) {
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(text)).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = new float[bytes.remaining() / Float.BYTES];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    private static String text(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return Base64.getEncoder().encodeToString(bytes.array());
    }

    /** As a file. */
    public byte[] content() {
        return JSON.writeValueAsBytes(new File(FORMAT, indexGeneration, dimension, rank, text(a), text(b)));
    }

    /**
     * @param question [D], unit length
     * @return [D], unit length
     * @throws IllegalArgumentException for another dimension
     */
    public float[] apply(float[] question) {
        if (question.length != dimension) {
            throw new IllegalArgumentException(
                    "the vector has " + question.length + " dimensions, the query adapter " + dimension);
        }
        double[] adapted = new double[dimension];
        for (int i = 0; i < dimension; i++) {
            adapted[i] = question[i];
        }
        for (int r = 0; r < rank; r++) {
            double inner = 0;
            for (int i = 0; i < dimension; i++) {
                inner += a[r * dimension + i] * (double) question[i];
            }
            for (int i = 0; i < dimension; i++) {
                adapted[i] += b[i * rank + r] * inner;
            }
        }
        double square = 0;
        for (double value : adapted) {
            square += value * value;
        }
        double length = Math.sqrt(square);
        float[] unit = new float[dimension];
        for (int i = 0; i < dimension; i++) {
            unit[i] = (float) (adapted[i] / length);
        }
        return unit;
    }
}
