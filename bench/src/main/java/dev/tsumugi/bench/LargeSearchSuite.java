package dev.tsumugi.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** Searches in an index of a realistic size, beside the bare pgvector query that each of them contains. */
final class LargeSearchSuite implements Suite {
    private static final int CHUNKS = 100_000;
    private static final int SEED_DOCUMENTS = 12;
    private static final int QUERIES = 60;
    private static final int QUERY_WORDS = 6;
    private static final int LIMIT = 10;
    /** Least part of the truly nearest chunks that a search by the index of vectors must find; made-up vectors are harder than those of texts. */
    private static final double LEAST_RECALL = 0.75;

    private final PlatformClient platform;

    LargeSearchSuite(PlatformClient platform) {
        this.platform = platform;
    }

    @Override
    public String name() {
        return "search-large";
    }

    @Override
    public String description() {
        return "Search among " + CHUNKS + " chunks of one tenant: median latency of " + QUERIES
                + " different queries a run, and of the bare pgvector query; takes minutes, in which nobody else can search";
    }

    private record Seeds(List<float[]> vectors, String generation) {}

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        try (Connection database = Database.connect(platform)) {
            LargeIndex index = new LargeIndex(database);
            index.clear();
            try {
                Seeds seeds = seeds(database);
                List<String> texts = index.fill(CHUNKS, seeds.vectors(), seeds.generation());
                measure(runs, database, texts, figures);
            } finally {
                index.clear();
            }
        } catch (SQLException e) {
            throw new BenchException("the database does not answer: " + e.getMessage(), e);
        }
    }

    private void measure(int runs, Connection database, List<String> texts, Consumer<Figure> figures)
            throws SQLException {
        PlatformClient tenant = platform.in(LargeIndex.TENANT);
        double[] fresh = new double[runs];
        double[] again = new double[runs];
        double[] vector = new double[runs];
        double[] lexical = new double[runs];
        double[] bare = new double[runs];
        Random random = new Random(11);
        double recall = checkRecall(tenant, database, queries(texts, random));
        Processors processors = new Processors(Locations.platformProcesses(platform.home()));
        for (int run = 0; run < runs; run++) {
            List<String> queries = queries(texts, random);
            fresh[run] = search(tenant, queries, "hybrid");
            again[run] = search(tenant, queries, "hybrid");
            vector[run] = search(tenant, queries, "vector");
            lexical[run] = search(tenant, queries, "lexical");
            bare[run] = bareQueries(database, queries);
        }
        double others = processors.otherCores();
        int threads = Runtime.getRuntime().availableProcessors();
        String size = ", " + CHUNKS + " chunks";
        figures.accept(new Figure("search p50" + size, "ms", fresh, threads, others));
        figures.accept(new Figure("search p50, query embedded before" + size, "ms", again, threads, others));
        figures.accept(
                new Figure("search by vectors p50, query embedded before" + size, "ms", vector, threads, others));
        figures.accept(new Figure("search by words p50" + size, "ms", lexical, threads, others));
        figures.accept(new Figure("bare pgvector query p50" + size, "ms", bare, threads, others));
        figures.accept(new Figure(
                "recall of a search by vectors, of the " + LIMIT + " nearest" + size,
                "%",
                new double[] {100 * recall},
                threads,
                others));
    }

    /** Vectors of real passages, as the index holds them. */
    private Seeds seeds(Connection database) throws SQLException {
        Random random = new Random(5);
        List<String> ids = IntStream.range(0, SEED_DOCUMENTS)
                .mapToObj(i -> "large-seed-" + i)
                .toList();
        for (int i = 0; i < ids.size(); i++) {
            platform.put(ids.get(i), SampleText.report(i, random));
        }
        Waiting waiting = new Waiting(platform);
        ids.forEach(waiting::untilIndexed);
        List<float[]> vectors = new ArrayList<>();
        String generation = "";
        try (PreparedStatement statement =
                database.prepareStatement("SELECT CAST(embedding AS real[]), generation FROM retriever.chunks"
                        + " WHERE tenant = ? AND starts_with(document_id, 'large-seed-') ORDER BY id")) {
            statement.setString(1, PlatformClient.TENANT);
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    Float[] values = (Float[]) result.getArray(1).getArray();
                    float[] vector = new float[values.length];
                    for (int i = 0; i < vector.length; i++) {
                        vector[i] = values[i];
                    }
                    vectors.add(vector);
                    generation = result.getString(2);
                }
            }
        }
        ids.forEach(platform::delete);
        return new Seeds(vectors, generation);
    }

    /** A meaning near the passages' own, and words in a row that stand in one passage only. */
    private static List<String> queries(List<String> texts, Random random) {
        return IntStream.range(0, QUERIES)
                .mapToObj(i -> {
                    String sentence = SampleText.report(i, random).split("\\. ")[0];
                    List<String> words = Arrays.asList(
                            texts.get(random.nextInt(texts.size())).split(" "));
                    int from = random.nextInt(words.size() - QUERY_WORDS);
                    return sentence + "; " + String.join(" ", words.subList(from, from + QUERY_WORDS));
                })
                .toList();
    }

    /** @return mean part of the truly nearest chunks that a search by vectors finds */
    private static double checkRecall(PlatformClient tenant, Connection database, List<String> queries)
            throws SQLException {
        int found = 0;
        for (String query : queries) {
            Set<String> exact = exactlyNearest(database, tenant.embedQuery(query));
            for (JsonNode hit : tenant.search(query, "vector", LIMIT).get("hits")) {
                found += exact.contains(hit.get("chunkId").stringValue()) ? 1 : 0;
            }
        }
        double recall = (double) found / (queries.size() * LIMIT);
        BenchException.require(
                recall >= LEAST_RECALL, "searches by vectors find only " + recall + " of the nearest chunks");
        return recall;
    }

    /** Ids of the nearest chunks, by looking at all. */
    private static Set<String> exactlyNearest(Connection database, float[] vector) throws SQLException {
        Set<String> ids = new HashSet<>();
        database.setAutoCommit(false);
        try (Statement settings = database.createStatement();
                PreparedStatement statement = database.prepareStatement(
                        "SELECT document_id || '@1#' || position FROM retriever.chunks WHERE tenant = ?"
                                + " ORDER BY embedding <=> CAST(? AS vector) LIMIT " + LIMIT)) {
            settings.execute("SET LOCAL enable_indexscan = off");
            statement.setString(1, LargeIndex.TENANT);
            statement.setString(2, Arrays.toString(vector));
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    ids.add(result.getString(1));
                }
            }
        } finally {
            database.rollback();
            database.setAutoCommit(true);
        }
        return ids;
    }

    private static double search(PlatformClient tenant, List<String> queries, String mode) {
        double[] millis = new double[queries.size()];
        for (int i = 0; i < millis.length; i++) {
            String query = queries.get(i);
            long start = System.nanoTime();
            JsonNode hits = tenant.search(query, mode, LIMIT).get("hits");
            millis[i] = (System.nanoTime() - start) / 1e6;
            BenchException.require(
                    hits.size() == LIMIT, "the search for '" + query + "' found " + hits.size() + " passages");
            String words = query.substring(query.indexOf("; ") + 2);
            BenchException.require(
                    mode.equals("vector")
                            || hits.valueStream()
                                    .anyMatch(
                                            hit -> hit.get("text").stringValue().contains(words)),
                    "the search for '" + query + "' does not find the passage that holds its last words");
        }
        return median(millis);
    }

    /** As somebody would write it who has the tenant's chunks and nothing else to mind. */
    private double bareQueries(Connection database, List<String> queries) throws SQLException {
        double[] millis = new double[queries.size()];
        try (PreparedStatement statement = database.prepareStatement(
                // Materialized: a prepared statement would else read the text of the vector again for every row.
                "WITH q AS MATERIALIZED (SELECT ?::vector AS query) SELECT id FROM retriever.chunks WHERE tenant = ?"
                        + " ORDER BY embedding <=> (SELECT query FROM q) LIMIT " + LIMIT)) {
            for (int i = 0; i < millis.length; i++) {
                String vector = Arrays.toString(platform.embedQuery(queries.get(i)));
                long start = System.nanoTime();
                statement.setString(1, vector);
                statement.setString(2, LargeIndex.TENANT);
                int rows = 0;
                try (ResultSet result = statement.executeQuery()) {
                    while (result.next()) {
                        rows++;
                    }
                }
                millis[i] = (System.nanoTime() - start) / 1e6;
                BenchException.require(rows == LIMIT, "the bare query found " + rows + " rows");
            }
        }
        return median(millis);
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
