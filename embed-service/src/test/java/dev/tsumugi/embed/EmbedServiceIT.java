package dev.tsumugi.embed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.api.EmbedResponse;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentChunks.Chunk;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.platform.adapters.QueryAdapter;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.web.client.RestClient;

/** The whole service with its real model, on a real Kafka. The retriever it asks for known chunks is a few lines of HTTP. */
class EmbedServiceIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String TOKEN = "a-token-for-tests-only";

    private static final AtomicReference<String> knownChunksAnswer = new AtomicReference<>("{\"known\":[]}");
    /** By the digest under which they are asked for, whatever they hold. */
    private static final Map<String, byte[]> queryAdapters = new ConcurrentHashMap<>();

    private static ConfigurableApplicationContext application;
    private static RestClient client;
    private static HttpServer retriever;
    private static KafkaProducer<String, byte[]> producer;
    private static KafkaConsumer<String, byte[]> consumer;

    private final EventCodec codec = new EventCodec();
    private final String tenant = "t-" + UUID.randomUUID().toString().substring(0, 8);
    private final List<ConsumerRecord<String, byte[]>> received = new ArrayList<>();

    @BeforeAll
    static void start(@TempDir Path cache) throws Exception {
        EmbeddedKafka kafka = EmbeddedKafka.shared();
        retriever = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        retriever.createContext("/internal/known-chunks", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                byte[] body = knownChunksAnswer.get().getBytes(StandardCharsets.UTF_8);
                exchange.getResponseHeaders().set("Content-Type", "application/json");
                exchange.sendResponseHeaders(body.length == 0 ? 500 : 200, body.length == 0 ? -1 : body.length);
                exchange.getResponseBody().write(body);
            }
        });
        retriever.createContext("/internal/query-adapters/", exchange -> {
            try (exchange) {
                byte[] body =
                        queryAdapters.get(exchange.getRequestURI().getPath().replaceAll(".*/", ""));
                exchange.sendResponseHeaders(body == null ? 404 : 200, body == null ? -1 : body.length);
                if (body != null) {
                    exchange.getResponseBody().write(body);
                }
            }
        });
        retriever.start();
        Map<String, Object> properties = new HashMap<>();
        properties.put("server.port", 0);
        properties.put("spring.kafka.bootstrap-servers", kafka.bootstrapServers());
        properties.put("tsumugi.internal-token", TOKEN);
        properties.put("tsumugi.embed.cache", cache);
        properties.put(
                "tsumugi.embed.retriever-url",
                "http://127.0.0.1:" + retriever.getAddress().getPort());
        properties.put(
                "tsumugi.embed.trainer-url",
                "http://127.0.0.1:" + retriever.getAddress().getPort());
        application = EmbedApplication.start(properties);
        client = new InternalClients(TOKEN)
                .client(
                        "http://127.0.0.1:" + application.getEnvironment().getProperty("local.server.port"),
                        Duration.ofSeconds(60));
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", kafka.bootstrapServers()),
                new StringSerializer(),
                new ByteArraySerializer());
        consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", kafka.bootstrapServers(), "auto.offset.reset", "earliest"),
                new StringDeserializer(),
                new ByteArrayDeserializer());
    }

    @AfterAll
    static void stop() {
        producer.close();
        consumer.close();
        application.close();
        retriever.stop(0);
    }

    @BeforeEach
    void listen() {
        knownChunksAnswer.set("{\"known\":[]}");
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : List.of(
                Topics.CHUNK_EMBEDDINGS, Topics.DOCUMENT_STATUS, Topics.DOCUMENT_CHUNKS + Topics.DEAD_LETTER_SUFFIX)) {
            consumer.partitionsFor(topic)
                    .forEach(info -> partitions.add(new TopicPartition(info.topic(), info.partition())));
        }
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        partitions.forEach(consumer::position);
    }

    @Test
    void parts_come_out_in_order_with_vectors_and_the_status_after_the_last() {
        for (int part = 0; part < 3; part++) {
            send(chunks("a", 1, part, 3, 2 * part, "text number " + part, "another text " + part));
        }
        List<ChunkEmbeddings> parts = awaitParts("a", 3);
        assertThat(parts).extracting(part -> part.chunks().part()).containsExactly(0, 1, 2);
        assertThat(parts).allSatisfy(part -> {
            assertThat(part.vectors())
                    .hasSize(2)
                    .allSatisfy(vector -> assertThat(vector).hasSize(4 * 384));
            assertThat(part.indexGeneration())
                    .isEqualTo(embed(Kind.PASSAGE, "x").indexGeneration());
        });
        DocumentStatus status = awaitStatus("a");
        assertThat(status.state()).isEqualTo(DocumentState.EMBEDDED);
        assertThat(status.chunks()).isEqualTo(6);
        assertThat(floats(parts.get(1).vectors().get(0)))
                .containsExactly(embed(Kind.PASSAGE, "text number 1").vectors().getFirst(), Offset.offset(1e-4f));
    }

    @Test
    void a_deletion_is_passed_on_behind_the_chunks_before_it() {
        send(chunks("a", 1, 0, 1, 0, "word ".repeat(400), "short"));
        send(DocumentChunks.deletion(new DocumentKey(tenant, "a"), 2));
        List<ChunkEmbeddings> parts = awaitParts("a", 2);
        assertThat(parts).extracting(part -> part.chunks().deleted()).containsExactly(false, true);
        assertThat(parts.getLast().vectors()).isEmpty();
    }

    @Test
    void a_narrower_acl_is_passed_on_at_once_and_says_nothing_about_the_state() {
        send(DocumentChunks.restriction(new DocumentKey(tenant, "a"), 2, List.of("hr")));
        ChunkEmbeddings passed = awaitParts("a", 1).getFirst();
        assertThat(passed.chunks().restricts()).isTrue();
        assertThat(passed.chunks().acl()).containsExactly("hr");
        assertThat(passed.vectors()).isEmpty();
        send(chunks("a", 2, 0, 1, 0, "short"));
        awaitStatus("a");
        assertThat(statuses("a")).hasSize(1);
    }

    @Test
    void chunks_that_the_index_knows_are_not_embedded_again() {
        knownChunksAnswer.set("{\"known\":[\"hash of known\"]}");
        send(chunks("a", 2, 0, 1, 0, "known", "new"));
        List<byte[]> vectors = awaitParts("a", 1).getFirst().vectors();
        assertThat(vectors.get(0)).isNull();
        assertThat(vectors.get(1)).hasSize(4 * 384);
    }

    @Test
    void without_an_answer_of_the_retriever_everything_is_embedded() {
        knownChunksAnswer.set("");
        send(chunks("a", 2, 0, 1, 0, "known", "new"));
        assertThat(awaitParts("a", 1).getFirst().vectors()).hasSize(2).doesNotContainNull();
    }

    @Test
    void a_record_that_is_no_event_goes_to_the_dead_letters_and_the_next_is_served() {
        String key = tenant + "/a";
        producer.send(new ProducerRecord<>(Topics.DOCUMENT_CHUNKS, key, "{".getBytes(StandardCharsets.UTF_8)));
        producer.send(new ProducerRecord<>(
                Topics.DOCUMENT_CHUNKS, key, "{\"schemaVersion\":9}".getBytes(StandardCharsets.UTF_8)));
        send(chunks("a", 1, 5, 2, 0, "no such part"));
        send(chunks("a", 2, 0, 1, 0, "good"));
        assertThat(awaitParts("a", 1).getFirst().chunks().version()).isEqualTo(2);
        await().atMost(LIMIT).untilAsserted(() -> {
            poll();
            assertThat(received.stream()
                            .filter(record -> record.topic().endsWith(Topics.DEAD_LETTER_SUFFIX))
                            .map(record -> new String(
                                    record.headers()
                                            .lastHeader("tsumugi-reason")
                                            .value(),
                                    StandardCharsets.UTF_8)))
                    .hasSize(3)
                    .anySatisfy(reason -> assertThat(reason).contains("unknown schemaVersion 9"))
                    .anySatisfy(reason -> assertThat(reason).contains("part 5 of 2"));
        });
        assertThat(statuses("a")).extracting(DocumentStatus::state).contains(DocumentState.FAILED);
    }

    @Test
    void questions_and_passages_can_be_embedded_by_call() {
        EmbedResponse response = embed(Kind.QUERY, "what is a cat", "was ist eine Katze");
        assertThat(response.model()).isEqualTo("e5-small-v2");
        assertThat(response.vectors())
                .hasSize(2)
                .allSatisfy(vector -> assertThat(vector).hasSize(384));
        assertThat(response.tokens()).isBetween(10, 40);
    }

    @Test
    void a_question_does_not_wait_for_a_long_queue_of_documents() {
        String[] texts = new String[30];
        Arrays.setAll(texts, i -> "word ".repeat(200) + i);
        send(chunks("long", 1, 0, 1, 0, texts));
        EmbeddingService embeddings = application.getBean(EmbeddingService.class);
        await().atMost(LIMIT).until(() -> embeddings.waitingTexts() == 30);
        embed(Kind.QUERY, "how long does this take");
        assertThat(embeddings.waitingTexts())
                .as("texts still waiting when the question is answered")
                .isPositive();
        awaitParts("long", 1);
    }

    @Test
    void requests_beyond_the_limits_are_refused_with_what_to_do() {
        assertKind("embed-request", new EmbedRequest(Kind.QUERY, List.of()));
        assertKind("empty-text", new EmbedRequest(Kind.QUERY, List.of("a", " ")));
        assertKind("too-many-texts", new EmbedRequest(Kind.QUERY, Collections.nCopies(513, "a")));
        assertKind("text-too-long", new EmbedRequest(Kind.QUERY, List.of("a".repeat(100_001))));
        assertThatThrownBy(() -> client.post()
                        .uri("/internal/embed")
                        .header("Content-Type", "application/json")
                        .body("{\"kind\":\"SONG\",\"texts\":[\"a\"]}")
                        .retrieve()
                        .toBodilessEntity())
                .isInstanceOfSatisfying(
                        ProblemException.class,
                        e -> assertThat(e.getStatusCode().value()).isEqualTo(400));
    }

    private static void assertKind(String kind, EmbedRequest request) {
        assertThatThrownBy(() -> client.post()
                        .uri("/internal/embed")
                        .body(request)
                        .retrieve()
                        .toBodilessEntity())
                .isInstanceOfSatisfying(ProblemException.class, e -> {
                    assertThat(e.getStatusCode().value()).isEqualTo(400);
                    assertThat(e.kind()).isEqualTo(kind);
                });
    }

    @Test
    void questions_of_a_tenant_go_through_the_query_adapter_of_its_promoted_adapter_and_passages_do_not()
            throws Exception {
        EmbedResponse plain = embed(Kind.QUERY, "Which river is the longest?");
        byte[] sound = queryAdapter(plain.indexGeneration(), 0.5f);
        String digest = sha256(sound);
        queryAdapters.put(digest, sound);
        register(1, digest, false);
        register(2, digest, true);
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(adapted(Kind.QUERY).queryAdapter()).isEqualTo(digest));
        EmbedResponse adapted = adapted(Kind.QUERY);
        assertThat(adapted.vectors().getFirst())
                .containsExactly(QueryAdapter.parse(sound).apply(plain.vectors().getFirst()))
                .isNotEqualTo(plain.vectors().getFirst());
        assertThat(adapted(Kind.PASSAGE).queryAdapter()).isNull();
        assertThat(embed(Kind.QUERY, "Which river is the longest?").queryAdapter())
                .isNull();

        byte[] other = queryAdapter("another model", 0.5f);
        queryAdapters.put(sha256(other), other);
        queryAdapters.put("f".repeat(64), sound);
        long version = 3;
        for (String unsound : List.of(sha256(other), "f".repeat(64), "e".repeat(64))) {
            register(version++, unsound, true);
            await().atMost(LIMIT)
                    .untilAsserted(
                            () -> assertThat(adapted(Kind.QUERY).queryAdapter()).isNull());
            register(version++, digest, true);
            await().atMost(LIMIT)
                    .untilAsserted(
                            () -> assertThat(adapted(Kind.QUERY).queryAdapter()).isEqualTo(digest));
        }
        application.getBean(EventPublisher.class).sendSigned(Topics.ADAPTER_REGISTRY, tenant + "/lamps", null);
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(adapted(Kind.QUERY).queryAdapter()).isNull());
    }

    private EmbedResponse adapted(Kind kind) {
        return client.post()
                .uri("/internal/embed")
                .body(new EmbedRequest(kind, List.of("Which river is the longest?"), tenant))
                .retrieve()
                .body(EmbedResponse.class);
    }

    private static byte[] queryAdapter(String generation, float value) {
        float[] matrix = new float[384];
        Arrays.fill(matrix, value);
        float[] other = new float[384];
        other[7] = value;
        return new QueryAdapter(generation, 384, 1, matrix, other).content();
    }

    private void register(long version, String queryAdapter, boolean promoted) {
        application
                .getBean(EventPublisher.class)
                .sendSigned(
                        Topics.ADAPTER_REGISTRY,
                        tenant + "/lamps",
                        new AdapterRegistration(
                                AdapterRegistration.SCHEMA_VERSION,
                                tenant,
                                "lamps",
                                version,
                                "a".repeat(64),
                                "b".repeat(64),
                                List.of(),
                                promoted,
                                null,
                                null,
                                Map.of("queryAdapter", queryAdapter),
                                Instant.now()));
    }

    private static String sha256(byte[] content) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    private static EmbedResponse embed(Kind kind, String... texts) {
        return client.post()
                .uri("/internal/embed")
                .body(new EmbedRequest(kind, List.of(texts)))
                .retrieve()
                .body(EmbedResponse.class);
    }

    private DocumentChunks chunks(
            String documentId, long version, int part, int parts, int firstIndex, String... texts) {
        List<Chunk> chunks = new ArrayList<>();
        for (int i = 0; i < texts.length; i++) {
            chunks.add(new Chunk(firstIndex + i, 0, texts[i].length(), "hash of " + texts[i], "", texts[i]));
        }
        return new DocumentChunks(
                1,
                tenant,
                documentId,
                version,
                "content",
                "Title",
                Map.of(),
                List.of(),
                false,
                part,
                parts,
                chunks,
                null);
    }

    private void send(DocumentChunks event) {
        String key = tenant + "/" + event.documentId();
        producer.send(new ProducerRecord<>(Topics.DOCUMENT_CHUNKS, key, codec.encode(event)));
    }

    private List<ChunkEmbeddings> awaitParts(String documentId, int count) {
        await().atMost(LIMIT).untilAsserted(() -> {
            poll();
            assertThat(parts(documentId)).hasSizeGreaterThanOrEqualTo(count);
        });
        return parts(documentId);
    }

    private DocumentStatus awaitStatus(String documentId) {
        await().atMost(LIMIT).untilAsserted(() -> {
            poll();
            assertThat(statuses(documentId)).isNotEmpty();
        });
        return statuses(documentId).getLast();
    }

    private List<ChunkEmbeddings> parts(String documentId) {
        return received.stream()
                .filter(record -> record.topic().equals(Topics.CHUNK_EMBEDDINGS))
                .map(record -> codec.decode(record.value(), ChunkEmbeddings.class, 1))
                .filter(event -> event.chunks().documentId().equals(documentId))
                .toList();
    }

    private List<DocumentStatus> statuses(String documentId) {
        return received.stream()
                .filter(record -> record.topic().equals(Topics.DOCUMENT_STATUS))
                .map(record -> codec.decode(record.value(), DocumentStatus.class, 1))
                .filter(status -> status.documentId().equals(documentId))
                .toList();
    }

    private void poll() {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(100))) {
            if (record.key().startsWith(tenant + "/")) {
                received.add(record);
            }
        }
    }

    private static float[] floats(byte[] bytes) {
        float[] floats = new float[bytes.length / 4];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
        return floats;
    }
}
