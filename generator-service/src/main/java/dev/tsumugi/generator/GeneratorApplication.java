package dev.tsumugi.generator;

import dev.tsumugi.platform.PlatformConfiguration;
import dev.tsumugi.platform.ServiceRunner;
import dev.tsumugi.platform.kafka.KafkaConfiguration;
import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.ConfigurationPropertiesScan;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/** Starts the generator service. */
@SpringBootApplication(proxyBeanMethods = false)
@ConfigurationPropertiesScan
@Import({PlatformConfiguration.class, KafkaConfiguration.class})
public class GeneratorApplication {
    private static final String NAME = "generator-service";

    public static void main(String[] arguments) {
        ServiceRunner.start(GeneratorApplication.class, NAME, arguments);
    }

    /** @param properties win over configuration file and environment */
    public static ConfigurableApplicationContext start(Map<String, Object> properties) {
        return ServiceRunner.start(GeneratorApplication.class, NAME, properties);
    }
}
