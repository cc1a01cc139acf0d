package dev.tsumugi.generator;

import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.platform.PlatformConfiguration;
import dev.tsumugi.platform.ServiceRunner;
import dev.tsumugi.platform.kafka.KafkaConfiguration;
import java.time.Duration;
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
    private static final Duration MODEL_LIMIT = Duration.ofMinutes(10);

    public static void main(String[] arguments) {
        ServiceRunner.start(GeneratorApplication.class, NAME, arguments);
    }

    /** @param properties win over configuration file and environment */
    public static ConfigurableApplicationContext start(Map<String, Object> properties) {
        return ServiceRunner.start(GeneratorApplication.class, NAME, properties);
    }

    /**
     * As {@link #start}, and waits until the model is warm. Its adapters may follow; readiness says when they are there.
     *
     * @throws IllegalStateException when the model cannot be loaded
     */
    public static ConfigurableApplicationContext startWithModel(Map<String, Object> properties) {
        ConfigurableApplicationContext context = start(properties);
        try {
            context.getBean(ModelHost.class).awaitReady(MODEL_LIMIT);
            return context;
        } catch (InterruptedException e) {
            context.close();
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while the language model was loaded", e);
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
    }
}
