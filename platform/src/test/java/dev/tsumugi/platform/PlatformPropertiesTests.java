package dev.tsumugi.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.core.io.support.ResourcePropertySource;

class PlatformPropertiesTests {
    @Test
    void the_address_of_the_broker_in_the_environment_is_not_taken_for_the_settings_of_topics() throws IOException {
        StandardEnvironment environment = new StandardEnvironment();
        String name = StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME;
        Map<String, Object> variables =
                Map.of("TSUMUGI_KAFKA", "kafka:9092", "TSUMUGI_INTERNAL_TOKEN", "a-token-for-tests-only");
        environment.getPropertySources().replace(name, new SystemEnvironmentPropertySource(name, variables));
        environment.getPropertySources().addLast(new ResourcePropertySource("classpath:platform-defaults.properties"));
        PlatformProperties properties = Binder.get(environment)
                .bind("tsumugi", PlatformProperties.class)
                .get();
        assertThat(properties.kafka()).isEqualTo(new PlatformProperties.Kafka(6, (short) 1, null));
        assertThat(environment.getProperty("spring.kafka.bootstrap-servers")).isEqualTo("kafka:9092");
    }
}
