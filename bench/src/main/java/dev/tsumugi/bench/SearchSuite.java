package dev.tsumugi.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** Searches through the gateway beside the bare pgvector query that each of them contains. */
final class SearchSuite implements Suite {
    private static final int DOCUMENTS = 40;
    private static final int QUERIES = 60;
    private static final int LIMIT = 10;

    private final PlatformClient platform;

    SearchSuite(PlatformClient platform) {
        this.platform = platform;
    }

    @Override
    public String name() {
        return "search";
    }

    @Override
    public String description() {
        return "Search: median latency of " + QUERIES + " different queries a run, and of the bare pgvector query";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Random random = new Random(5);
        List<String> ids =
                IntStream.range(0, DOCUMENTS).mapToObj(i -> "search-" + i).toList();
        List<String> texts = IntStream.range(0, DOCUMENTS)
                .mapToObj(i -> SampleText.report(i, random))
                .toList();
        for (int i = 0; i < DOCUMENTS; i++) {
            platform.put(ids.get(i), texts.get(i));
        }
        Waiting waiting = new Waiting(platform);
        int chunks = ids.stream().mapToInt(waiting::untilIndexed).sum();
        measure(runs, chunks, texts, random, figures);
        ids.forEach(platform::delete);
    }

    private void measure(int runs, int chunks, List<String> texts, Random random, Consumer<Figure> figures) {
        double[] fresh = new double[runs];
        double[] again = new double[runs];
        double[] bare = new double[runs];
        try (Connection database = Database.connect(platform)) {
            search(queries(texts, random), true);
            Processors processors = new Processors(Locations.platformProcesses(platform.home()));
            for (int run = 0; run < runs; run++) {
                List<String> queries = queries(texts, random);
                fresh[run] = search(queries, true);
                again[run] = search(queries, false);
                bare[run] = bareQueries(database, queries);
            }
            double others = processors.otherCores();
            int threads = Runtime.getRuntime().availableProcessors();
            String size = ", " + chunks + " chunks";
            figures.accept(new Figure("search p50" + size, "ms", fresh, threads, others));
            figures.accept(new Figure("search p50, query embedded before" + size, "ms", again, threads, others));
            figures.accept(new Figure("bare pgvector query p50" + size, "ms", bare, threads, others));
        } catch (SQLException e) {
            throw new BenchException("the database does not answer: " + e.getMessage(), e);
        }
    }

    private static List<String> queries(List<String> texts, Random random) {
        return IntStream.range(0, QUERIES)
                .mapToObj(i -> {
                    String text = texts.get(random.nextInt(texts.size()));
                    List<String> sentences = Arrays.asList(text.split("\\. "));
                    return "Which " + sentences.get(random.nextInt(sentences.size() - 1));
                })
                .toList();
    }

    private double search(List<String> queries, boolean check) {
        double[] millis = new double[queries.size()];
        for (int i = 0; i < millis.length; i++) {
            String query = queries.get(i);
            long start = System.nanoTime();
            JsonNode hits = platform.search(query, "hybrid", LIMIT).get("hits");
            millis[i] = (System.nanoTime() - start) / 1e6;
            BenchException.require(
                    hits.size() == LIMIT, "the search for '" + query + "' found " + hits.size() + " passages");
            if (check) {
                checkWords(query);
            }
        }
        return median(millis);
    }

    /** The number in a query stands in one passage only, which a search by words must put first. */
    private void checkWords(String query) {
        String caseNumber = query.replaceAll(".*case ([0-9-]+).*", "$1");
        JsonNode hits = platform.search(query, "lexical", 1).get("hits");
        BenchException.require(
                hits.get(0).get("text").stringValue().contains(caseNumber),
                "the search for '" + query + "' does not find the sentence it asks for");
    }

    private double bareQueries(Connection database, List<String> queries) throws SQLException {
        List<String> vectors = queries.stream()
                .map(query -> Arrays.toString(platform.embedQuery(query)))
                .toList();
        List<Double> millis = new ArrayList<>();
        try (PreparedStatement statement = database.prepareStatement(
                // Materialized: a prepared statement would else read the text of the vector again for every row.
                "WITH q AS MATERIALIZED (SELECT ?::vector AS query) SELECT id FROM retriever.chunks WHERE tenant = ?"
                        + " ORDER BY embedding <=> (SELECT query FROM q) LIMIT " + LIMIT)) {
            for (String vector : vectors) {
                long start = System.nanoTime();
                statement.setString(1, vector);
                statement.setString(2, PlatformClient.TENANT);
                int rows = 0;
                try (ResultSet result = statement.executeQuery()) {
                    while (result.next()) {
                        rows++;
                    }
                }
                millis.add((System.nanoTime() - start) / 1e6);
                BenchException.require(rows == LIMIT, "the bare query found " + rows + " rows");
            }
        }
        return median(millis.stream().mapToDouble(Double::doubleValue).toArray());
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
