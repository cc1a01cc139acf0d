package dev.tsumugi.retriever;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentChunks.Chunk;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.retriever.index.DocumentIndexer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.web.client.RestClient;
import tools.jackson.databind.json.JsonMapper;

/**
 * One retriever service for all integration tests of this process, on a real PostgreSQL and a real Kafka. In place of embed-service
 * stands a small HTTP server whose vectors follow from the words of a text. Tests keep apart by tenants of their own.
 */
final class RetrieverFixture {
    static final String GENERATION = "words-1";
    private static final String TOKEN = "a-token-for-tests-only";
    private static final int DIMENSION = 384;
    /** Words that mean the same to the vectors, but not to the terms. */
    private static final Map<String, String> SYNONYMS =
            Map.of("automobile", "car", "vehicle", "car", "physician", "doctor", "medic", "doctor");

    private static final RetrieverFixture INSTANCE = new RetrieverFixture();

    final EmbeddedKafka kafka = EmbeddedKafka.shared();
    final String jdbcUrl;
    final ConfigurableApplicationContext application;
    final AtomicInteger embeddedPassages = new AtomicInteger();
    /** In place of vectors: 0 answers, -1 breaks the connection, else a status. */
    final AtomicInteger embedFailure = new AtomicInteger();

    private final RestClient client;

    static RetrieverFixture get() {
        return INSTANCE;
    }

    private RetrieverFixture() {
        jdbcUrl = EmbeddedPostgres.shared().createDatabase("retriever_it");
        HttpServer embedService = startEmbedService();
        Map<String, Object> properties = new HashMap<>();
        properties.put("server.port", 0);
        properties.put("spring.kafka.bootstrap-servers", kafka.bootstrapServers());
        properties.put("spring.datasource.url", jdbcUrl);
        properties.put("spring.datasource.username", EmbeddedPostgres.shared().username());
        properties.put("spring.datasource.password", EmbeddedPostgres.shared().password());
        properties.put("tsumugi.internal-token", TOKEN);
        properties.put(
                "tsumugi.retriever.embed-url",
                "http://127.0.0.1:" + embedService.getAddress().getPort());
        application = RetrieverApplication.start(properties);
        client = new InternalClients(TOKEN)
                .client(
                        "http://127.0.0.1:" + application.getEnvironment().getProperty("local.server.port"),
                        Duration.ofSeconds(30));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> embedService.stop(0)));
    }

    DocumentIndexer indexer() {
        return application.getBean(DocumentIndexer.class);
    }

    /** A connection of the service's own role, outside of the service. */
    Connection connect() throws SQLException {
        return DriverManager.getConnection(
                jdbcUrl,
                EmbeddedPostgres.shared().username(),
                EmbeddedPostgres.shared().password());
    }

    static String newTenant() {
        return "t-" + UUID.randomUUID().toString().substring(0, 8);
    }

    SearchResponse search(Caller caller, SearchRequest request) {
        return client.post()
                .uri("/internal/search")
                .headers(caller::writeTo)
                .body(request)
                .retrieve()
                .body(SearchResponse.class);
    }

    List<SearchResponse.Hit> hits(String tenant, String query, SearchMode mode) {
        return search(Caller.administrator(tenant), new SearchRequest(query, 10, mode, null))
                .hits();
    }

    RestClient client() {
        return client;
    }

    static ChunkEmbeddings document(String tenant, String id, long version, String... texts) {
        return part(tenant, id, version, 0, 1, 0, texts);
    }

    /** @param firstIndex position of the first of {@code texts} in the document */
    static ChunkEmbeddings part(
            String tenant, String id, long version, int part, int parts, int firstIndex, String... texts) {
        return event(tenant, id, version, part, parts, firstIndex, List.of(), Map.of(), texts);
    }

    static ChunkEmbeddings restricted(String tenant, String id, long version, List<String> acl, String... texts) {
        return event(tenant, id, version, 0, 1, 0, acl, Map.of(), texts);
    }

    static ChunkEmbeddings event(
            String tenant,
            String id,
            long version,
            int part,
            int parts,
            int firstIndex,
            List<String> acl,
            Map<String, String> metadata,
            String... texts) {
        List<Chunk> chunks = new ArrayList<>();
        List<byte[]> vectors = new ArrayList<>();
        int offset = 0;
        for (int i = 0; i < texts.length; i++) {
            chunks.add(new Chunk(firstIndex + i, offset, offset + texts[i].length(), sha256(texts[i]), "", texts[i]));
            vectors.add(bytes(vector(texts[i])));
            offset += texts[i].length();
        }
        DocumentChunks document = new DocumentChunks(
                1, tenant, id, version, "content", "Title of " + id, metadata, acl, false, part, parts, chunks, null);
        return new ChunkEmbeddings(1, document, GENERATION, vectors);
    }

    static ChunkEmbeddings deletion(String tenant, String id, long version) {
        return new ChunkEmbeddings(
                1, DocumentChunks.deletion(new DocumentKey(tenant, id), version), GENERATION, List.of());
    }

    /** As ingest-service announces a version that only these may read. */
    static ChunkEmbeddings restriction(String tenant, String id, long version, String... acl) {
        return new ChunkEmbeddings(
                1,
                DocumentChunks.restriction(new DocumentKey(tenant, id), version, List.of(acl)),
                GENERATION,
                List.of());
    }

    /** The same part, of a version that was cut in another way. */
    static ChunkEmbeddings cut(String cut, ChunkEmbeddings event) {
        DocumentChunks of = event.chunks();
        return new ChunkEmbeddings(
                1,
                new DocumentChunks(
                        1,
                        of.tenant(),
                        of.documentId(),
                        of.version(),
                        of.contentHash(),
                        of.title(),
                        of.metadata(),
                        of.acl(),
                        false,
                        of.part(),
                        of.parts(),
                        of.chunks(),
                        cut),
                event.indexGeneration(),
                event.vectors());
    }

    /** As embed-service sends it when the index is said to know all chunks. */
    static ChunkEmbeddings withoutVectors(ChunkEmbeddings event) {
        List<byte[]> none = new ArrayList<>();
        event.vectors().forEach(vector -> none.add(null));
        return new ChunkEmbeddings(1, event.chunks(), event.indexGeneration(), none);
    }

    /** The sum of a random direction for each word, unit length. */
    static float[] vector(String text) {
        float[] sum = new float[DIMENSION];
        // The mark in front gives texts without words a direction too.
        for (String word : ("^ " + text.toLowerCase(Locale.ROOT)).split("[^\\p{L}\\p{N}^]+")) {
            Random random = new Random(SYNONYMS.getOrDefault(word, word).hashCode());
            for (int d = 0; d < DIMENSION; d++) {
                sum[d] += (float) random.nextGaussian();
            }
        }
        double squares = 0;
        for (float value : sum) {
            squares += value * value;
        }
        for (int d = 0; d < DIMENSION; d++) {
            sum[d] /= (float) Math.sqrt(squares);
        }
        return sum;
    }

    private static byte[] bytes(float[] vector) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return bytes.array();
    }

    static String sha256(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private HttpServer startEmbedService() {
        try {
            HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.createContext("/internal/embed", this::embed);
            server.start();
            return server;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void embed(HttpExchange exchange) throws IOException {
        try (exchange) {
            int failure = embedFailure.get();
            if (failure != 0) {
                if (failure > 0) {
                    exchange.sendResponseHeaders(failure, -1);
                }
                return;
            }
            EmbedRequest request =
                    JsonMapper.shared().readValue(exchange.getRequestBody().readAllBytes(), EmbedRequest.class);
            if (request.kind() == EmbedRequest.Kind.PASSAGE) {
                embeddedPassages.addAndGet(request.texts().size());
            }
            byte[] body = JsonMapper.shared()
                    .writeValueAsBytes(new EmbedResponse(
                            "words",
                            GENERATION,
                            request.texts().stream()
                                    .map(RetrieverFixture::vector)
                                    .toList(),
                            1,
                            null));
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
        }
    }
}
