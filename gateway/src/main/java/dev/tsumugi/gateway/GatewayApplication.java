package dev.tsumugi.gateway;

import dev.tsumugi.platform.PlatformProperties;
import dev.tsumugi.platform.ServiceRunner;
import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * Starts the gateway. It does not import {@code PlatformConfiguration}: that believes the tenant and principals in the headers of a call,
 * which is right behind the gateway and wrong in front of it.
 */
@SpringBootApplication(
        proxyBeanMethods = false,
        excludeName = {
            "org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration",
            "org.springframework.boot.flyway.autoconfigure.FlywayAutoConfiguration",
            "org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration",
            "org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration",
            "org.springframework.boot.kafka.autoconfigure.KafkaAutoConfiguration",
            "org.springframework.boot.kafka.autoconfigure.metrics.KafkaMetricsAutoConfiguration",
            "org.springframework.boot.security.autoconfigure.UserDetailsServiceAutoConfiguration"
        })
@EnableConfigurationProperties({GatewayProperties.class, PlatformProperties.class})
public class GatewayApplication {
    private static final String NAME = "gateway";

    public static void main(String[] arguments) {
        ServiceRunner.start(GatewayApplication.class, NAME, arguments);
    }

    /** @param properties win over {@code gateway.yml} and the environment */
    public static ConfigurableApplicationContext start(Map<String, Object> properties) {
        return ServiceRunner.start(GatewayApplication.class, NAME, properties);
    }
}
