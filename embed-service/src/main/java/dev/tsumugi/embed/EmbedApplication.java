package dev.tsumugi.embed;

import dev.tsumugi.platform.PlatformConfiguration;
import dev.tsumugi.platform.ServiceRunner;
import dev.tsumugi.platform.kafka.KafkaConfiguration;
import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/** Starts the embed service. */
@SpringBootApplication(proxyBeanMethods = false)
@Import({PlatformConfiguration.class, KafkaConfiguration.class})
public class EmbedApplication {
    private static final String NAME = "embed-service";

    public static void main(String[] arguments) {
        ServiceRunner.start(EmbedApplication.class, NAME, arguments);
    }

    /** @param properties win over configuration file and environment */
    public static ConfigurableApplicationContext start(Map<String, Object> properties) {
        return ServiceRunner.start(EmbedApplication.class, NAME, properties);
    }
}
