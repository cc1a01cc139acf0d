package dev.tsumugi.ingest;

import dev.tsumugi.platform.PlatformConfiguration;
import dev.tsumugi.platform.ServiceRunner;
import dev.tsumugi.platform.kafka.KafkaConfiguration;
import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/** Documents in: parse and chunk. */
@SpringBootApplication
@Import({PlatformConfiguration.class, KafkaConfiguration.class})
public class IngestApplication {
    private static final String NAME = "ingest-service";

    public static void main(String[] arguments) {
        ServiceRunner.start(IngestApplication.class, NAME, arguments);
    }

    /** @param properties win over the configuration file and the environment */
    public static ConfigurableApplicationContext start(Map<String, Object> properties) {
        return ServiceRunner.start(IngestApplication.class, NAME, properties);
    }
}
