package dev.tsumugi.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.platform.kafka.TableFollower;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;

class TableFollowerIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final Map<String, Object> connection =
            Map.of("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers());
    private final String topic = "table-" + UUID.randomUUID();
    private final Rows rows = new Rows();
    private TableFollower follower = follow(consumers());

    /** The last value of each key, and whether the whole was known when it was last looked at. */
    private static final class Rows implements TableFollower.Table {
        final Map<String, String> values = new ConcurrentHashMap<>();
        final AtomicInteger poisons = new AtomicInteger();
        volatile Map<String, String> whole = Map.of();

        @Override
        public void take(ConsumerRecord<String, byte[]> record) {
            if (record.key().equals("poison") && poisons.getAndIncrement() == 0) {
                throw new NoClassDefFoundError("made by the test");
            }
            values.put(record.key(), new String(record.value(), StandardCharsets.UTF_8));
        }

        @Override
        public Duration looked(boolean complete) {
            if (complete) {
                whole = Map.copyOf(values);
            }
            return Duration.ofMillis(50);
        }
    }

    @AfterEach
    void stop() {
        follower.stop();
    }

    @Test
    void what_was_there_is_known_whole_before_it_counts_and_what_is_added_follows() throws Exception {
        create(3);
        for (int i = 0; i < 12; i++) {
            send("key " + i % 5, "value " + i);
        }
        follower.start();
        await().atMost(LIMIT).until(() -> !rows.whole.isEmpty());
        assertThat(rows.whole).hasSize(5).containsEntry("key 1", "value 11").containsEntry("key 4", "value 9");
        send("key 3", "newer");
        await().atMost(LIMIT).until(() -> "newer".equals(rows.whole.get("key 3")));
    }

    @Test
    void a_topic_that_comes_later_and_a_record_that_cannot_be_taken_at_first_do_not_end_it() throws Exception {
        follower.start();
        create(1);
        send("poison", "taken at the second try");
        send("other", "behind it");
        await().atMost(LIMIT).until(() -> rows.whole.size() == 2);
        assertThat(follower.isRunning()).isTrue();
    }

    /** One in sixteen of threads just started runs before its start returns. */
    @Test
    void each_that_is_started_begins_to_read() {
        AtomicInteger began = new AtomicInteger();
        ConsumerFactory<String, byte[]> counting = new DefaultKafkaConsumerFactory<>(connection) {
            @Override
            public Consumer<String, byte[]> createConsumer() {
                began.incrementAndGet();
                throw new KafkaException("counted by the test");
            }
        };
        int count = 500;
        List<TableFollower> followers =
                Stream.generate(() -> follow(counting)).limit(count).toList();
        followers.forEach(TableFollower::start);
        await().atMost(LIMIT).until(() -> began.get() >= count);
        assertThat(followers).allMatch(TableFollower::isRunning);
        followers.forEach(TableFollower::stop);
        assertThat(followers).noneMatch(TableFollower::isRunning);
    }

    @Test
    void without_a_table_the_topic_is_left_alone() {
        follower = new TableFollower("no table", topic, consumers(), () -> null);
        follower.start();
        await().atMost(LIMIT).until(() -> !follower.isRunning());
    }

    private TableFollower follow(ConsumerFactory<String, byte[]> consumers) {
        return new TableFollower("table of a test", topic, consumers, () -> rows);
    }

    private ConsumerFactory<String, byte[]> consumers() {
        return new DefaultKafkaConsumerFactory<>(connection, new StringDeserializer(), new ByteArrayDeserializer());
    }

    private void create(int partitions) throws InterruptedException, ExecutionException {
        try (Admin admin = Admin.create(connection)) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1)))
                    .all()
                    .get();
        }
    }

    private void send(String key, String value) throws InterruptedException, ExecutionException {
        try (KafkaProducer<String, byte[]> producer =
                new KafkaProducer<>(connection, new StringSerializer(), new ByteArraySerializer())) {
            producer.send(new ProducerRecord<>(topic, key, value.getBytes(StandardCharsets.UTF_8)))
                    .get();
        }
    }
}
