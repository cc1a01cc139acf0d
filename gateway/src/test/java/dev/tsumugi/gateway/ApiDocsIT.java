package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.springframework.web.bind.annotation.RequestMethod;
import org.springframework.web.servlet.mvc.method.RequestMappingInfo;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import tools.jackson.databind.JsonNode;

class ApiDocsIT {
    private static final Set<String> METHODS = Set.of("get", "put", "post", "delete", "patch", "head", "options");

    private final RunningGateway gateway = RunningGateway.shared();

    @Test
    void every_call_is_described_and_every_description_has_its_call() throws Exception {
        assertThat(described()).isEqualTo(mapped());
    }

    @Test
    void every_reference_in_the_description_leads_somewhere() throws Exception {
        JsonNode docs = RunningGateway.json(gateway.send(gateway.anonymous("/v3/api-docs")));
        assertThat(docs.path("openapi").asString()).isEqualTo("3.1.0");
        assertThat(docs.findValuesAsString("$ref"))
                .isNotEmpty()
                .allSatisfy(ref -> assertThat(docs.at(ref.substring(1)).isMissingNode())
                        .as(ref)
                        .isFalse());
    }

    private Set<String> described() throws Exception {
        Set<String> calls = new TreeSet<>();
        JsonNode paths = RunningGateway.json(gateway.send(gateway.anonymous("/v3/api-docs")))
                .path("paths");
        paths.propertyStream()
                .forEach(path -> path.getValue().propertyNames().forEach(method -> {
                    assertThat(METHODS).contains(method);
                    calls.add(method + " " + path.getKey());
                }));
        // Spring's actuator brings these; they have mappings of their own kind.
        assertThat(calls).contains("get /actuator/health", "get /actuator/prometheus");
        calls.removeIf(call -> call.startsWith("get /actuator/"));
        return calls;
    }

    private Set<String> mapped() {
        Set<String> calls = new TreeSet<>();
        RequestMappingHandlerMapping mappings =
                gateway.context.getBean("requestMappingHandlerMapping", RequestMappingHandlerMapping.class);
        for (RequestMappingInfo info : mappings.getHandlerMethods().keySet()) {
            for (String pattern : info.getPatternValues()) {
                for (RequestMethod method : info.getMethodsCondition().getMethods()) {
                    calls.add(method.name().toLowerCase(Locale.ROOT) + " " + pattern.replace("{*", "{"));
                }
            }
        }
        return calls;
    }
}
