package dev.tsumugi.contracts;

/** Names of all Kafka topics. The dead-letter topic of {@code t} is {@code t + DEAD_LETTER_SUFFIX}. */
public final class Topics {
    public static final String DOCUMENT_INGEST = "document-ingest";
    public static final String DOCUMENT_CHUNKS = "document-chunks";
    public static final String CHUNK_EMBEDDINGS = "chunk-embeddings";
    public static final String DOCUMENT_STATUS = "document-status";
    public static final String GENERATION_REQUESTS = "generation-requests";
    public static final String GENERATION_RESULTS = "generation-results";
    public static final String TRAINING_EXAMPLES = "training-examples";
    public static final String ADAPTER_REGISTRY = "adapter-registry";
    public static final String ADAPTER_STATUS = "adapter-status";

    public static final String DEAD_LETTER_SUFFIX = ".DLT";

    private Topics() {}
}
