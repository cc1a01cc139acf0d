package dev.tsumugi.trainer.examples;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.TrainingExample;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.InvalidEventException;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Stores what comes over {@code training-examples}; a record without a value deletes. */
@Configuration(proxyBeanMethods = false)
class ExampleListener {
    private static final String GROUP = "trainer";
    private static final int THREADS = 2;

    @Bean
    RecordWorkers exampleWorkers(RecordWorkersFactory factory, EventCodec codec, ExampleStore store) {
        return factory.create(Topics.TRAINING_EXAMPLES, GROUP, THREADS, record -> handle(record, codec, store));
    }

    private static void handle(ConsumerRecord<String, byte[]> record, EventCodec codec, ExampleStore store) {
        DocumentKey key = keyOf(record.key());
        if (record.value() == null) {
            store.delete(key.tenant(), key.documentId());
            return;
        }
        TrainingExample event = codec.decode(record.value(), TrainingExample.class, TrainingExample.SCHEMA_VERSION);
        try {
            Example example = Example.checked(
                    key.documentId(),
                    event.question(),
                    orNone(event.contexts()),
                    orNone(event.documents()),
                    orNone(event.cited()),
                    event.answer(),
                    event.answerable());
            store.store(key.tenant(), List.of(example), "topic");
        } catch (InvalidExampleException e) {
            throw new InvalidEventException(String.valueOf(e.getMessage()), e);
        }
    }

    private static List<String> orNone(@Nullable List<String> given) {
        return given == null ? List.of() : given;
    }

    private static DocumentKey keyOf(@Nullable String key) {
        try {
            return DocumentKey.parse(key == null ? "" : key);
        } catch (IllegalArgumentException e) {
            throw new InvalidEventException(String.valueOf(e.getMessage()), e);
        }
    }
}
