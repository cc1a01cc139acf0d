package dev.tsumugi.trainer.sets;

import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.platform.kafka.EventCodec;
import dev.tsumugi.platform.kafka.RecordHandler;
import dev.tsumugi.platform.kafka.RecordWorkers;
import dev.tsumugi.platform.kafka.RecordWorkersFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Hears of deleted documents. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(SetProperties.class)
class WithdrawalListener {
    private static final String GROUP = "trainer-documents";

    @Bean
    RecordWorkers withdrawalWorkers(RecordWorkersFactory factory, EventCodec codec, TrainingSets sets) {
        return factory.create(Topics.DOCUMENT_STATUS, GROUP, 1, new RecordHandler() {
            @Override
            public void handle(ConsumerRecord<String, byte[]> record) {
                if (record.value() == null) {
                    return;
                }
                DocumentStatus status =
                        codec.decode(record.value(), DocumentStatus.class, DocumentStatus.SCHEMA_VERSION);
                if (status.state() == DocumentState.DELETED) {
                    sets.withdraw(status.tenant(), status.documentId());
                }
            }

            /** A deletion that is passed over would leave the document to be learned. */
            @Override
            public boolean mayBeGivenUp(ConsumerRecord<String, byte[]> record) {
                return false;
            }
        });
    }
}
