package dev.tsumugi.retriever;

import dev.tsumugi.platform.PlatformConfiguration;
import dev.tsumugi.platform.ServiceRunner;
import dev.tsumugi.platform.kafka.KafkaConfiguration;
import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/** Starts the retriever service. */
@SpringBootApplication(proxyBeanMethods = false)
@Import({PlatformConfiguration.class, KafkaConfiguration.class})
public class RetrieverApplication {
    private static final String NAME = "retriever-service";

    public static void main(String[] arguments) {
        ServiceRunner.start(RetrieverApplication.class, NAME, arguments);
    }

    /** @param properties win over configuration file and environment */
    public static ConfigurableApplicationContext start(Map<String, Object> properties) {
        return ServiceRunner.start(RetrieverApplication.class, NAME, properties);
    }
}
