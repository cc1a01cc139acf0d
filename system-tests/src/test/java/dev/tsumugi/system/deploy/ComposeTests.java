package dev.tsumugi.system.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.Yaml;

class ComposeTests {
    private static final String[] SERVICES = {"ingest", "embed", "retriever", "generator", "trainer", "gateway"};
    private static final Pattern PINNED = Pattern.compile(".+:v?\\d+\\.\\d+(\\.\\d+)?([-_].+)?");
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{(\\w+)(:[?-])?");

    private static String text;
    private static Map<String, Map<String, Object>> services;

    @BeforeAll
    @SuppressWarnings("unchecked")
    static void read() throws IOException {
        text = Files.readString(Checkout.file("docker-compose.yml"));
        Map<String, Object> compose = new Yaml().load(text);
        services = (Map<String, Map<String, Object>>) compose.get("services");
    }

    @Test
    void every_service_of_the_house_is_there_with_what_it_stands_on() {
        assertThat(services).containsKeys(SERVICES).containsKeys("postgres", "kafka", "prometheus", "grafana");
    }

    @Test
    void every_image_is_pinned() throws IOException {
        services.forEach((name, service) ->
                assertThat((String) service.get("image")).as(name).matches(PINNED));
        String dockerfile = Files.readString(Checkout.file("Dockerfile"));
        String java = dockerfile.replaceFirst("(?s).*?ARG JAVA=(\\S+).*", "$1");
        List<String> images = dockerfile
                .lines()
                .filter(line -> line.startsWith("FROM "))
                .map(line -> line.split(" ")[1].replace("${JAVA}", java))
                .toList();
        assertThat(images).hasSize(2).allMatch(PINNED.asMatchPredicate());
    }

    @Test
    void every_own_image_is_built_from_the_module_it_is_named_after() {
        for (String name : SERVICES) {
            String module = name.equals("gateway") ? "gateway" : name + "-service";
            assertThat((String) services.get(name).get("image")).startsWith("tsumugi/" + module + ":");
            assertThat(services.get(name).get("build").toString()).contains("SERVICE=" + module);
            assertThat(Checkout.file(module + "/pom.xml")).exists();
        }
    }

    @Test
    void services_wait_for_healthy_ones_and_run_with_a_read_only_root_and_no_privileges() {
        for (String name : SERVICES) {
            Map<String, Object> service = services.get(name);
            assertThat(service.get("depends_on").toString()).as(name).contains("condition=service_healthy");
            assertThat(service).as(name).containsEntry("read_only", true).containsEntry("cap_drop", List.of("ALL"));
        }
        for (String name : List.of("postgres", "kafka", "prometheus", "grafana")) {
            assertThat(services.get(name)).as(name).containsKey("healthcheck");
        }
    }

    @Test
    void secrets_have_no_defaults_and_are_named_in_the_example() throws IOException {
        String example = Files.readString(Checkout.file("docker/env.example"));
        TreeSet<String> required = new TreeSet<>();
        Matcher variables = VARIABLE.matcher(text);
        while (variables.find()) {
            String name = variables.group(1);
            assertThat(example).contains(name);
            if (name.contains("PASSWORD") || name.contains("TOKEN")) {
                assertThat(variables.group(2)).as(name).isEqualTo(":?");
                required.add(name);
            }
        }
        assertThat(required)
                .containsExactly(
                        "GRAFANA_PASSWORD",
                        "POSTGRES_SUPERUSER_PASSWORD",
                        "TSUMUGI_DB_PASSWORD",
                        "TSUMUGI_INTERNAL_TOKEN");
    }

    @Test
    void files_that_are_mounted_exist() {
        Matcher mounts = Pattern.compile("- \\./(docker/[^:]+):").matcher(text);
        int count = 0;
        while (mounts.find()) {
            assertThat(Checkout.file(mounts.group(1))).exists();
            count++;
        }
        assertThat(count).isEqualTo(4);
    }
}
