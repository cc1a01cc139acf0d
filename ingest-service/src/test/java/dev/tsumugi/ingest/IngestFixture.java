package dev.tsumugi.ingest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.scheduling.config.ScheduledTask;
import org.springframework.scheduling.config.ScheduledTaskHolder;
import tools.jackson.databind.json.JsonMapper;

/** The service over a real broker and database, seen from outside. */
final class IngestFixture implements AutoCloseable {
    static final JsonMapper JSON = JsonMapper.shared();
    private static final String GROUP = "ingest-service";
    private static final int PARTITIONS = 3;
    private static final String TOKEN = "a-token-for-tests-only";

    private final EmbeddedKafka kafka = EmbeddedKafka.temporary();
    private final EmbeddedPostgres postgres = EmbeddedPostgres.temporary();
    private final HttpClient http = HttpClient.newHttpClient();
    private final Path blobs;
    private final KafkaProducer<String, byte[]> producer;
    private ConfigurableApplicationContext service;

    IngestFixture(Path blobs) {
        this.blobs = blobs;
        this.service = startService();
        Properties properties = new Properties();
        properties.put("bootstrap.servers", kafka.bootstrapServers());
        properties.put("acks", "all");
        producer = new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer());
    }

    private ConfigurableApplicationContext startService() {
        return IngestApplication.start(Map.ofEntries(
                Map.entry("server.port", 0),
                Map.entry("tsumugi.kafka.partitions", PARTITIONS),
                Map.entry("spring.kafka.bootstrap-servers", kafka.bootstrapServers()),
                Map.entry("spring.datasource.url", postgres.jdbcUrl()),
                Map.entry("spring.datasource.username", postgres.username()),
                Map.entry("spring.datasource.password", postgres.password()),
                Map.entry("tsumugi.internal-token", TOKEN),
                Map.entry("tsumugi.ingest.blobs", blobs.toString()),
                Map.entry("tsumugi.ingest.max-upload", "2MB"),
                // So that the scheduler's tasks have something to do in a test.
                Map.entry("tsumugi.ingest.upload-patience", "0s"),
                Map.entry("tsumugi.ingest.blob-grace", "0s")));
    }

    void stopService() {
        service.close();
    }

    void restartService() {
        service = startService();
    }

    /** What the scheduler does from time to time, now. */
    void runHousekeeping() {
        for (ScheduledTask task : service.getBean(ScheduledTaskHolder.class).getScheduledTasks()) {
            task.getTask().getRunnable().run();
        }
    }

    <T> T bean(Class<T> type) {
        return service.getBean(type);
    }

    RecordMetadata send(String key, byte[] value) {
        return send(new ProducerRecord<>(Topics.DOCUMENT_INGEST, key, value));
    }

    RecordMetadata send(ProducerRecord<String, byte[]> record) {
        try {
            return producer.send(record).get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    RecordMetadata sendText(String key, String text) {
        return send(
                key,
                JSON.writeValueAsBytes(new DocumentIngest(
                        1, "Title", null, text, null, null, null, Map.of("department", "hr"), List.of())));
    }

    RecordMetadata sendText(String key, String text, String... acl) {
        return send(
                key,
                JSON.writeValueAsBytes(
                        new DocumentIngest(1, "Title", null, text, null, null, null, Map.of(), List.of(acl))));
    }

    void sendStatus(DocumentStatus status) {
        producer.send(new ProducerRecord<>(
                Topics.DOCUMENT_STATUS, status.tenant() + "/" + status.documentId(), JSON.writeValueAsBytes(status)));
        producer.flush();
    }

    /** All records of a topic with this key, up to the end that it has now. */
    List<ConsumerRecord<String, byte[]>> records(String topic, String key) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", kafka.bootstrapServers());
        // A consumer closes only when the broker has answered its last call, which waits for records behind the end.
        properties.put("fetch.max.wait.ms", "10");
        List<ConsumerRecord<String, byte[]>> records = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(topic, info.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> {
                    if (key.equals(record.key())) {
                        records.add(record);
                    }
                });
            }
        }
        return records;
    }

    /** Records of the topic that the service has not finished. */
    long lag() {
        try (Admin admin = admin()) {
            Map<TopicPartition, OffsetAndMetadata> committed = committed(admin);
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            for (int partition = 0; partition < PARTITIONS; partition++) {
                latest.put(new TopicPartition(Topics.DOCUMENT_INGEST, partition), OffsetSpec.latest());
            }
            long lag = 0;
            for (var end : admin.listOffsets(latest).all().get().entrySet()) {
                OffsetAndMetadata done = committed.get(end.getKey());
                lag += end.getValue().offset() - (done == null ? 0 : done.offset());
            }
            return lag;
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Has the service see all records of the topic again, as a crash before its commits would; it must not run. */
    void rewind() {
        try (Admin admin = admin()) {
            Map<TopicPartition, OffsetAndMetadata> start = new HashMap<>();
            committed(admin).keySet().stream()
                    .filter(partition -> partition.topic().equals(Topics.DOCUMENT_INGEST))
                    .forEach(partition -> start.put(partition, new OffsetAndMetadata(0)));
            await().atMost(Duration.ofSeconds(30)).ignoreExceptions().until(() -> {
                admin.alterConsumerGroupOffsets(GROUP, start).all().get();
                return true;
            });
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()));
    }

    private static Map<TopicPartition, OffsetAndMetadata> committed(Admin admin)
            throws ExecutionException, InterruptedException {
        return admin.listConsumerGroupOffsets(GROUP)
                .partitionsToOffsetAndMetadata()
                .get();
    }

    List<DocumentChunks> chunks(String key) {
        return records(Topics.DOCUMENT_CHUNKS, key).stream()
                .map(record -> JSON.readValue(record.value(), DocumentChunks.class))
                .toList();
    }

    List<DocumentStatus> statuses(String key) {
        return records(Topics.DOCUMENT_STATUS, key).stream()
                .map(record -> JSON.readValue(record.value(), DocumentStatus.class))
                .toList();
    }

    List<String> deadLetterReasons(String key) {
        return records(Topics.DOCUMENT_INGEST + Topics.DEAD_LETTER_SUFFIX, key).stream()
                .map(record ->
                        new String(record.headers().lastHeader("tsumugi-reason").value(), StandardCharsets.UTF_8))
                .toList();
    }

    HttpRequest.Builder request(String path) {
        int port = ((WebServerApplicationContext) service).getWebServer().getPort();
        return HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                .header(InternalHeaders.TOKEN, TOKEN)
                .header(InternalHeaders.TENANT, "acme")
                .header(InternalHeaders.PRINCIPALS, "*");
    }

    HttpResponse<String> call(HttpRequest.Builder request) {
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    HttpResponse<String> put(String id, byte[] content, String contentType, String... headers) {
        HttpRequest.Builder request = request("/internal/documents/" + id)
                .header("Content-Type", contentType)
                .PUT(HttpRequest.BodyPublishers.ofByteArray(content));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return call(request);
    }

    HttpResponse<String> get(String id) {
        return call(request("/internal/documents/" + id).GET());
    }

    DocumentView view(String id) {
        HttpResponse<String> answer = get(id);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        return JSON.readValue(answer.body(), DocumentView.class);
    }

    @Override
    public void close() {
        producer.close();
        service.close();
        postgres.close();
        kafka.close();
    }
}
