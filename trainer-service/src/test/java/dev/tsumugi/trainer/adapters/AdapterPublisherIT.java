package dev.tsumugi.trainer.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.RecordSignatures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.jdbc.core.simple.JdbcClient;

/** From a PEFT folder over store and database to the topic. */
class AdapterPublisherIT {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final Path FIRST = RunningTrainer.R8;
    private static final Path SECOND = RunningTrainer.R4;
    private static final String BASE = RunningTrainer.BASE;

    private static RunningTrainer service;
    private static AdapterPublisher publisher;
    private static AdapterRegistry registry;
    private static KafkaConsumer<String, byte[]> topic;
    private static final List<ConsumerRecord<String, byte[]>> records = new ArrayList<>();

    @BeforeAll
    static void start() throws IOException {
        service = new RunningTrainer("adapter_publisher_it");
        publisher = service.bean(AdapterPublisher.class);
        registry = service.bean(AdapterRegistry.class);
        Properties kafka = new Properties();
        kafka.setProperty("bootstrap.servers", EmbeddedKafka.shared().bootstrapServers());
        kafka.setProperty("auto.offset.reset", "earliest");
        kafka.setProperty("group.id", "adapter-publisher-it");
        topic = new KafkaConsumer<>(kafka, new StringDeserializer(), new ByteArrayDeserializer());
        topic.subscribe(List.of(Topics.ADAPTER_REGISTRY));
    }

    @AfterAll
    static void stop() throws IOException {
        topic.close();
        service.close();
    }

    private static List<ConsumerRecord<String, byte[]>> recordsOf(String key, int atLeast) {
        await().atMost(LONG).until(() -> {
            topic.poll(Duration.ofMillis(100)).forEach(records::add);
            return records.stream().filter(record -> record.key().equals(key)).count() >= atLeast;
        });
        return records.stream().filter(record -> record.key().equals(key)).toList();
    }

    /** The newest that is announced, once it is of this version: of changes in quick succession only the last is announced. */
    private static AdapterRegistration announced(String key, long version) {
        return await().atMost(LONG).until(() -> last(recordsOf(key, 1)), last -> last.version() >= version);
    }

    private static AdapterRegistration last(List<ConsumerRecord<String, byte[]>> ofKey) {
        return service.bean(EventCodec.class)
                .decode(ofKey.getLast().value(), AdapterRegistration.class, AdapterRegistration.SCHEMA_VERSION);
    }

    @Test
    void what_is_published_is_stored_named_and_announced_with_a_signature() {
        PublishedAdapter first = publisher.publish("acme", "support", FIRST, BASE, "{\"loss\": 0.5}", "job-7");
        assertThat(first.digest()).isEqualTo(PeftAdapter.digestOf(FIRST));
        AdapterRegistration announced = announced("acme/support", 1);
        assertThat(announced.digest()).isEqualTo(first.digest());
        assertThat(announced.version()).isEqualTo(1);
        assertThat(announced.baseDigest()).isEqualTo(BASE);
        assertThat(announced.previous()).isEmpty();
        assertThat(announced.promoted()).isFalse();
        assertThat(announced.jobId()).isEqualTo("job-7");
        assertThat(announced.metrics()).isEqualTo(Map.of("loss", 0.5));
        RecordSignatures signatures = service.bean(RecordSignatures.class);
        assertThat(signatures.isGenuine(recordsOf("acme/support", 1).getFirst()))
                .isTrue();

        assertThat(publisher.publish("acme", "support", FIRST, BASE, "{}", null).version())
                .as("the same again")
                .isEqualTo(1);
        String otherBase = "f".repeat(BASE.length());
        publisher.publish("acme", "support", FIRST, otherBase, "{}", null);
        assertThat(announced("acme/support", 2).baseDigest())
                .as("the same for another file of the model")
                .isEqualTo(otherBase);
        PublishedAdapter second = publisher.publish("acme", "support", SECOND, BASE, "{}", null);
        AdapterRegistration replaced = announced("acme/support", 3);
        assertThat(replaced.digest()).isEqualTo(second.digest());
        assertThat(replaced.version()).isEqualTo(3);
        assertThat(replaced.previous()).containsExactly(first.digest());
    }

    @Test
    void one_adapter_of_a_tenant_is_promoted_at_a_time_and_a_canary_takes_the_name_when_it_is() {
        publisher.publish("two", "a", FIRST, BASE, "{}", null);
        publisher.publish("two", "b", FIRST, BASE, "{}", null);
        publisher.promote("two", "a");
        PublishedAdapter canary = publisher.publishCanary("two", "b", SECOND, BASE, "{}", null, 10);
        AdapterRegistration trying = announced("two/b", 2);
        assertThat(trying.digest()).isEqualTo(PeftAdapter.digestOf(FIRST));
        assertThat(trying.canary()).isEqualTo(new AdapterRegistration.Canary(canary.digest(), BASE, 10));

        assertThat(publisher.promote("two", "b").digest()).isEqualTo(canary.digest());
        AdapterRegistration promoted = announced("two/b", 3);
        assertThat(promoted.promoted()).isTrue();
        assertThat(promoted.canary()).isNull();
        assertThat(promoted.digest()).isEqualTo(canary.digest());
        assertThat(announced("two/a", 3).promoted()).isFalse();
        assertThat(registry.visibleTo("two")).filteredOn(NamedAdapter::promoted).hasSize(1);
        assertThatThrownBy(() -> publisher.promote("one", "b")).isInstanceOf(UnknownAdapterNameException.class);
    }

    @Test
    void a_change_that_a_crash_kept_from_the_topic_is_announced_by_the_next_look() {
        publisher.publish("crash", "x", FIRST, BASE, "{}", null);
        recordsOf("crash/x", 1);
        // As a process leaves it that ends between its commit and the topic's answer.
        service.bean(JdbcClient.class)
                .sql("UPDATE adapters SET published = false WHERE tenant = 'crash'")
                .update();
        assertThat(last(recordsOf("crash/x", 2)).version()).isEqualTo(1);
        await().atMost(LONG).until(() -> registry.unpublished().isEmpty());
    }

    @Test
    void a_query_adapter_goes_when_no_version_of_an_adapter_names_it() throws IOException {
        JdbcClient jdbc = service.bean(JdbcClient.class);
        for (String digest : List.of("named", "unnamed")) {
            jdbc.sql(
                            "INSERT INTO query_adapters (digest, content, created_at) VALUES (?, '', now() - interval '2 hours')")
                    .param(digest)
                    .update();
        }
        jdbc.sql("INSERT INTO query_adapters (digest, content) VALUES ('new', '')")
                .update();
        publisher.publish("queries", "x", FIRST, BASE, "{\"queryAdapter\": \"named\"}", null);
        service.bean(AdapterConfiguration.Housekeeping.class).collect();
        assertThat(jdbc.sql("SELECT digest FROM query_adapters ORDER BY digest")
                        .query(String.class)
                        .list())
                .containsExactly("named", "new");
    }

    @Test
    void what_is_unsound_is_refused_and_leaves_the_name_as_it_was(@TempDir Path broken) throws IOException {
        publisher.publish("sound", "x", FIRST, BASE, "{}", null);
        Files.copy(FIRST.resolve("adapter_config.json"), broken.resolve("adapter_config.json"));
        byte[] weights = Files.readAllBytes(FIRST.resolve("adapter_model.safetensors"));
        Files.write(broken.resolve("adapter_model.safetensors"), java.util.Arrays.copyOf(weights, weights.length / 2));
        assertThatThrownBy(() -> publisher.publish("sound", "x", broken, BASE, "{}", null))
                .isInstanceOf(ModelFileException.class);
        assertThatThrownBy(() -> publisher.publish("sound", "x", FIRST, "7", "{}", null))
                .hasMessageContaining("digest of the base model");
        assertThatThrownBy(() -> publisher.publish("sound", "../x", FIRST, BASE, "{}", null))
                .hasMessageContaining("adapter's name");
        assertThatThrownBy(() -> publisher.publish("sound", "x", FIRST, BASE, "[1]", null))
                .hasMessageContaining("no JSON object");
        assertThat(registry.visibleTo("sound")).hasSize(1).first().satisfies(adapter -> {
            assertThat(adapter.version()).isEqualTo(1);
            assertThat(adapter.digest()).isEqualTo(PeftAdapter.digestOf(FIRST));
        });
    }
}
