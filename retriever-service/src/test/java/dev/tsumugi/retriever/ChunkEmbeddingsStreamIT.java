package dev.tsumugi.retriever;

import static dev.tsumugi.retriever.RetrieverFixture.deletion;
import static dev.tsumugi.retriever.RetrieverFixture.document;
import static dev.tsumugi.retriever.RetrieverFixture.newTenant;
import static dev.tsumugi.retriever.RetrieverFixture.part;
import static dev.tsumugi.retriever.RetrieverFixture.withoutVectors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.platform.kafka.EventCodec;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ChunkEmbeddingsStreamIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final RetrieverFixture retriever = RetrieverFixture.get();
    private final EventCodec codec = new EventCodec();
    private final String tenant = newTenant();
    private final Map<String, List<DocumentStatus>> statuses = new HashMap<>();
    private final Map<String, String> deadLetters = new HashMap<>();
    private KafkaProducer<String, byte[]> producer;
    private KafkaConsumer<String, byte[]> consumer;

    @BeforeEach
    void connect() {
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", retriever.kafka.bootstrapServers(), "linger.ms", 0),
                new StringSerializer(),
                new ByteArraySerializer());
        consumer = new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers",
                        retriever.kafka.bootstrapServers(),
                        "group.id",
                        UUID.randomUUID().toString(),
                        "auto.offset.reset",
                        "earliest"),
                new StringDeserializer(),
                new ByteArrayDeserializer());
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : List.of(Topics.DOCUMENT_STATUS, Topics.CHUNK_EMBEDDINGS + Topics.DEAD_LETTER_SUFFIX)) {
            consumer.partitionsFor(topic)
                    .forEach(info -> partitions.add(new TopicPartition(info.topic(), info.partition())));
        }
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        partitions.forEach(consumer::position);
    }

    @AfterEach
    void disconnect() {
        producer.close();
        consumer.close();
    }

    @Test
    void versions_become_visible_in_order_and_their_status_says_so() {
        send(part(tenant, "a", 1, 0, 2, 0, "alpha one"));
        send(part(tenant, "a", 1, 1, 2, 1, "alpha two"));
        send(document(tenant, "a", 2, "alpha three"));
        send(document(tenant, "b", 1, "alpha four"));
        awaitStates("a", DocumentState.INDEXED, DocumentState.INDEXED);
        awaitStates("b", DocumentState.INDEXED);
        assertThat(statuses.get("a")).extracting(DocumentStatus::version).containsExactly(1L, 2L);
        assertThat(statuses.get("a")).extracting(DocumentStatus::chunks).containsExactly(2, 1);
        assertThat(visible()).containsExactlyInAnyOrder("alpha three", "alpha four");
    }

    @Test
    void a_deletion_is_told_when_it_is_done() {
        send(document(tenant, "a", 1, "alpha one"));
        send(deletion(tenant, "a", 2));
        awaitStates("a", DocumentState.INDEXED, DocumentState.DELETED);
        assertThat(visible()).isEmpty();
    }

    @Test
    void events_that_are_delivered_again_after_a_crash_leave_the_index_as_it_was() {
        ChunkEmbeddings first = document(tenant, "a", 1, "alpha one");
        ChunkEmbeddings second = document(tenant, "a", 2, "alpha two");
        send(first);
        send(second);
        awaitStates("a", DocumentState.INDEXED, DocumentState.INDEXED);
        send(first);
        send(second);
        awaitStates("a", DocumentState.INDEXED, DocumentState.INDEXED, DocumentState.INDEXED);
        assertThat(statuses.get("a").getLast().version()).isEqualTo(2);
        assertThat(visible()).containsExactly("alpha two");
    }

    @Test
    void a_vector_that_was_to_be_here_but_is_not_is_made_on_the_spot() {
        int before = retriever.embeddedPassages.get();
        send(withoutVectors(document(tenant, "a", 1, "alpha one", "alpha two")));
        awaitStates("a", DocumentState.INDEXED);
        assertThat(retriever.embeddedPassages.get() - before).isEqualTo(2);
        assertThat(retriever
                        .hits(tenant, "alpha one", SearchMode.VECTOR)
                        .getFirst()
                        .similarity())
                .isGreaterThan(0.99);
    }

    @Test
    void what_cannot_be_indexed_goes_to_the_dead_letters_and_the_next_record_is_served() {
        String key = tenant + "/a";
        ChunkEmbeddings good = document(tenant, "a", 1, "alpha one");
        producer.send(new ProducerRecord<>(Topics.CHUNK_EMBEDDINGS, key, "{broken".getBytes(StandardCharsets.UTF_8)));
        producer.send(new ProducerRecord<>(Topics.CHUNK_EMBEDDINGS, tenant + "/other", codec.encode(good)));
        send(new ChunkEmbeddings(1, good.chunks(), "words-1", List.of(new byte[3])));
        send(document(tenant, "a", 2, "alpha two"));
        awaitStates("a", DocumentState.FAILED, DocumentState.INDEXED);
        await().atMost(LIMIT).until(() -> {
            poll();
            return deadLetters.size() == 3;
        });
        assertThat(statuses.get("a").getFirst().error())
                .contains("could not be indexed")
                .contains("3 bytes");
        assertThat(deadLetters.values())
                .anySatisfy(reason -> assertThat(reason).contains("no valid ChunkEmbeddings"))
                .anySatisfy(reason -> assertThat(reason).contains("key is not that of its document"))
                .anySatisfy(reason -> assertThat(reason).contains("1536 bytes"));
        assertThat(visible()).containsExactly("alpha two");
    }

    private void send(ChunkEmbeddings event) {
        String key = event.chunks().tenant() + "/" + event.chunks().documentId();
        producer.send(new ProducerRecord<>(Topics.CHUNK_EMBEDDINGS, key, codec.encode(event)));
    }

    private void awaitStates(String documentId, DocumentState... states) {
        await().atMost(LIMIT).untilAsserted(() -> {
            poll();
            assertThat(statuses.getOrDefault(documentId, List.of()))
                    .extracting(DocumentStatus::state)
                    .containsExactly(states);
        });
    }

    private void poll() {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(100))) {
            if (!record.key().startsWith(tenant + "/")) {
                continue;
            }
            if (record.topic().equals(Topics.DOCUMENT_STATUS)) {
                DocumentStatus status =
                        codec.decode(record.value(), DocumentStatus.class, DocumentStatus.SCHEMA_VERSION);
                statuses.computeIfAbsent(status.documentId(), id -> new ArrayList<>())
                        .add(status);
            } else {
                byte[] reason = record.headers().lastHeader("tsumugi-reason").value();
                deadLetters.put(record.offset() + "", new String(reason, StandardCharsets.UTF_8));
            }
        }
    }

    private List<String> visible() {
        return retriever.hits(tenant, "alpha", SearchMode.HYBRID).stream()
                .map(Hit::text)
                .toList();
    }
}
