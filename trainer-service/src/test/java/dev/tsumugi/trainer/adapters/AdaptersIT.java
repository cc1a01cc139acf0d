package dev.tsumugi.trainer.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterReport;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Adapters over REST: import, promotion, rollback, and what replicas report. */
class AdaptersIT {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final byte[] NOTHING = new byte[0];
    private static final String CONFIG = "adapter_config.json";
    private static final String WEIGHTS = "adapter_model.safetensors";

    private static RunningTrainer trainer;
    private static String r8;
    private static String r4;

    @BeforeAll
    static void start() throws IOException {
        trainer = new RunningTrainer("adapters_it");
        r8 = PeftAdapter.digestOf(RunningTrainer.R8);
        r4 = PeftAdapter.digestOf(RunningTrainer.R4);
    }

    @AfterAll
    static void stop() throws IOException {
        trainer.close();
    }

    private static Map<String, byte[]> peft(Path folder) throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String file : AdapterStore.FILES) {
            files.put(file, Files.readAllBytes(folder.resolve(file)));
        }
        return files;
    }

    private static byte[] zip(Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                zip.putNextEntry(new ZipEntry(file.getKey()));
                zip.write(file.getValue());
                zip.closeEntry();
            }
        }
        return bytes.toByteArray();
    }

    private static byte[] zipWith(String name, byte[] content) throws IOException {
        Map<String, byte[]> files = peft(RunningTrainer.R8);
        files.put(name, content);
        return zip(files);
    }

    /** Marks the first entry of the directory as a symbolic link of Unix. */
    private static byte[] withLink(byte[] zip) {
        ByteBuffer buffer = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < zip.length - 46; at++) {
            if (buffer.getInt(at) == 0x02014b50) {
                buffer.put(at + 5, (byte) 3);
                buffer.putInt(at + 38, 0xa1ff << 16);
                return zip;
            }
        }
        throw new AssertionError("no directory");
    }

    private static JsonNode importZip(String tenant, String name, Path peft) throws Exception {
        return trainer.json(201, "POST", "/internal/adapters?name=" + name, tenant, zip(peft(peft)));
    }

    private static JsonNode get(String tenant, String name) throws Exception {
        return trainer.json(200, "GET", "/internal/adapters/" + name, tenant, NOTHING);
    }

    @Test
    void a_zipped_peft_folder_becomes_an_adapter_and_the_next_one_replaces_it_until_it_is_rolled_back()
            throws Exception {
        Map<String, byte[]> inFolder = new LinkedHashMap<>();
        peft(RunningTrainer.R8).forEach((name, content) -> inFolder.put("my-adapter/" + name, content));
        inFolder.put("my-adapter/README.md", "words".getBytes(StandardCharsets.UTF_8));
        JsonNode first = trainer.json(201, "POST", "/internal/adapters?name=support", "rest", zip(inFolder));
        assertThat(first.path("digest").asString()).isEqualTo(r8);
        assertThat(first.path("versions").get(0).path("baseDigest").asString()).isEqualTo(RunningTrainer.BASE);
        assertThat(first.path("promoted").asBoolean()).isFalse();

        assertThat(importZip("rest", "support", RunningTrainer.R4)
                        .path("digest")
                        .asString())
                .isEqualTo(r4);
        JsonNode promoted = trainer.json(200, "POST", "/internal/adapters/support/promote", "rest", NOTHING);
        assertThat(promoted.path("promoted").asBoolean()).isTrue();
        JsonNode back = trainer.json(200, "POST", "/internal/adapters/support/rollback", "rest", NOTHING);
        assertThat(back.path("digest").asString()).isEqualTo(r8);
        assertThat(back.path("promoted").asBoolean()).isTrue();
        assertThat(back.path("versions")).hasSize(2);
        assertThat(trainer.json(200, "POST", "/internal/adapters/support/rollback", "rest", NOTHING)
                        .path("promoted")
                        .asBoolean())
                .as("with nothing before it, the bare model answers again")
                .isFalse();
        assertThat(trainer.json(409, "POST", "/internal/adapters/support/rollback", "rest", NOTHING)
                        .path("type")
                        .asString())
                .endsWith("adapter-first");
        JsonNode chosen = trainer.json(
                200,
                "POST",
                "/internal/adapters/support/promote",
                "rest",
                "{\"digest\": \"" + r4.substring(0, 10) + "\"}");
        assertThat(chosen.path("digest").asString()).isEqualTo(r4);
    }

    @Test
    void a_canary_is_tried_and_taken_back_or_promoted() throws Exception {
        importZip("try", "support", RunningTrainer.R8);
        String canary = "/internal/adapters?name=support&canary=20";
        JsonNode trying = trainer.json(201, "POST", canary, "try", zip(peft(RunningTrainer.R4)));
        assertThat(trying.path("digest").asString()).isEqualTo(r8);
        assertThat(trying.path("canary").path("digest").asString()).isEqualTo(r4);
        assertThat(trying.path("canary").path("percent").asInt()).isEqualTo(20);
        JsonNode back = trainer.json(200, "POST", "/internal/adapters/support/rollback", "try", NOTHING);
        assertThat(back.path("canary").isNull()).isTrue();
        assertThat(back.path("digest").asString()).isEqualTo(r8);
        trainer.json(
                200,
                "POST",
                "/internal/adapters/support/promote",
                "try",
                "{\"digest\": \"" + r4 + "\", \"canary\": 50}");
        JsonNode promoted = trainer.json(200, "POST", "/internal/adapters/support/promote", "try", NOTHING);
        assertThat(promoted.path("digest").asString()).isEqualTo(r4);
        assertThat(promoted.path("canary").isNull()).isTrue();
        assertThat(promoted.path("previous").get(0).asString()).isEqualTo(r8);
        String standsAlready = "{\"digest\": \"" + r4 + "\", \"canary\": 5}";
        for (String bad : List.of("{\"canary\": 5}", "{\"digest\": \"" + r4 + "\", \"canary\": 101}", standsAlready)) {
            trainer.json(400, "POST", "/internal/adapters/support/promote", "try", bad);
        }
        trainer.json(404, "POST", "/internal/adapters/support/promote", "try", "{\"digest\": \"0123456789\"}");
    }

    @Test
    void what_is_no_adapter_is_refused_by_name_and_the_old_one_stays() throws Exception {
        Set<Path> before = temporaryFolders();
        importZip("careful", "support", RunningTrainer.R8);
        byte[] zeros = new byte[2 << 20];
        Map<String, byte[]> truncated = peft(RunningTrainer.R4);
        truncated.computeIfPresent(WEIGHTS, (name, content) -> Arrays.copyOf(content, content.length / 2));
        Map<String, byte[]> wrongRank = peft(RunningTrainer.R4);
        wrongRank.computeIfPresent(
                CONFIG,
                (name, content) -> new String(content, StandardCharsets.UTF_8)
                        .replace("\"r\": 4", "\"r\": 16")
                        .getBytes(StandardCharsets.UTF_8));
        Map<String, byte[]> twice = peft(RunningTrainer.R4);
        peft(RunningTrainer.R8).forEach((name, content) -> twice.put("other/" + name, content));
        byte[] sound = zip(peft(RunningTrainer.R4));
        trainer.refusals.put(r4, "It was trained on another base model.");

        refused(zipWith("../../escape.json", NOTHING), "'../../escape.json'", "points out of the folder");
        refused(zipWith("/etc/passwd", NOTHING), "'/etc/passwd'", "points out of the folder");
        refused(zipWith("a\\..\\b.json", NOTHING), "points out of the folder");
        refused(zipWith("adapter_model.bin", NOTHING), "'adapter_model.bin'", "pickle");
        refused(zipWith("run.sh", NOTHING), "'run.sh'", "is no part of a PEFT adapter");
        refused(withLink(zip(peft(RunningTrainer.R4))), "'" + CONFIG + "'", "is a link");
        refused(zip(twice), "other/", "more than once");
        refused(zip(Map.of(CONFIG, "{}".getBytes(StandardCharsets.UTF_8))), "holds no " + WEIGHTS);
        refused(zip(truncated), WEIGHTS);
        refused(zip(wrongRank), "rank 16");
        refused(sound, "another base model");
        refused(Arrays.copyOf(sound, sound.length / 2), "no zip file");
        refused("PK, but no zip".getBytes(StandardCharsets.UTF_8), "no zip file");
        Map<String, byte[]> bomb = peft(RunningTrainer.R4);
        bomb.put(WEIGHTS, zeros);
        assertThat(zip(bomb).length).isLessThan(100_000);
        JsonNode tooLarge = trainer.json(413, "POST", "/internal/adapters?name=support", "careful", zip(bomb));
        assertThat(tooLarge.path("type").asString()).endsWith("adapter-too-large");
        trainer.json(400, "POST", "/internal/adapters?name=none", "careful", sound);
        trainer.json(400, "POST", "/internal/adapters", "careful", sound);

        trainer.refusals.clear();
        assertThat(get("careful", "support").path("digest").asString()).isEqualTo(r8);
        assertThat(get("careful", "support").path("version").asInt()).isEqualTo(1);
        assertThat(temporaryFolders()).isEqualTo(before);
    }

    /** Those of imports, and what programs that were killed left of theirs. */
    private static Set<Path> temporaryFolders() throws IOException {
        try (Stream<Path> temporary = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return temporary
                    .filter(path -> path.getFileName().toString().matches("tsumugi-adapter\\d+"))
                    .collect(Collectors.toSet());
        }
    }

    private static void refused(byte[] zip, String... reasons) throws Exception {
        JsonNode problem = trainer.json(400, "POST", "/internal/adapters?name=support", "careful", zip);
        assertThat(problem.path("type").asString()).endsWith("adapter-refused");
        assertThat(problem.path("detail").asString()).contains(reasons).doesNotContain("/tmp");
    }

    @Test
    void tenants_never_see_each_others_adapters_and_cannot_change_what_serves_all() throws Exception {
        importZip("one", "secret", RunningTrainer.R8);
        trainer.bean(AdapterPublisher.class).publish("", "reader", RunningTrainer.R4, RunningTrainer.BASE, "{}", null);
        JsonNode list =
                trainer.json(200, "GET", "/internal/adapters", "two", NOTHING).path("adapters");
        assertThat(list.findValuesAsString("name")).contains("reader").doesNotContain("secret");
        for (String call : List.of("GET ", "POST /promote", "POST /rollback", "DELETE ")) {
            String[] parts = call.split(" ", -1);
            trainer.json(404, parts[0], "/internal/adapters/secret" + parts[1], "two", NOTHING);
            if (!parts[0].equals("GET")) {
                assertThat(trainer.json(403, parts[0], "/internal/adapters/reader" + parts[1], "two", NOTHING)
                                .path("type")
                                .asString())
                        .endsWith("adapter-shared");
            }
        }
        assertThat(get("one", "secret").path("digest").asString()).isEqualTo(r8);
        AdapterPublisher publisher = trainer.bean(AdapterPublisher.class);
        publisher.promote("", "reader");
        assertThat(trainer.asAdministrator("POST", "/internal/adapters/reader/rollback", "two")
                        .path("promoted")
                        .asBoolean())
                .as("its administrator may")
                .isFalse();
        assertThat(publisher.wasChanged("", "reader")).isTrue();
    }

    @Test
    void a_deleted_adapter_is_gone_and_its_name_can_be_used_again_with_a_higher_version() throws Exception {
        importZip("delete", "x", RunningTrainer.R8);
        assertThat(trainer.call("DELETE", "/internal/adapters/x", "delete", NOTHING)
                        .statusCode())
                .isEqualTo(204);
        trainer.json(404, "GET", "/internal/adapters/x", "delete", NOTHING);
        trainer.json(404, "DELETE", "/internal/adapters/x", "delete", NOTHING);
        JsonNode again = importZip("delete", "x", RunningTrainer.R4);
        assertThat(again.path("version").asInt()).isEqualTo(3);
        assertThat(again.path("previous")).isEmpty();
    }

    @Test
    void the_list_says_which_replica_serves_what_and_a_canary_that_one_refuses_is_rolled_back_for_all()
            throws Exception {
        importZip("reports", "support", RunningTrainer.R8);
        report("left", 1, r8, null, null);
        report("right", 1, r8, null, null);
        await().atMost(LONG).untilAsserted(() -> {
            JsonNode replicas = get("reports", "support").path("replicas");
            assertThat(replicas.findValuesAsString("replica")).contains("left", "right");
            assertThat(replicas.findValuesAsString("digest")).contains(r8, r8);
        });

        trainer.json(201, "POST", "/internal/adapters?name=support&canary=20", "reports", zip(peft(RunningTrainer.R4)));
        report("left", 1, r8, r4, "of a trial before");
        report("right", 2, r8, r4, "the model breaks off with it");
        await().atMost(LONG)
                .untilAsserted(() -> assertThat(
                                get("reports", "support").path("canary").isNull())
                        .isTrue());
        assertThat(get("reports", "support").path("note").asString())
                .contains("right", "the model breaks off with it")
                .doesNotContain("of a trial before");
    }

    private static void report(String replica, long version, String digest, String refused, String error) {
        AdapterReport report = new AdapterReport(
                AdapterReport.SCHEMA_VERSION,
                replica,
                RunningTrainer.BASE,
                List.of(new AdapterReport.Served("reports", "support", version, digest, null, refused, error)),
                Instant.now());
        trainer.bean(EventPublisher.class).sendSigned(Topics.ADAPTER_STATUS, replica, report);
    }

    @Test
    void a_report_that_no_generator_has_signed_is_passed_over() throws Exception {
        importZip("forged", "support", RunningTrainer.R8);
        trainer.json(201, "POST", "/internal/adapters?name=support&canary=20", "forged", zip(peft(RunningTrainer.R4)));
        EventPublisher events = trainer.bean(EventPublisher.class);
        List<AdapterReport.Served> served =
                List.of(new AdapterReport.Served("forged", "support", 2, r8, null, r4, "forged"));
        events.sendAndWait(
                Topics.ADAPTER_STATUS,
                "forger",
                new AdapterReport(1, "forger", RunningTrainer.BASE, served, Instant.now()));
        events.sendSigned(
                Topics.ADAPTER_STATUS,
                "forger",
                new AdapterReport(1, "honest", RunningTrainer.BASE, List.of(), Instant.now()));
        await().atMost(LONG)
                .until(() -> get("forged", "support")
                        .path("replicas")
                        .findValuesAsString("replica")
                        .contains("honest"));
        assertThat(get("forged", "support").path("canary").path("digest").asString())
                .isEqualTo(r4);
    }

    @Test
    void generators_fetch_the_files_of_a_stored_adapter_and_nothing_else() throws Exception {
        importZip("fetch", "x", RunningTrainer.R8);
        String place = "/internal/adapter-store/" + r8 + "/";
        HttpResponse<byte[]> weights = trainer.call("GET", place + WEIGHTS, "", NOTHING);
        assertThat(weights.body()).isEqualTo(Files.readAllBytes(RunningTrainer.R8.resolve(WEIGHTS)));
        assertThat(trainer.call("GET", place + "..%2F" + CONFIG, "", NOTHING).statusCode())
                .isEqualTo(404);
        assertThat(trainer.call("GET", "/internal/adapter-store/" + "0".repeat(64) + "/" + CONFIG, "", NOTHING)
                        .statusCode())
                .isEqualTo(404);
    }
}
