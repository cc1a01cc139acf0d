package dev.tsumugi.trainer.adapters;

import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.platform.adapters.AdapterStore;
import java.io.IOException;
import java.time.Clock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.scheduling.annotation.Scheduled;

@Configuration(proxyBeanMethods = false)
@EnableScheduling
@EnableConfigurationProperties(AdapterProperties.class)
class AdapterConfiguration {
    private static final Logger log = LoggerFactory.getLogger(AdapterConfiguration.class);

    @Bean
    StoredAdapters storedAdapters(AdapterProperties properties) throws IOException {
        Clock clock = Clock.systemUTC();
        return new StoredAdapters(
                new AdapterStore(properties.store(), PeftAdapter::digestOf, clock),
                properties.s3().bucket().isBlank() ? null : new AdapterBucket(properties.s3()),
                properties.maxSize().toBytes(),
                clock);
    }

    @Bean
    Housekeeping adapterHousekeeping(
            StoredAdapters store, AdapterRegistry registry, QueryAdapters queryAdapters, AdapterProperties properties) {
        return new Housekeeping(store, registry, queryAdapters, properties);
    }

    /** Adapters that no name needs any more. */
    record Housekeeping(
            StoredAdapters store, AdapterRegistry registry, QueryAdapters queryAdapters, AdapterProperties properties) {

        @Scheduled(fixedDelayString = "PT15M", initialDelayString = "PT5M")
        void collect() throws IOException {
            queryAdapters.collect(properties.grace());
            int deleted = store.collect(properties.grace(), registry::refersTo);
            if (deleted > 0) {
                log.info("Deleted {} adapters that no name needs any more", deleted);
            }
        }
    }
}
