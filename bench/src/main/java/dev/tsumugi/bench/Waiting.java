package dev.tsumugi.bench;

import tools.jackson.databind.JsonNode;

/** Waits for documents to be indexed. */
final class Waiting {
    private static final long LIMIT_NANOS = 600_000_000_000L;
    /** Each look is a call through the gateway to the database: fifty a second would take a tenth of a core from what is measured. */
    private static final long BETWEEN_LOOKS_MILLIS = 100;

    private final PlatformClient platform;
    private final long start = System.nanoTime();

    Waiting(PlatformClient platform) {
        this.platform = platform;
    }

    /** @return its number of chunks */
    int untilIndexed(String id) {
        while (true) {
            JsonNode document = platform.document(id);
            String state = document.get("state").stringValue();
            if (state.equals("INDEXED")) {
                return document.get("chunks").intValue();
            }
            BenchException.require(!state.equals("FAILED"), "a document failed: " + document);
            BenchException.require(System.nanoTime() - start < LIMIT_NANOS, "not indexed in time: " + document);
            try {
                Thread.sleep(BETWEEN_LOOKS_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new BenchException("interrupted", e);
            }
        }
    }
}
