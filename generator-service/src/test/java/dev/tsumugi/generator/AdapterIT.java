package dev.tsumugi.generator;

import static dev.tsumugi.generator.AdapterPublications.BASE;
import static dev.tsumugi.generator.AdapterPublications.R4;
import static dev.tsumugi.generator.AdapterPublications.R8;
import static dev.tsumugi.generator.RunningGenerator.JSON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Names of adapters as they are registered, and what answers for whom. */
class AdapterIT {
    private static final Duration LONG = Duration.ofSeconds(60);

    @TempDir
    private static Path store;

    private static RunningGenerator generator;
    private static AdapterPublications publications;
    private static String r8;
    private static String r4;

    @BeforeAll
    static void start() throws IOException {
        generator = start(store);
        publications = new AdapterPublications(store, generator.bean(EventPublisher.class));
        r8 = publications.store(R8);
        r4 = publications.store(R4);
    }

    private static RunningGenerator start(Path store) {
        return new RunningGenerator(Map.of(
                "tsumugi.generator.model",
                AdapterPublications.MODEL,
                "tsumugi.generator.adapter-store",
                store,
                "tsumugi.generator.trainer-url",
                "http://127.0.0.1:1"));
    }

    @AfterAll
    static void stop() {
        publications.close();
        generator.close();
    }

    private static JsonNode completion(RunningGenerator at, String tenant, String model) throws Exception {
        return at.json(200, at.post("/internal/completions", tenant, """
                {"model": "%s", "prompt": [5, 17, 200, 91, 33, 260, 12], "max_tokens": 20, "temperature": 0}
                """.formatted(model)));
    }

    private static String text(JsonNode completion) {
        return completion.path("choices").get(0).path("text").asString();
    }

    /** What the generator says of a name once it has seen this version. */
    private static JsonNode state(AdapterKey key, long version) {
        return await().atMost(LONG)
                .until(
                        () -> {
                            JsonNode adapters = generator
                                    .json(200, generator.get("/internal/adapters"))
                                    .path("adapters");
                            for (JsonNode adapter : adapters) {
                                if (adapter.path("tenant").asString("").equals(key.tenant())
                                        && adapter.path("name").asString("").equals(key.name())
                                        && adapter.path("version").asLong() >= version) {
                                    return adapter;
                                }
                            }
                            return null;
                        },
                        java.util.Objects::nonNull);
    }

    private static JsonNode provenance(String tenant, String adapter) throws Exception {
        return generator
                .events(question(tenant, adapter, "How long is the Kiso river?"))
                .getLast()
                .json()
                .path("done")
                .path("provenance");
    }

    private static HttpRequest question(String tenant, String adapter, String question) {
        AnswerRequest request = new AnswerRequest(
                question,
                List.of(Passages.passage("rivers", "The Kiso river is 229 kilometres long.")),
                "g1",
                adapter,
                null,
                0,
                null);
        return generator.post("/internal/answer", tenant, JSON.writeValueAsString(request));
    }

    @Test
    void a_name_is_a_model_for_its_tenant_and_answers_name_the_digest_that_made_them() throws Exception {
        AdapterKey valves = new AdapterKey("mill", "valves");
        state(valves, publications.register(valves, r8));
        JsonNode bare = completion(generator, "mill", "tiny-llama");
        JsonNode first = completion(generator, "mill", "valves");
        assertThat(text(first)).isNotEqualTo(text(bare));
        assertThat(first.path("system_fingerprint").asString()).isEqualTo(r8);
        assertThat(bare.path("system_fingerprint").isNull()).isTrue();

        state(valves, publications.register(valves, r4));
        JsonNode second = completion(generator, "mill", "valves");
        assertThat(second.path("system_fingerprint").asString()).isEqualTo(r4);
        assertThat(text(second)).isNotIn(text(bare), text(first));
        JsonNode models = generator.json(
                200,
                HttpRequest.newBuilder(generator.get("/internal/models"), (name, value) -> true)
                        .header("X-Tsumugi-Tenant", "mill")
                        .build());
        assertThat(models.path("data").findValuesAsString("id")).contains("tiny-llama", "valves");

        publications.delete(valves);
        await().atMost(LONG)
                .until(() -> generator
                                .send(generator.post(
                                        "/internal/completions", "mill", "{\"model\": \"valves\", \"prompt\": \"x\"}"))
                                .statusCode()
                        == 404);
    }

    @Test
    void another_tenant_neither_sees_nor_reaches_an_adapter_unless_it_serves_all() throws Exception {
        AdapterKey secret = new AdapterKey("owner", "secret");
        state(secret, publications.promote(secret, r8));
        AdapterKey shared = AdapterKey.shared("reader");
        state(shared, publications.register(shared, r4));

        assertThat(generator
                        .send(question("stranger", "secret", "How long is the Kiso river?"))
                        .body())
                .contains("adapter-unknown")
                .contains("[reader]");
        assertThat(generator
                        .send(generator.post(
                                "/internal/completions", "stranger", "{\"model\": \"secret\", \"prompt\": \"x\"}"))
                        .statusCode())
                .isEqualTo(404);
        assertThat(generator.send(generator.get("/internal/models")).body()).doesNotContain("secret");
        assertThat(provenance("stranger", null).path("adapter").isNull()).isTrue();
        assertThat(provenance("stranger", "reader").path("adapterDigest").asString())
                .isEqualTo(r4);
        assertThat(provenance("owner", "secret").path("adapterDigest").asString())
                .isEqualTo(r8);
        publications.delete(shared);
    }

    @Test
    void a_question_that_names_no_adapter_is_answered_by_the_promoted_one_of_its_tenant_or_of_all() throws Exception {
        assertThat(provenance("asker", null).path("adapterDigest").isNull()).isTrue();
        AdapterKey shared = AdapterKey.shared("default");
        state(shared, publications.promote(shared, r8));
        assertThat(provenance("asker", null).path("adapterDigest").asString()).isEqualTo(r8);
        AdapterKey own = new AdapterKey("asker", "own");
        state(own, publications.promote(own, r4));
        JsonNode promoted = provenance("asker", null);
        assertThat(promoted.path("adapterDigest").asString()).isEqualTo(r4);
        assertThat(promoted.path("adapter").asString()).isEqualTo("own");
        assertThat(provenance("asker", "none").path("adapterDigest").isNull()).isTrue();
        publications.delete(shared);
        publications.delete(own);
    }

    @Test
    void what_cannot_be_used_is_refused_by_name_and_the_old_one_serves_on(@TempDir Path work) throws Exception {
        AdapterKey name = new AdapterKey("careful", "support");
        state(name, publications.register(name, r8));

        Path corrupt = copy(work.resolve("corrupt"));
        byte[] weights = Files.readAllBytes(corrupt.resolve("adapter_model.safetensors"));
        weights[weights.length - 2] ^= 1;
        Files.write(corrupt.resolve("adapter_model.safetensors"), weights);
        Path truncated = copy(work.resolve("truncated"));
        Files.write(truncated.resolve("adapter_model.safetensors"), Arrays.copyOf(weights, weights.length - 100));
        Path rank = copy(work.resolve("rank"));
        Files.writeString(
                rank.resolve("adapter_config.json"),
                Files.readString(rank.resolve("adapter_config.json")).replace("\"r\": 8", "\"r\": 4"));
        Path targets = copy(work.resolve("targets"));
        Files.writeString(
                targets.resolve("adapter_config.json"),
                Files.readString(targets.resolve("adapter_config.json")).replace("\"q_proj\"", "\"k_proj\""));
        Path nan = AdapterPublications.withValues(work.resolve("nan"), Float.NaN);
        Path huge = AdapterPublications.withValues(work.resolve("huge"), 1e30f);

        Map<String, String> reasons = Map.of(
                plant(corrupt, "1".repeat(64)), "has the digest",
                plant(truncated, "2".repeat(64)), "adapter_model.safetensors",
                plant(rank, "3".repeat(64)), "rank 4",
                plant(targets, "6".repeat(64)), "target",
                plant(nan, PeftAdapter.digestOf(nan)), "NaN",
                plant(huge, PeftAdapter.digestOf(huge)), "breaks off");
        for (Map.Entry<String, String> reason : reasons.entrySet()) {
            refused(name, publications.register(name, reason.getKey()), reason.getKey(), reason.getValue());
        }
        refused(name, publications.registerForBase(name, r4, "f".repeat(64)), r4, "trained on the model");
        refused(name, publications.register(name, "4".repeat(64)), "4".repeat(64), "does not answer");

        state(name, publications.register(name, r4));
        assertThat(completion(generator, "careful", "support")
                        .path("system_fingerprint")
                        .asString())
                .as("after all that")
                .isEqualTo(r4);
    }

    private static void refused(AdapterKey name, long version, String digest, String reason) throws Exception {
        JsonNode state = state(name, version);
        assertThat(state.path("refused").asString()).isEqualTo(digest);
        assertThat(state.path("error").asString()).contains(reason).doesNotContain(store.toString());
        assertThat(state.path("digest").asString()).isEqualTo(r8);
        assertThat(completion(generator, name.tenant(), name.name())
                        .path("system_fingerprint")
                        .asString())
                .as("while " + reason + " is refused")
                .isEqualTo(r8);
    }

    private static Path copy(Path target) throws IOException {
        Files.createDirectories(target);
        for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            Files.write(target.resolve(file), Files.readAllBytes(R8.resolve(file)));
        }
        return target;
    }

    private static String plant(Path peft, String digest) throws IOException {
        publications.plant(peft, digest);
        return digest;
    }

    @Test
    void the_trainer_can_have_an_adapter_checked_before_it_is_published(@TempDir Path work) throws Exception {
        JsonNode usable = generator.json(200, generator.post("/internal/adapters/" + r4 + "/check", ""));
        assertThat(usable.path("baseDigest").asString()).isEqualTo(BASE);
        assertThat(usable.path("rank").asInt()).isEqualTo(4);
        Path nan = AdapterPublications.withValues(work.resolve("nan"), Float.POSITIVE_INFINITY);
        String digest = publications.store(nan);
        JsonNode problem = generator.json(400, generator.post("/internal/adapters/" + digest + "/check", ""));
        assertThat(problem.path("type").asString()).endsWith("adapter-refused");
        assertThat(problem.path("detail").asString()).contains("infinite").doesNotContain(store.toString());
        assertThat(generator
                        .send(generator.post("/internal/adapters/" + "5".repeat(64) + "/check", ""))
                        .statusCode())
                .isEqualTo(503);
    }

    @Test
    void a_canary_answers_its_part_and_always_the_same_questions() throws Exception {
        AdapterKey name = new AdapterKey("canary", "support");
        state(name, publications.registerWithCanary(name, r8, r4, 30));
        TreeSet<String> ofCanary = new TreeSet<>();
        for (int i = 0; i < 100; i++) {
            String prompt = "question " + i;
            for (int again = 0; again < 2; again++) {
                JsonNode answer =
                        generator.json(200, generator.post("/internal/completions", "canary", """
                        {"model": "support", "prompt": "%s", "max_tokens": 1, "temperature": 0}""".formatted(prompt)));
                String digest = answer.path("system_fingerprint").asString();
                assertThat(digest).isIn(r8, r4);
                assertThat(ofCanary.contains(prompt)).isEqualTo(again == 1 && digest.equals(r4));
                if (digest.equals(r4)) {
                    ofCanary.add(prompt);
                }
            }
        }
        assertThat(ofCanary).hasSizeBetween(15, 45);
    }

    @Test
    void a_canary_that_fails_its_probe_answers_nothing_and_is_reported(@TempDir Path work) throws Exception {
        Path huge = AdapterPublications.withValues(work.resolve("huge"), -1e30f);
        String digest = publications.store(huge);
        AdapterKey name = new AdapterKey("canary", "broken");
        JsonNode state = state(name, publications.registerWithCanary(name, r8, digest, 100));
        assertThat(state.path("refused").asString()).isEqualTo(digest);
        assertThat(state.path("canary").isNull()).isTrue();
        assertThat(completion(generator, "canary", "broken")
                        .path("system_fingerprint")
                        .asString())
                .isEqualTo(r8);
    }

    @Test
    void a_canary_with_which_answers_break_off_is_taken_back_and_reported() throws Exception {
        AdapterKey name = new AdapterKey("canary", "fragile");
        long version = publications.registerWithCanary(name, r8, r4, 100);
        state(name, version);
        for (int i = 0; i < 3; i++) {
            try (ServedModel served =
                    generator.bean(ModelHost.class).require().called(name.tenant(), name.name(), "question " + i)) {
                assertThat(served.adapterDigest()).isEqualTo(r4);
                served.failed();
            }
        }
        await().atMost(LONG).untilAsserted(() -> {
            JsonNode state = state(name, version);
            assertThat(state.path("refused").asString("")).isEqualTo(r4);
            assertThat(state.path("error").asString()).contains("3 of 3 answers broke off");
        });
        assertThat(completion(generator, name.tenant(), name.name())
                        .path("system_fingerprint")
                        .asString())
                .isEqualTo(r8);
    }

    @Test
    void records_that_are_forged_old_or_junk_change_nothing() throws Exception {
        AdapterKey name = new AdapterKey("forged", "support");
        publications.register(name, r8);
        state(name, publications.register(name, r8));
        EventPublisher events = generator.bean(EventPublisher.class);
        events.sendAndWait(Topics.ADAPTER_REGISTRY, name.toString(), publications.registration(name, r4));
        events.sendAndWait(Topics.ADAPTER_REGISTRY, name.toString(), null);
        events.sendSigned(Topics.ADAPTER_REGISTRY, "no key", Map.of("schemaVersion", 1));
        events.sendSigned(Topics.ADAPTER_REGISTRY, name.toString(), Map.of("schemaVersion", 99));
        var old = publications.registration(new AdapterKey("forged", "other"), r4);
        events.sendSigned(
                Topics.ADAPTER_REGISTRY,
                name.toString(),
                new dev.tsumugi.contracts.event.AdapterRegistration(
                        1, "forged", "support", 1, r4, BASE, List.of(), true, null, null, Map.of(), old.at()));
        AdapterKey after = new AdapterKey("forged", "after");
        state(after, publications.register(after, r4));
        publications.register(name, r8);
        JsonNode state = state(name, 4);
        assertThat(state.path("digest").asString()).isEqualTo(r8);
        assertThat(completion(generator, "forged", "support")
                        .path("system_fingerprint")
                        .asString())
                .isEqualTo(r8);
        events.sendSigned(Topics.ADAPTER_REGISTRY, "no key", null);
    }

    @Test
    void a_replica_that_starts_late_has_all_names_before_it_is_ready() throws Exception {
        AdapterKey name = new AdapterKey("late", "support");
        publications.register(name, r4);
        publications.promote(name, r8);
        try (RunningGenerator second = start(store)) {
            assertThat(completion(second, "late", "support")
                            .path("system_fingerprint")
                            .asString())
                    .isEqualTo(r8);
        }
    }
}
