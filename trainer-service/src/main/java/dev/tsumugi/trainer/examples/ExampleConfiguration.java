package dev.tsumugi.trainer.examples;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Fallback;

@Configuration(proxyBeanMethods = false)
class ExampleConfiguration {
    @Bean
    @Fallback
    PersonalDataFilter personalDataFilter() {
        return new PersonalDataPatterns();
    }
}
