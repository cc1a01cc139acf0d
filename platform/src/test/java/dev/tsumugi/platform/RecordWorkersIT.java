package dev.tsumugi.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.KafkaConfiguration;
import dev.tsumugi.platform.kafka.RecordHandler;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import java.net.ConnectException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;
import org.springframework.kafka.core.KafkaTemplate;

/** Each test has a group and keys of its own, so they run side by side: most of their time they wait for the next attempt at a record. */
@Execution(ExecutionMode.CONCURRENT)
class RecordWorkersIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static ConfigurableApplicationContext service;

    private final String group = "test-" + UUID.randomUUID();
    private final List<RecordWorkers> started = new ArrayList<>();

    @SpringBootConfiguration
    @EnableAutoConfiguration
    @Import({PlatformConfiguration.class, KafkaConfiguration.class})
    static class TestService {}

    @BeforeAll
    static void startService() {
        service = start(Map.of());
    }

    private static ConfigurableApplicationContext start(Map<String, Object> more) {
        Map<String, Object> properties = new HashMap<>(Map.of(
                "server.port",
                0,
                "spring.kafka.bootstrap-servers",
                EmbeddedKafka.shared().bootstrapServers(),
                "tsumugi.internal-token",
                "0123456789abcdef"));
        properties.putAll(more);
        return ServiceRunner.start(TestService.class, "test-service", properties);
    }

    @AfterAll
    static void stopService() {
        service.close();
    }

    @AfterEach
    void stopWorkers() {
        started.forEach(RecordWorkers::stop);
    }

    @Test
    void records_of_one_key_are_processed_in_order_though_many_workers_run() {
        String run = UUID.randomUUID().toString();
        Map<String, List<Integer>> seen = new ConcurrentHashMap<>();
        int keys = 10;
        int each = 30;
        for (int i = 0; i < each; i++) {
            for (int key = 0; key < keys; key++) {
                send(Topics.GENERATION_REQUESTS, run + "/" + key, Integer.toString(i));
            }
        }
        listen(Topics.GENERATION_REQUESTS, 4, record -> {
            if (record.key().startsWith(run)) {
                seen.computeIfAbsent(record.key(), key -> Collections.synchronizedList(new ArrayList<>()))
                        .add(Integer.parseInt(text(record)));
            }
        });
        await().atMost(LIMIT)
                .until(() -> seen.values().stream().mapToInt(List::size).sum() == keys * each);
        assertThat(seen.values()).allSatisfy(order -> assertThat(order).isSorted());
    }

    @Test
    void a_record_that_can_never_be_processed_becomes_a_dead_letter_with_its_reason_and_the_next_is_served() {
        String run = UUID.randomUUID().toString();
        List<String> served = Collections.synchronizedList(new ArrayList<>());
        List<String> dead = Collections.synchronizedList(new ArrayList<>());
        send(Topics.DOCUMENT_CHUNKS, run, "bad");
        send(Topics.DOCUMENT_CHUNKS, run, "good");
        listen(Topics.DOCUMENT_CHUNKS, 2, new RecordHandler() {
            @Override
            public void handle(ConsumerRecord<String, byte[]> record) {
                if (text(record).equals("bad")) {
                    throw new InvalidEventException("it is bad");
                }
                served.add(text(record));
            }

            @Override
            public void deadLettered(ConsumerRecord<String, byte[]> record, String reason) {
                dead.add(reason);
            }
        });
        await().atMost(LIMIT).until(() -> served.contains("good"));
        assertThat(dead).containsExactly("it is bad");
        ConsumerRecord<String, byte[]> letter = deadLetterOf(Topics.DOCUMENT_CHUNKS, run);
        assertThat(text(letter)).isEqualTo("bad");
        assertThat(new String(letter.headers().lastHeader("tsumugi-reason").value(), StandardCharsets.UTF_8))
                .isEqualTo("it is bad");
    }

    @Test
    void an_outage_is_waited_out_and_the_record_is_not_given_up() {
        String run = UUID.randomUUID().toString();
        AtomicInteger attempts = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(1);
        send(Topics.GENERATION_RESULTS, run, "x");
        listen(Topics.GENERATION_RESULTS, 1, record -> {
            if (record.key().equals(run)) {
                // Once more often than an ordinary failure would be tried.
                if (attempts.incrementAndGet() < 7) {
                    throw new IllegalStateException("database away", new ConnectException("refused"));
                }
                done.countDown();
            }
        });
        await().atMost(LIMIT).until(() -> done.getCount() == 0);
    }

    @Test
    void what_must_not_be_passed_over_is_tried_until_it_succeeds_whatever_fails() {
        String run = UUID.randomUUID().toString();
        AtomicInteger attempts = new AtomicInteger();
        List<String> served = Collections.synchronizedList(new ArrayList<>());
        send(Topics.ADAPTER_REGISTRY, run, "x");
        listen(Topics.ADAPTER_REGISTRY, 1, new RecordHandler() {
            @Override
            public void handle(ConsumerRecord<String, byte[]> record) {
                // Once more often than an ordinary failure would be tried.
                if (record.key().equals(run) && attempts.incrementAndGet() < 7) {
                    throw new IllegalStateException("a fault that is no outage");
                }
                served.add(record.key());
            }

            @Override
            public boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
                return false;
            }
        });
        await().atMost(LIMIT).until(() -> served.contains(run));
    }

    @Test
    void what_was_not_finished_at_a_stop_is_processed_after_the_next_start_and_what_was_is_not() throws Exception {
        String run = UUID.randomUUID().toString();
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch inWork = new CountDownLatch(1);
        send(Topics.CHUNK_EMBEDDINGS, run + "a", "first");
        RecordWorkers before = listen(Topics.CHUNK_EMBEDDINGS, 1, record -> {
            if (record.key().startsWith(run)) {
                if (text(record).equals("second")) {
                    inWork.countDown();
                    throw new ConnectException("down until the restart");
                }
                seen.add(text(record));
            }
        });
        await().atMost(LIMIT).until(() -> seen.contains("first"));
        send(Topics.CHUNK_EMBEDDINGS, run + "b", "second");
        inWork.await();
        before.stop();
        listen(Topics.CHUNK_EMBEDDINGS, 1, record -> {
            if (record.key().startsWith(run)) {
                seen.add(text(record));
            }
        });
        await().atMost(LIMIT).until(() -> seen.contains("second"));
        assertThat(seen).containsExactly("first", "second");
    }

    @Test
    void the_same_workers_started_again_serve_a_key_whose_record_was_dropped_at_the_stop() throws Exception {
        String run = UUID.randomUUID().toString();
        CountDownLatch failed = new CountDownLatch(1);
        AtomicBoolean down = new AtomicBoolean(true);
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        send(Topics.ADAPTER_REGISTRY, run, "dropped");
        RecordWorkers workers = listen(Topics.ADAPTER_REGISTRY, 1, record -> {
            if (record.key().equals(run)) {
                if (down.get()) {
                    failed.countDown();
                    throw new ConnectException("down until the restart");
                }
                seen.add(text(record));
            }
        });
        failed.await();
        workers.stop();
        down.set(false);
        workers.start();
        await().atMost(LIMIT).until(() -> seen.contains("dropped"));
    }

    @Test
    void a_bad_record_too_large_for_a_dead_letter_leaves_its_description_and_does_not_block_the_next() {
        String run = UUID.randomUUID().toString();
        List<String> served = Collections.synchronizedList(new ArrayList<>());
        // Compresses well, so the topic takes it; uncompressed, with headers, it is over the limit.
        String huge = "x".repeat(4 * 1024 * 1024 - 200 - run.length());
        send(Topics.TRAINING_EXAMPLES, run, huge);
        send(Topics.TRAINING_EXAMPLES, run, "good");
        listen(Topics.TRAINING_EXAMPLES, 1, record -> {
            if (record.key().equals(run)) {
                if (record.value().length > 10) {
                    throw new InvalidEventException("it is bad" + "!".repeat(5000));
                }
                served.add(text(record));
            }
        });
        await().atMost(LIMIT).until(() -> served.contains("good"));
        ConsumerRecord<String, byte[]> letter = deadLetterOf(Topics.TRAINING_EXAMPLES, run);
        assertThat(letter.value()).isEmpty();
        assertThat(new String(letter.headers().lastHeader("tsumugi-reason").value(), StandardCharsets.UTF_8))
                .startsWith("it is bad");
    }

    @Test
    void no_more_than_one_poll_waits_while_workers_are_busy() {
        String run = UUID.randomUUID().toString();
        for (int i = 0; i < 500; i++) {
            send(Topics.DOCUMENT_INGEST, run + i, "x");
        }
        AtomicInteger begun = new AtomicInteger();
        CountDownLatch release = new CountDownLatch(1);
        listen(Topics.DOCUMENT_INGEST, 128, record -> {
            begun.incrementAndGet();
            release.await();
        });
        await().atMost(LIMIT).until(() -> begun.get() == 64);
        // A second poll would begin more: 128 workers are there.
        await().during(Duration.ofSeconds(1)).atMost(LIMIT).until(() -> begun.get() == 64);
        release.countDown();
        await().atMost(LIMIT).until(() -> begun.get() >= 500);
    }

    @Test
    void a_service_with_a_name_of_its_own_takes_the_place_of_its_dead_predecessor_at_once() {
        String run = UUID.randomUUID().toString();
        List<String> served = Collections.synchronizedList(new ArrayList<>());
        Map<String, Object> settings = Map.of(
                "bootstrap.servers",
                EmbeddedKafka.shared().bootstrapServers(),
                "group.id",
                group,
                "group.instance.id",
                // The container counts its consumers from 0.
                "only-one." + Topics.DOCUMENT_STATUS + "-0",
                "enable.auto.commit",
                false);
        try (var predecessor = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            predecessor.subscribe(List.of(Topics.DOCUMENT_STATUS));
            await().atMost(LIMIT).until(() -> {
                predecessor.poll(Duration.ofMillis(200));
                return !predecessor.assignment().isEmpty();
            });
            send(Topics.DOCUMENT_STATUS, run, "x");
            // It never polls again, and a group waits five minutes for such a member.
            try (ConfigurableApplicationContext named = start(Map.of("tsumugi.kafka.member", "only-one"))) {
                listen(named, Topics.DOCUMENT_STATUS, 1, record -> served.add(record.key()));
                await().atMost(LIMIT).until(() -> served.contains(run));
            }
        }
    }

    private RecordWorkers listen(String topic, int threads, RecordHandler handler) {
        return listen(service, topic, threads, handler);
    }

    private RecordWorkers listen(
            ConfigurableApplicationContext context, String topic, int threads, RecordHandler handler) {
        RecordWorkers workers = context.getBean(RecordWorkersFactory.class).create(topic, group, threads, handler);
        started.add(workers);
        workers.start();
        return workers;
    }

    @SuppressWarnings("unchecked")
    private static void send(String topic, String key, String value) {
        service.getBean(KafkaTemplate.class)
                .send(topic, key, value.getBytes(StandardCharsets.UTF_8))
                .join();
    }

    private static String text(ConsumerRecord<String, byte[]> record) {
        return new String(record.value(), StandardCharsets.UTF_8);
    }

    private static ConsumerRecord<String, byte[]> deadLetterOf(String topic, String key) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers(), "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            TopicPartition partition = new TopicPartition(topic + Topics.DEAD_LETTER_SUFFIX, 0);
            consumer.assign(List.of(partition));
            List<ConsumerRecord<String, byte[]>> letters = new ArrayList<>();
            await().atMost(LIMIT).until(() -> {
                consumer.poll(Duration.ofMillis(200)).forEach(letters::add);
                return letters.stream().anyMatch(letter -> key.equals(letter.key()));
            });
            return letters.stream()
                    .filter(letter -> key.equals(letter.key()))
                    .findFirst()
                    .orElseThrow();
        }
    }
}
