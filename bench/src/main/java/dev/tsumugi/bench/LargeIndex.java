package dev.tsumugi.bench;

import dev.tsumugi.retriever.terms.TermAnalyzer;
import dev.tsumugi.retriever.terms.Terms;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;

/**
 * Many chunks in a tenant of their own, written straight into the retriever's tables in the form in which the service writes them. Each vector lies between those
 * of two real passages, and words follow Zipf's law, so that some stand in many chunks and most in few.
 */
final class LargeIndex {
    static final String TENANT = "bench-large";
    private static final int CHUNKS_PER_DOCUMENT = 10;
    private static final int WORDS_PER_CHUNK = 80;
    private static final int VOCABULARY = 20_000;
    /** The commonest words of a language are no search terms. */
    private static final int STOP_WORDS = 50;
    /** Length of the noise beside a vector of length 1. With much more the vectors would fill all directions, which those of texts do not. */
    private static final double NOISE = 0.05;

    private static final List<String> SYLLABLES =
            List.of("ka", "mo", "ri", "tu", "ne", "pa", "lo", "vi", "du", "ze", "bo", "ga", "hi", "ju", "fa", "wo");

    private final Connection database;
    private final Random random = new Random(7);
    private final double[] cumulated = new double[VOCABULARY];

    /** @param database a superuser's connection */
    LargeIndex(Connection database) {
        this.database = database;
        double sum = 0;
        for (int i = 0; i < VOCABULARY; i++) {
            sum += 1.0 / (i + 1 + STOP_WORDS);
            cumulated[i] = sum;
        }
    }

    /**
     * @param seeds vectors of real passages
     * @param generation of their index
     * @return text of each chunk
     */
    List<String> fill(int chunks, List<float[]> seeds, String generation) throws SQLException {
        long[] ids = nextIds(chunks);
        List<String> texts =
                IntStream.range(0, chunks).mapToObj(unused -> text()).toList();
        List<Terms> terms;
        try (TermAnalyzer analyzer = new TermAnalyzer()) {
            terms = texts.stream().map(analyzer::analyze).toList();
        }
        database.setAutoCommit(false);
        // References between these rows are right by construction; to look each of the millions up would take minutes.
        execute("SET LOCAL session_replication_role = replica");
        // So would putting vector by vector into an index that is larger than the buffers.
        String index = indexOfVectors();
        execute("DROP INDEX retriever.chunks_by_embedding");
        copy(
                "documents (tenant, document_id, version, state, generation, title, metadata, chunk_count, updated_at)",
                chunks / CHUNKS_PER_DOCUMENT,
                i -> line(
                        TENANT, document(i), 1, "INDEXED", generation, document(i), "{}", CHUNKS_PER_DOCUMENT, "now"));
        copy(
                "chunks (id, tenant, document_id, position, generation, hash, start_offset, end_offset, heading, text,"
                        + " term_count, embedding)",
                chunks,
                i -> line(
                        ids[i],
                        TENANT,
                        document(i / CHUNKS_PER_DOCUMENT),
                        i % CHUNKS_PER_DOCUMENT,
                        generation,
                        "hash-" + i,
                        0,
                        texts.get(i).length(),
                        "",
                        texts.get(i),
                        terms.get(i).length(),
                        Arrays.toString(between(
                                seeds.get(random.nextInt(seeds.size())), seeds.get(random.nextInt(seeds.size()))))));
        copy(
                "postings (tenant, term, chunk_id, frequency, chunk_length)",
                chunks,
                i -> terms.get(i).frequencies().entrySet().stream()
                        .map(term -> line(
                                TENANT,
                                term.getKey(),
                                ids[i],
                                term.getValue(),
                                terms.get(i).length()))
                        .collect(Collectors.joining()));
        execute("INSERT INTO retriever.tenant_statistics VALUES ('" + TENANT + "', " + chunks + ", "
                + terms.stream().mapToLong(Terms::length).sum() + ")");
        execute("SET LOCAL maintenance_work_mem = '512MB'");
        execute(index);
        database.commit();
        database.setAutoCommit(true);
        // Soon after, autovacuum would do it.
        execute("VACUUM ANALYZE retriever.documents, retriever.chunks, retriever.postings");
        return texts;
    }

    /** Takes out whatever is there. */
    void clear() throws SQLException {
        execute("SET session_replication_role = replica");
        for (String table : List.of("postings", "chunks", "documents", "tenant_statistics")) {
            execute("DELETE FROM retriever." + table + " WHERE tenant = '" + TENANT + "'");
        }
        execute("SET session_replication_role = origin");
        // To take so many out of the graph of vectors takes longer than to make it again of what is left.
        execute("REINDEX INDEX retriever.chunks_by_embedding");
        execute("VACUUM ANALYZE retriever.documents, retriever.chunks, retriever.postings");
    }

    private String indexOfVectors() throws SQLException {
        try (Statement statement = database.createStatement();
                ResultSet result =
                        statement.executeQuery("SELECT pg_get_indexdef('retriever.chunks_by_embedding'::regclass)")) {
            result.next();
            return result.getString(1);
        }
    }

    private static String document(int number) {
        return "large-" + number;
    }

    private String text() {
        return IntStream.range(0, WORDS_PER_CHUNK).mapToObj(unused -> word()).collect(Collectors.joining(" "));
    }

    private String word() {
        int found = Arrays.binarySearch(cumulated, random.nextDouble() * cumulated[VOCABULARY - 1]);
        int number = found < 0 ? -found - 1 : found;
        return IntStream.of(0, 4, 8, 12)
                .mapToObj(shift -> SYLLABLES.get(number >> shift & 15))
                .collect(Collectors.joining());
    }

    private float[] between(float[] one, float[] other) {
        double part = random.nextDouble();
        float[] vector = new float[one.length];
        for (int i = 0; i < vector.length; i++) {
            double noise = NOISE / Math.sqrt(vector.length) * random.nextGaussian();
            vector[i] = (float) (part * one[i] + (1 - part) * other[i] + noise);
        }
        return vector;
    }

    private long[] nextIds(int count) throws SQLException {
        // Each number of this sequence stands for 50 chunks, of which it is the last.
        try (PreparedStatement statement = database.prepareStatement(
                "SELECT id - i FROM (SELECT nextval('retriever.chunk_ids') AS id FROM generate_series(1, (? + 49) / 50)) ids,"
                        + " generate_series(0, 49) i")) {
            statement.setInt(1, count);
            try (ResultSet result = statement.executeQuery()) {
                long[] ids = new long[count];
                for (int i = 0; i < count && result.next(); i++) {
                    ids[i] = result.getLong(1);
                }
                return ids;
            }
        }
    }

    private void copy(String table, int count, IntFunction<String> rows) throws SQLException {
        CopyIn copy =
                database.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY retriever." + table + " FROM STDIN");
        for (int i = 0; i < count; i++) {
            byte[] row = rows.apply(i).getBytes(StandardCharsets.UTF_8);
            copy.writeToCopy(row, 0, row.length);
        }
        copy.endCopy();
    }

    /** In COPY's text format; no value here holds a character that it escapes. */
    private static String line(Object... values) {
        return Arrays.stream(values).map(String::valueOf).collect(Collectors.joining("\t", "", "\n"));
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = database.createStatement()) {
            statement.execute(sql);
        }
    }
}
