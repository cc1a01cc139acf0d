package dev.tsumugi.gateway.downstream;

import dev.tsumugi.platform.PlatformProperties;
import dev.tsumugi.platform.web.InternalClients;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Clients that carry the deployment's internal token. */
@Configuration(proxyBeanMethods = false)
class DownstreamConfiguration {
    @Bean
    InternalClients internalClients(PlatformProperties properties) {
        return new InternalClients(properties.internalToken());
    }
}
