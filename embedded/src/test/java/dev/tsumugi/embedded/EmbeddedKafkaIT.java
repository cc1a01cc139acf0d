package dev.tsumugi.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

class EmbeddedKafkaIT {
    @Test
    void records_survive_kill_9_of_the_broker_and_a_restart() throws Exception {
        try (TemporaryFolder folder = TemporaryFolder.create("kafka-test")) {
            try (EmbeddedKafka kafka = EmbeddedKafka.builder(folder.path()).start()) {
                createTopic(kafka, "letters");
                send(kafka, "letters", 100);
                ProcessHandle.of(kafka.pid()).orElseThrow().destroyForcibly();
                await().atMost(Duration.ofSeconds(10)).until(() -> !kafka.isRunning());
            }
            try (EmbeddedKafka again = EmbeddedKafka.builder(folder.path()).start()) {
                assertThat(read(again, "letters", 100)).hasSize(100).doesNotHaveDuplicates();
            }
        }
    }

    @Test
    void a_topic_is_not_created_by_a_client_that_mistypes_it() {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers(), "max.block.ms", "3000");
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            assertThatThrownBy(() -> producer.send(new ProducerRecord<>("no-such-topic", "x"))
                            .get(10, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class);
        }
    }

    @Test
    void a_busy_port_is_named() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                TemporaryFolder folder = TemporaryFolder.create("kafka-test")) {
            EmbeddedKafka.Builder builder = EmbeddedKafka.builder(folder.path()).port(socket.getLocalPort());

            assertThatThrownBy(builder::start)
                    .isInstanceOf(PortBusyException.class)
                    .hasMessageContaining(Integer.toString(socket.getLocalPort()));
        }
    }

    private static void createTopic(EmbeddedKafka kafka, String name) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
            admin.createTopics(Set.of(new NewTopic(name, 1, (short) 1))).all().get(60, TimeUnit.SECONDS);
        }
    }

    private static void send(EmbeddedKafka kafka, String topic, int count) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", kafka.bootstrapServers());
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, Integer.toString(i))).get(60, TimeUnit.SECONDS);
            }
        }
    }

    private static List<String> read(EmbeddedKafka kafka, String topic, int expected) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", kafka.bootstrapServers(), "auto.offset.reset", "earliest");
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            await().atMost(Duration.ofSeconds(60)).until(() -> {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    values.add(record.value());
                }
                return values.size() >= expected;
            });
        }
        return values;
    }
}
