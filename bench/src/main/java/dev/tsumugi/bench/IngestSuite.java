package dev.tsumugi.bench;

import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** Plain text from the first upload to the last document indexed. */
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
                + " tokens, uploaded one after another";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        // The first documents pay for code that is compiled while it runs.
        ingest(-1);
        double[] rates = new double[runs];
        double[] tokens = new double[runs];
        Processors processors = new Processors(Locations.platformProcesses(platform.home()));
        for (int run = 0; run < runs; run++) {
            Ingested ingested = ingest(run);
            rates[run] = ingested.chunks() / ingested.seconds();
            tokens[run] = ingested.words() / ingested.seconds();
        }
        double others = processors.otherCores();
        int threads = Runtime.getRuntime().availableProcessors();
        figures.accept(new Figure("ingest of plain text", "chunks/s", rates, threads, others));
        figures.accept(new Figure("ingest of plain text", "words/s", tokens, threads, others));
    }

    private record Ingested(int chunks, long words, double seconds) {}

    private Ingested ingest(int run) {
        Random random = new Random(run + 1000L);
        List<String> texts = IntStream.range(0, DOCUMENTS)
                .mapToObj(i -> SampleText.report(i, random))
                .toList();
        long words = texts.stream().mapToLong(text -> text.split("\\s+").length).sum();
        List<String> ids = IntStream.range(0, DOCUMENTS)
                .mapToObj(i -> "ingest-" + ProcessHandle.current().pid() + "-" + run + "-" + i)
                .toList();
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
        ids.forEach(platform::delete);
        return new Ingested(chunks, words, seconds);
    }
}
