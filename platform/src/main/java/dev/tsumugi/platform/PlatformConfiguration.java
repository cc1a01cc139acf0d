package dev.tsumugi.platform;

import dev.tsumugi.platform.web.CallerArgumentResolver;
import dev.tsumugi.platform.web.CallersConnection;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.InternalTokenFilter;
import dev.tsumugi.platform.web.ProblemAdvice;
import java.util.List;
import org.apache.tomcat.util.buf.EncodedSolidusHandling;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** What every service imports; those that touch Kafka import {@link dev.tsumugi.platform.kafka.KafkaConfiguration} too. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(PlatformProperties.class)
@Import(ProblemAdvice.class)
public class PlatformConfiguration {

    @Bean
    InternalTokenFilter internalTokenFilter(PlatformProperties properties) {
        return new InternalTokenFilter(properties.internalToken());
    }

    @Bean
    InternalClients internalClients(PlatformProperties properties) {
        return new InternalClients(properties.internalToken());
    }

    /** Document ids hold slashes; a caller may encode them, and Spring decodes each segment by itself. */
    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> encodedSlashes() {
        return server -> server.addConnectorCustomizers(
                connector -> connector.setEncodedSolidusHandling(EncodedSolidusHandling.PASS_THROUGH.getValue()));
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> callersConnections() {
        return server -> server.addContextValves(CallersConnection.valve());
    }

    @Bean
    WebMvcConfigurer callerArgument() {
        return new WebMvcConfigurer() {
            @Override
            public void addArgumentResolvers(List<HandlerMethodArgumentResolver> resolvers) {
                resolvers.add(new CallerArgumentResolver());
            }
        };
    }
}
