package dev.tsumugi.bench;

import dev.tsumugi.embedded.downloads.Downloads;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** Plain text from the first upload to the last document indexed, beside ONNX Runtime alone on the same chunks. */
final class IngestSuite implements Suite {
    private static final int DOCUMENTS = 40;

    private final PlatformClient platform;

    IngestSuite(PlatformClient platform) {
        this.platform = platform;
    }

    @Override
    public String name() {
        return "ingest";
    }

    @Override
    public String description() {
        return "Ingest: " + DOCUMENTS + " plain texts of about " + SampleText.SENTENCES * 22
                + " tokens, uploaded one after another; ONNX Runtime alone beside it";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        try (OnnxAlone onnx = new OnnxAlone(Downloads.defaultCache());
                Connection database = Database.connect(platform)) {
            // The first documents pay for code that is compiled while it runs.
            onnx.rate(ingest(-1, database).texts());
            double[] rates = new double[runs];
            double[] alone = new double[runs];
            double others = 0;
            for (int run = 0; run < runs; run++) {
                Processors meanwhile = new Processors(Locations.platformProcesses(platform.home()));
                Ingested ingested = ingest(run, database);
                others = Math.max(others, meanwhile.otherCores());
                rates[run] = ingested.texts().size() / ingested.seconds();
                alone[run] = onnx.rate(ingested.texts());
            }
            int threads = Runtime.getRuntime().availableProcessors();
            figures.accept(new Figure("ingest of plain text", "chunks/s", rates, threads, others));
            figures.accept(new Figure("ONNX Runtime alone, same chunks", "chunks/s", alone, threads, others));
        } catch (SQLException e) {
            throw new BenchException("the database does not answer: " + e.getMessage(), e);
        }
    }

    /** @param texts what was embedded, one per chunk */
    private record Ingested(List<String> texts, double seconds) {}

    private Ingested ingest(int run, Connection database) throws SQLException {
        Random random = new Random(run + 1000L);
        List<String> texts = IntStream.range(0, DOCUMENTS)
                .mapToObj(i -> SampleText.report(i, random))
                .toList();
        String prefix = "ingest-" + ProcessHandle.current().pid() + "-" + run + "-";
        List<String> ids =
                IntStream.range(0, DOCUMENTS).mapToObj(i -> prefix + i).toList();
        long start = System.nanoTime();
        for (int i = 0; i < DOCUMENTS; i++) {
            platform.put(ids.get(i), texts.get(i));
        }
        Waiting waiting = new Waiting(platform);
        int chunks = ids.stream().mapToInt(waiting::untilIndexed).sum();
        double seconds = (System.nanoTime() - start) / 1e9;
        String sentence = texts.get(7).substring(0, texts.get(7).indexOf('.'));
        JsonNode hits = platform.search(sentence, "hybrid", 3).get("hits");
        BenchException.require(
                hits.valueStream()
                        .anyMatch(hit -> hit.get("documentId").stringValue().equals(ids.get(7))),
                "the search for '" + sentence + "' does not find the document that begins with it");
        List<String> embedded = embeddedTexts(prefix, database);
        BenchException.require(
                embedded.size() == chunks, "the index holds " + embedded.size() + " chunks instead of " + chunks);
        ids.forEach(platform::delete);
        return new Ingested(embedded, seconds);
    }

    private static List<String> embeddedTexts(String prefix, Connection database) throws SQLException {
        List<String> texts = new ArrayList<>();
        try (PreparedStatement statement = database.prepareStatement("SELECT text FROM retriever.chunks"
                + " WHERE tenant = ? AND starts_with(document_id, ?) ORDER BY document_id, position")) {
            statement.setString(1, PlatformClient.TENANT);
            statement.setString(2, prefix);
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    texts.add(result.getString(1));
                }
            }
        }
        return texts;
    }
}
