package dev.tsumugi.gateway.access;

import dev.tsumugi.gateway.GatewayProperties;
import dev.tsumugi.gateway.errors.ProblemReportValve;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.CallersConnection;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.MultipartConfigElement;
import java.nio.file.Path;
import java.util.List;
import org.apache.catalina.core.StandardHost;
import org.apache.coyote.http11.AbstractHttp11Protocol;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.http.HttpMethod;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.AnonymousAuthenticationFilter;
import org.springframework.security.web.firewall.RequestRejectedHandler;
import org.springframework.security.web.firewall.StrictHttpFirewall;
import org.springframework.security.web.header.writers.ReferrerPolicyHeaderWriter.ReferrerPolicy;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.HandlerExceptionResolver;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** Everything needs a key, except the page itself, the health and the description of the interface. */
@Configuration(proxyBeanMethods = false)
class SecurityConfiguration {
    private static final String[] PUBLIC = {"/", "/page/*", "/actuator/health", "/actuator/health/*", "/v3/api-docs"};
    private static final String CONTENT_SECURITY_POLICY =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    @Bean
    SecurityFilterChain securityFilterChain(
            HttpSecurity http,
            GatewayProperties properties,
            @Qualifier("handlerExceptionResolver") HandlerExceptionResolver problems) {
        AdminKey key = AdminKey.read(Path.of(properties.adminKeyFile()));
        return http
                // Nothing is sent along by the browser itself, so there is nothing that another site could ride on.
                .csrf(csrf -> csrf.disable())
                .sessionManagement(session -> session.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
                .requestCache(cache -> cache.disable())
                .logout(logout -> logout.disable())
                .authorizeHttpRequests(requests -> requests.dispatcherTypeMatchers(DispatcherType.ERROR)
                        .permitAll()
                        .requestMatchers(HttpMethod.GET, PUBLIC)
                        .permitAll()
                        .requestMatchers(HttpMethod.HEAD, PUBLIC)
                        .permitAll()
                        .anyRequest()
                        .hasRole("ADMIN"))
                .exceptionHandling(handling -> handling.authenticationEntryPoint(
                                (request, response, e) -> problems.resolveException(
                                        request,
                                        response,
                                        null,
                                        Problems.unauthorized(
                                                "This call needs a key. Send it as 'Authorization: Bearer KEY'.")))
                        .accessDeniedHandler((request, response, e) -> problems.resolveException(
                                request, response, null, Problems.forbidden("The key does not allow this call."))))
                .headers(headers -> headers.contentSecurityPolicy(csp -> csp.policyDirectives(CONTENT_SECURITY_POLICY))
                        .referrerPolicy(referrer -> referrer.policy(ReferrerPolicy.NO_REFERRER))
                        .frameOptions(frame -> frame.deny())
                        .permissionsPolicyHeader(permissions ->
                                permissions.policy("camera=(), microphone=(), geolocation=(), payment=(), usb=()")))
                .addFilterBefore(new KeyAuthenticationFilter(key, problems), AnonymousAuthenticationFilter.class)
                .build();
    }

    /** Document ids are paths and file names: their encoded slashes, percent signs and semicolons are no attack. */
    @Bean
    StrictHttpFirewall httpFirewall() {
        StrictHttpFirewall firewall = new StrictHttpFirewall();
        firewall.setAllowUrlEncodedSlash(true);
        firewall.setAllowUrlEncodedPercent(true);
        firewall.setAllowSemicolon(true);
        return firewall;
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> tomcat() {
        return server -> {
            server.addConnectorCustomizers(connector -> {
                connector.setEncodedSolidusHandling("passthrough");
                // A caller that asks before it sends is told of a refusal instead of a go-ahead.
                ((AbstractHttp11Protocol<?>) connector.getProtocolHandler()).setContinueResponseTiming("onRead");
            });
            server.addContextValves(CallersConnection.valve());
            server.addContextCustomizers(context ->
                    ((StandardHost) context.getParent()).setErrorReportValveClass(ProblemReportValve.class.getName()));
        };
    }

    @Bean
    RequestRejectedHandler requestRejectedHandler(
            @Qualifier("handlerExceptionResolver") HandlerExceptionResolver problems) {
        return (request, response, e) -> problems.resolveException(
                request,
                response,
                null,
                Problems.badRequest(
                        "malformed-address",
                        "The address holds characters that are not allowed, such as empty path segments or control characters."));
    }

    @Bean
    FilterRegistrationBean<BodyLimitFilter> bodyLimitFilter(
            GatewayProperties properties, @Qualifier("handlerExceptionResolver") HandlerExceptionResolver problems) {
        FilterRegistrationBean<BodyLimitFilter> registration =
                new FilterRegistrationBean<>(new BodyLimitFilter(properties, problems));
        // After the security chain: a body is only looked at for callers with a key.
        registration.setOrder(Ordered.LOWEST_PRECEDENCE);
        return registration;
    }

    @Bean
    MultipartConfigElement multipartConfigElement(GatewayProperties properties) {
        return new MultipartConfigElement(
                "",
                properties.maxUpload().toBytes(),
                properties.maxUploadRequest().toBytes(),
                0);
    }

    @Bean
    WebMvcConfigurer signedInCaller() {
        return new WebMvcConfigurer() {
            @Override
            public void addArgumentResolvers(List<HandlerMethodArgumentResolver> resolvers) {
                resolvers.add(new SignedInCaller());
            }
        };
    }
}
