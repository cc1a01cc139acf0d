package dev.tsumugi.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import dev.tsumugi.embedded.Ports;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.generator.GeneratorApplication;
import dev.tsumugi.launcher.client.PeftZip;
import dev.tsumugi.system.HeldService.Place;
import dev.tsumugi.trainer.TrainerApplication;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Trainer and generator, a process each, killed at every step from an adapter's files to its answers. The survivor serves on; the one that
 * starts again brings to its end what was begun for good, and knows nothing of the rest.
 */
class KilledPublicationIT {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Duration LONG = Duration.ofMinutes(3);
    private static final String TOKEN = "a-token-for-tests-only";
    private static final Path GOLDEN = Path.of("../engine/src/test/resources/golden");
    private static final List<Path> ADAPTERS =
            List.of(GOLDEN.resolve("lora/llama-r8"), GOLDEN.resolve("lora/llama-r4-rslora"));
    private static final String TRAINER = "dev.tsumugi.trainer.";
    private static final String GENERATOR = "dev.tsumugi.generator.";

    /** Most lives here end soon after their start, and a second compiler and a collector beside the program would take half of that. */
    private static final List<String> SHORT_LIFE = List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");

    private static final HttpClient http = HttpClient.newHttpClient();

    @TempDir
    private static Path work;

    private static int trainerPort;
    private static int generatorPort;
    private static Map<String, Object> trainerProperties;
    private static HeldService trainer;
    private static HeldService generator;

    @BeforeAll
    static void start() throws Exception {
        trainerPort = Ports.free(2);
        generatorPort = trainerPort + 1;
        EmbeddedPostgres postgres = EmbeddedPostgres.shared();
        String kafka = EmbeddedKafka.shared().bootstrapServers();
        Path model = GOLDEN.resolve("tiny-llama").toAbsolutePath().normalize();
        String generatorUrl = "http://127.0.0.1:" + generatorPort;
        trainerProperties = Map.ofEntries(
                Map.entry("server.port", trainerPort),
                Map.entry("spring.datasource.url", postgres.createDatabase("killed_publication_it")),
                Map.entry("spring.datasource.username", postgres.username()),
                Map.entry("spring.datasource.password", postgres.password()),
                Map.entry("spring.kafka.bootstrap-servers", kafka),
                Map.entry("tsumugi.internal-token", TOKEN),
                Map.entry("tsumugi.trainer.model", model),
                Map.entry("tsumugi.trainer.work", work.resolve("work")),
                Map.entry("tsumugi.trainer.adapters.store", work.resolve("store")),
                Map.entry("tsumugi.trainer.adapters.generator-urls", generatorUrl),
                Map.entry("tsumugi.trainer.generator-urls", generatorUrl),
                Map.entry("tsumugi.trainer.polling", "200ms"),
                // The job of a killed trainer is free after four.
                Map.entry("tsumugi.trainer.heartbeat", "500ms"),
                Map.entry("tsumugi.trainer.gate.min-questions", "8"),
                // What such a model says of anything else means nothing, before and after.
                Map.entry("tsumugi.trainer.gate.replay-margin", "10"));
        trainer = trainer(SHORT_LIFE);
        generator = new HeldService(
                GeneratorApplication.class,
                SHORT_LIFE,
                Map.of(
                        "server.port",
                        generatorPort,
                        "spring.kafka.bootstrap-servers",
                        kafka,
                        "tsumugi.internal-token",
                        TOKEN,
                        "tsumugi.generator.model",
                        model,
                        "tsumugi.generator.adapter-store",
                        work.resolve("store")),
                work.resolve("generator.out"));
        trainer.start();
        generator.start();
        awaitReady(trainer, trainerPort);
        awaitReady(generator, generatorPort);
        assertThat(importAdapter(ADAPTERS.getFirst()).statusCode()).isEqualTo(201);
        awaitServed(digest(ADAPTERS.getFirst()));
    }

    @AfterAll
    static void stop() throws InterruptedException {
        trainer.close();
        generator.close();
    }

    private static HeldService trainer(List<String> jvmOptions) {
        return new HeldService(TrainerApplication.class, jvmOptions, trainerProperties, work.resolve("trainer.out"));
    }

    /** In their order, and whether the new adapter is registered for good by then. */
    enum StepOfTrainer {
        STORING(Place.before("dev.tsumugi.platform.adapters.AdapterStore", "publish"), false),
        STORED(Place.before(TRAINER + "adapters.GeneratorChecks", "check"), false),
        CHECKED(Place.before(TRAINER + "adapters.AdapterRegistry", "publish"), false),
        ROW_WRITTEN(Place.before(TRAINER + "adapters.AdapterRegistry", "forgetUnused"), false),
        ROW_COMMITTED(Place.before(TRAINER + "adapters.AdapterOutbox", "send"), true),
        RECORD_SENT(Place.after(TRAINER + "adapters.AdapterOutbox", "send"), true);

        private final Place place;
        private final boolean registered;

        StepOfTrainer(Place place, boolean registered) {
            this.place = place;
            this.registered = registered;
        }
    }

    @ParameterizedTest
    @MethodSource("dev.tsumugi.system.KilledPublicationIT$StepOfTrainer#values")
    void a_publication_whose_trainer_is_killed_is_there_wholly_or_not_at_all(StepOfTrainer step) throws Exception {
        String before = registered().path("digest").asString();
        Path next = otherThan(before);
        trainer.hold(step.place);
        CompletableFuture<HttpResponse<String>> publication = CompletableFuture.supplyAsync(() -> importAdapter(next));
        trainer.killAtPlace();
        publication.exceptionally(cutOff -> null).join();
        assertThat(servedDigest()).as("the generator serves on").isIn(before, digest(next));

        trainer.start();
        awaitReady(trainer, trainerPort);
        assertThat(registered().path("digest").asString()).isEqualTo(step.registered ? digest(next) : before);
        awaitConverged();
        publishTheOther();
    }

    /** In their order. */
    enum StepOfGenerator {
        RECORD_READ(Place.before(GENERATOR + "adapter.RegistryFollower$Names", "take")),
        VERIFYING(Place.before("dev.tsumugi.engine.adapter.AdapterSlots", "load")),
        WARMING(Place.before(GENERATOR + "adapter.AdapterStaging", "probe")),
        FLIPPING(Place.before(GENERATOR + "model.AdapterNames", "put")),
        DRAINING(Place.before("dev.tsumugi.engine.adapter.AdapterSlots", "unload")),
        FREEING(Place.before("dev.tsumugi.engine.adapter.AdapterSlots$Slot", "freeIfDone")),
        REPORTING(Place.before(GENERATOR + "adapter.RegistryFollower", "send"));

        private final Place place;

        StepOfGenerator(Place place) {
            this.place = place;
        }
    }

    @ParameterizedTest
    @MethodSource("dev.tsumugi.system.KilledPublicationIT$StepOfGenerator#values")
    void a_generator_that_is_killed_while_it_swaps_serves_what_is_registered_as_soon_as_it_is_ready(
            StepOfGenerator step) throws Exception {
        Path next = otherThan(registered().path("digest").asString());
        generator.hold(step.place);
        assertThat(importAdapter(next).statusCode()).isEqualTo(201);
        generator.killAtPlace();

        generator.start();
        awaitReady(generator, generatorPort);
        assertThat(servedDigest()).isEqualTo(digest(next));
        awaitConverged();
        publishTheOther();
    }

    @Test
    void a_job_whose_trainer_is_killed_at_every_step_after_its_verdict_ends_once_and_its_adapter_answers()
            throws Exception {
        List<Place> steps = List.of(
                Place.before(TRAINER + "jobs.JobRunner", "publish"),
                Place.before(TRAINER + "jobs.JobStore", "candidate"),
                Place.before(TRAINER + "adapters.AdapterPublisher", "promote"),
                Place.before(TRAINER + "jobs.JobStore", "finish"));
        trainer.close();
        String job;
        // This one computes.
        try (HeldService learning = trainer(List.of())) {
            learning.start(steps.getFirst());
            awaitReady(learning, trainerPort);
            assertThat(call(trainerPort, "POST", "/internal/training/examples", text(lamps()))
                            .statusCode())
                    .isEqualTo(200);
            job = json(202, call(trainerPort, "POST", "/internal/training/jobs", text("""
                    {"adapter": "lamps", "settings": {"rank": 8, "learningRate": 0.01, "warmUpSteps": 2, "epochs": 6,
                     "microBatchTokens": 512, "gradientAccumulation": 2, "unanswerableShare": 0}}""")))
                    .path("id")
                    .asString();
            learning.killAtPlace();
        }
        for (Place step : steps.subList(1, steps.size())) {
            trainer.start(step);
            trainer.killAtPlace();
        }
        trainer.start();
        awaitReady(trainer, trainerPort);
        JsonNode ended = await().atMost(LONG)
                .until(
                        () -> json(200, call(trainerPort, "GET", "/internal/training/jobs/" + job, nothing())),
                        one -> one.path("finishedAt").isString());
        assertThat(ended.path("state").asString()).as(ended.toString()).isEqualTo("PROMOTED");
        assertThat(ended.path("attempts").asInt()).isEqualTo(steps.size() + 1);
        JsonNode lamps = json(200, call(trainerPort, "GET", "/internal/adapters/lamps", nothing()));
        assertThat(lamps.path("digest").asString())
                .isEqualTo(ended.path("candidate").asString());
        assertThat(lamps.path("promoted").asBoolean()).isTrue();
        assertThat(lamps.path("versions")).hasSize(1);
        await().atMost(LONG)
                .untilAsserted(() -> assertThat(served("lamps").path("digest").asString())
                        .isEqualTo(ended.path("candidate").asString()));
    }

    /** Every lamp has a document of its own. */
    private static String lamps() {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 100; i++) {
            lines.append("""
                    {"id": "lamp-%d", "question": "Which colour has lamp %d?", "answer": "blue",\
                     "contexts": [{"text": "Lamp %d is blue.", "documentId": "lamp-%d"}]}
                    """.formatted(i, i, i, i));
        }
        return lines.toString();
    }

    /** The generator serves what the trainer says is registered, in the newest version, and both can do more. */
    private static void awaitConverged() {
        await("the generator serves what is registered").atMost(LONG).untilAsserted(() -> {
            JsonNode registered = registered();
            assertThat(served("support").path("digest").asString())
                    .isEqualTo(registered.path("digest").asString());
            assertThat(served("support").path("version").asLong())
                    .isEqualTo(registered.path("version").asLong());
            assertThat(servedDigest()).isEqualTo(registered.path("digest").asString());
        });
    }

    private static void publishTheOther() throws IOException {
        Path other = otherThan(registered().path("digest").asString());
        HttpResponse<String> published = importAdapter(other);
        assertThat(published.statusCode()).as(published.body()).isEqualTo(201);
        awaitServed(digest(other));
    }

    private static void awaitServed(String digest) {
        await().atMost(LONG).untilAsserted(() -> assertThat(servedDigest()).isEqualTo(digest));
        awaitConverged();
    }

    private static Path otherThan(String digest) throws IOException {
        return digest(ADAPTERS.getFirst()).equals(digest) ? ADAPTERS.getLast() : ADAPTERS.getFirst();
    }

    private static String digest(Path adapter) {
        return PeftAdapter.digestOf(adapter);
    }

    private static HttpResponse<String> importAdapter(Path adapter) {
        try {
            Path zip = work.resolve(adapter.getFileName() + ".zip");
            PeftZip.write(adapter, zip);
            return call(
                    trainerPort,
                    "POST",
                    "/internal/adapters?name=support",
                    HttpRequest.BodyPublishers.ofFile(zip),
                    "application/zip");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode registered() {
        return json(200, call(trainerPort, "GET", "/internal/adapters/support", nothing()));
    }

    /** What the generator says that a name stands for. */
    private static JsonNode served(String name) {
        return json(200, call(generatorPort, "GET", "/internal/adapters", nothing()))
                .path("adapters")
                .valueStream()
                .filter(one -> one.path("name").asString().equals(name))
                .findFirst()
                .orElse(JSON.nullNode());
    }

    /** The digest that has made an answer. */
    private static String servedDigest() {
        return json(200, call(generatorPort, "POST", "/internal/completions", text("""
                        {"model": "support", "prompt": [5, 17, 200], "max_tokens": 2, "temperature": 0}""")))
                .path("system_fingerprint")
                .asString();
    }

    private static void awaitReady(HeldService service, int port) {
        try {
            await().atMost(LONG).pollInterval(Duration.ofMillis(100)).until(() -> {
                service.requireAlive();
                return isReady(port);
            });
        } catch (ConditionTimeoutException e) {
            throw new AssertionError("not ready:\n" + service.output(), e);
        }
    }

    private static boolean isReady(int port) {
        try {
            return call(port, "GET", "/actuator/health/readiness", nothing()).statusCode() == 200;
        } catch (UncheckedIOException e) {
            return false;
        }
    }

    private static HttpRequest.BodyPublisher nothing() {
        return HttpRequest.BodyPublishers.noBody();
    }

    private static HttpRequest.BodyPublisher text(String body) {
        return HttpRequest.BodyPublishers.ofString(body);
    }

    private static HttpResponse<String> call(int port, String method, String path, HttpRequest.BodyPublisher body) {
        return call(port, method, path, body, "application/json");
    }

    private static HttpResponse<String> call(
            int port, String method, String path, HttpRequest.BodyPublisher body, String type) {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .timeout(LONG)
                .header("X-Tsumugi-Internal-Token", TOKEN)
                .header("X-Tsumugi-Tenant", "mill")
                .header("X-Tsumugi-Principals", "")
                .header("Content-Type", type)
                .method(method, body)
                .build();
        try {
            return http.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(new IOException(e));
        }
    }

    private static JsonNode json(int status, HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        return JSON.readTree(response.body());
    }
}
