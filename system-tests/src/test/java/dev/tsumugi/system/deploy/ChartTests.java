package dev.tsumugi.system.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.LintResult;
import com.marcnuri.helm.TemplateCommand;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.yaml.snakeyaml.Yaml;

class ChartTests {
    private static final Set<String> SERVICES =
            Set.of("ingest", "embed", "retriever", "generator", "trainer", "gateway");
    private static final String GOOD = """
            secrets:
              internalToken: 0123456789abcdef
              dbPassword: secret
              dbSuperuserPassword: secret
              adminKey: 0123456789abcdef0123456789abcdef
            model:
              existingClaim: models
            """;

    @TempDir
    private Path folder;

    private static Helm chart() {
        return new Helm(Checkout.file("k8s/tsumugi"));
    }

    @Test
    void the_chart_lints_strictly() {
        LintResult result = chart().lint().strict().call();
        assertThat(result.isFailed())
                .as(String.join("\n", result.getMessages()))
                .isFalse();
    }

    @Test
    void every_service_has_a_deployment_and_a_service_with_probes_limits_and_no_privileges() throws Exception {
        List<Map<String, Object>> objects = render(GOOD);
        assertThat(names(objects, "Deployment")).isEqualTo(prefixed(SERVICES));
        assertThat(names(objects, "Service")).containsAll(prefixed(SERVICES)).contains("it-postgres", "it-kafka");
        assertThat(names(objects, "StatefulSet")).containsExactly("it-kafka", "it-postgres");
        for (Map<String, Object> object : objects) {
            if (object.get("kind").equals("Deployment")) {
                Map<String, Object> pod = map(object, "spec", "template", "spec");
                Map<String, Object> container = map(((List<?>) pod.get("containers")).getFirst());
                assertThat(container).containsKeys("startupProbe", "livenessProbe", "readinessProbe");
                assertThat(map(container, "resources", "limits")).containsKey("memory");
                assertThat(map(container, "securityContext")).containsEntry("readOnlyRootFilesystem", true);
                assertThat(map(pod, "securityContext")).containsEntry("runAsNonRoot", true);
                assertThat((String) container.get("image")).matches("tsumugi/[a-z-]+:[0-9].*");
            }
        }
    }

    @Test
    void passwords_reach_pods_as_references_only() throws Exception {
        String yaml = template(GOOD.replace("dbPassword: secret", "dbPassword: hunter-two"))
                .call();
        assertThat(yaml.split("hunter-two", -1)).as("only in the secret itself").hasSize(2);
        assertThat(template(GOOD.replaceFirst("(?s)secrets:.*?model", "secrets: {existing: mine}\nmodel"))
                        .call())
                .contains("name: mine")
                .doesNotContain("kind: Secret");
    }

    @Test
    void an_external_database_and_broker_replace_the_bundled_ones() throws Exception {
        String yaml = template(GOOD + """
                        postgres:
                          bundled: {enabled: false}
                          external: {url: "jdbc:postgresql://db.example:5432/rag", user: rag}
                        kafka:
                          bundled: {enabled: false}
                          external: {bootstrapServers: "kafka.example:9092"}
                        """).call();
        assertThat(yaml)
                .contains("jdbc:postgresql://db.example:5432/rag", "kafka.example:9092")
                .doesNotContain("kind: StatefulSet", "it-postgres", "it-kafka");
    }

    @Test
    void autoscaling_ingress_and_gpu_nodes_appear_when_asked_for() throws Exception {
        List<Map<String, Object>> objects = render(GOOD + """
                        services:
                          embed:
                            autoscaling: {enabled: true, min: 2, max: 6, targetCpuPercent: 60}
                        ingress: {enabled: true, host: rag.example}
                        gpuNodePool: {enabled: true, nodeSelector: {pool: gpu}}
                        """);
        assertThat(names(objects, "HorizontalPodAutoscaler")).containsExactly("it-embed");
        assertThat(names(objects, "Ingress")).containsExactly("it");
        Map<String, Object> embed = named(objects, "Deployment", "it-embed");
        assertThat(map(embed, "spec")).as("the autoscaler owns it").doesNotContainKey("replicas");
        Map<String, Object> pod = map(named(objects, "Deployment", "it-generator"), "spec", "template", "spec");
        assertThat(map(pod, "nodeSelector")).containsEntry("pool", "gpu");
        Map<String, Object> container = map(((List<?>) pod.get("containers")).getFirst());
        assertThat(map(container, "resources", "limits")).containsKeys("nvidia.com/gpu", "memory");
        assertThat(map(named(objects, "Deployment", "it-gateway"), "spec", "template", "spec"))
                .doesNotContainKey("nodeSelector");
    }

    @Test
    void network_policies_let_only_the_callers_of_a_service_in() throws Exception {
        List<Map<String, Object>> objects = render(GOOD);
        assertThat(names(objects, "NetworkPolicy"))
                .containsExactlyInAnyOrder(
                        "it-embed",
                        "it-generator",
                        "it-ingest",
                        "it-kafka",
                        "it-postgres",
                        "it-retriever",
                        "it-trainer");
        String database = new Yaml().dump(named(objects, "NetworkPolicy", "it-postgres"));
        assertThat(database)
                .contains("component: retriever", "component: ingest", "component: trainer")
                .doesNotContain("component: generator", "component: gateway", "component: embed");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    secrets: {internalToken: short}                                  | secrets.internalToken to at least 16 characters
                    secrets: {adminKey: short}                                       | secrets.adminKey to at least 32 characters
                    secrets: {dbPassword: ''}                                        | or secrets.dbPassword
                    secrets: {dbSuperuserPassword: ''}                               | the bundled PostgreSQL needs secrets.dbSuperuserPassword
                    postgres: {external: {url: 'jdbc:postgresql://x/y'}}             | set postgres.bundled.enabled=false to use it
                    postgres: {bundled: {enabled: false}}                            | set postgres.external.url
                    kafka: {external: {bootstrapServers: 'x:9092'}}                  | set kafka.bundled.enabled=false to use it
                    kafka: {bundled: {enabled: false}}                               | set kafka.external.bootstrapServers
                    kafka: {replicas: 3}                                             | kafka.replicas must be 1
                    model: {hostPath: /models}                                       | set either model.existingClaim or model.hostPath
                    model: {existingClaim: ''}                                       | the generator needs a model
                    services: {ingest: {replicas: 2}}                                | set blobs.accessMode=ReadWriteMany
                    services: {embed: {autoscaling: {enabled: true, min: 3, max: 2}}} | services.embed.autoscaling.max is below min
                    ingress: {enabled: true}                                         | ingress.enabled needs ingress.host
                    model: {backend: cuda}                                           | backend
                    services: {gateway: {replicas: -1}}                              | replicas
                    services: {gatway: {replicas: 1}}                                | gatway
                    """)
    void values_that_cannot_work_fail_and_say_why(String broken, String reason) {
        assertThatThrownBy(() -> template(GOOD, broken).call()).hasMessageContaining(reason);
    }

    private List<Map<String, Object>> render(String values) throws Exception {
        List<Map<String, Object>> objects = new ArrayList<>();
        for (Object object : new Yaml().loadAll(template(values).call())) {
            if (object != null) {
                objects.add(map(object));
            }
        }
        return objects;
    }

    private TemplateCommand template(String... valueFiles) throws Exception {
        TemplateCommand command = chart().template().withName("it").withKubeVersion("1.31.0");
        // Merged here, because later values files win over earlier ones key by key only within one call.
        Map<String, Object> values = new TreeMap<>();
        for (String file : valueFiles) {
            merge(values, map(new Yaml().load(file)));
        }
        return command.withValuesFile(
                Files.writeString(Files.createTempFile(folder, "values", ".yaml"), new Yaml().dump(values)));
    }

    private static void merge(Map<String, Object> target, Map<String, Object> more) {
        more.forEach((key, value) -> {
            if (value instanceof Map<?, ?> && target.get(key) instanceof Map<?, ?>) {
                merge(map(target.get(key)), map(value));
            } else {
                target.put(key, value);
            }
        });
    }

    private static TreeSet<String> names(List<Map<String, Object>> objects, String kind) {
        TreeSet<String> names = new TreeSet<>();
        for (Map<String, Object> object : objects) {
            if (object.get("kind").equals(kind)) {
                names.add((String) map(object, "metadata").get("name"));
            }
        }
        return names;
    }

    private static Map<String, Object> named(List<Map<String, Object>> objects, String kind, String name) {
        return objects.stream()
                .filter(object -> object.get("kind").equals(kind)
                        && map(object, "metadata").get("name").equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static TreeSet<String> prefixed(Set<String> services) {
        TreeSet<String> names = new TreeSet<>();
        services.forEach(service -> names.add("it-" + service));
        return names;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object object, String... path) {
        Map<String, Object> current = (Map<String, Object>) object;
        for (String key : path) {
            current = (Map<String, Object>) current.get(key);
        }
        return current;
    }
}
