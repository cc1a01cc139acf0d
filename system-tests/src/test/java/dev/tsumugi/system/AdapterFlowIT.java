package dev.tsumugi.system;

import static dev.tsumugi.system.RunningPlatform.json;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.launcher.client.PeftZip;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The adapter that comes with the product, and from an imported PEFT folder to answers, also across a power cut at any moment. */
class AdapterFlowIT {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final int POWER_CUTS = 2;
    /** Of the default model, SmolLM2-135M. */
    private static final int HIDDEN = 576;

    @TempDir
    private Path work;

    private Path peft(int seed) throws IOException {
        Random random = new Random(seed);
        Path folder = work.resolve("peft-" + seed);
        PeftWriter.write(
                folder,
                new PeftWriter.Settings("SmolLM2-135M-Instruct", 2, 4, false),
                Map.of(
                        "model.layers.7.self_attn.q_proj",
                        new LowRankPair(matrix(random, 2, HIDDEN), matrix(random, HIDDEN, 2), 2)));
        return folder;
    }

    private static Tensor matrix(Random random, int rows, int columns) {
        MemorySegment memory = Arena.ofAuto().allocate(4L * rows * columns, 64);
        for (int i = 0; i < rows * columns; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (random.nextGaussian() * 0.02));
        }
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(memory), 0);
    }

    private HttpRequest.Builder upload(RunningPlatform platform, Path peft) throws IOException {
        Path zip = work.resolve(peft.getFileName() + ".zip");
        PeftZip.write(peft, zip);
        return platform.request("/api/v1/adapters?name=support")
                .header("Content-Type", "application/zip")
                .POST(HttpRequest.BodyPublishers.ofFile(zip));
    }

    private static String completionBy(RunningPlatform platform) {
        JsonNode answer = json(
                platform.post("/v1/completions", "{\"model\":\"support\",\"prompt\":\"A river is\",\"max_tokens\":1}"));
        return answer.path("system_fingerprint").asString(answer.toString());
    }

    private static JsonNode provenance(RunningPlatform platform) {
        return json(platform.post("/api/v1/ask", "{\"question\":\"How long is the Kiso river?\"}"))
                .path("provenance");
    }

    @Test
    void an_imported_adapter_answers_and_after_power_cuts_the_registry_and_the_generator_agree() throws Exception {
        List<Path> folders = new ArrayList<>();
        List<String> digests = new ArrayList<>();
        for (int seed = 0; seed < 2; seed++) {
            folders.add(peft(seed));
            digests.add(PeftAdapter.digestOf(folders.getLast()));
        }
        try (RunningPlatform platform = RunningPlatform.start()) {
            String reader = json(platform.get("/api/v1/adapters/grounded-reader"))
                    .path("digest")
                    .asString();
            await("a fresh platform answers through the adapter that comes with it")
                    .atMost(LONG)
                    .untilAsserted(() -> assertThat(
                                    provenance(platform).path("adapterDigest").asString(""))
                            .isEqualTo(reader));
            assertThat(platform.post("/api/v1/adapters/grounded-reader/rollback", "")
                            .statusCode())
                    .isEqualTo(200);
            await().atMost(LONG)
                    .untilAsserted(() -> assertThat(
                                    provenance(platform).path("adapterDigest").asString(""))
                            .isEmpty());

            HttpResponse<String> imported = platform.send(upload(platform, folders.getFirst()));
            assertThat(imported.statusCode()).as(imported.body()).isEqualTo(201);
            await().atMost(LONG)
                    .untilAsserted(() -> assertThat(completionBy(platform)).isEqualTo(digests.getFirst()));
            assertThat(provenance(platform).path("adapterDigest").asString(""))
                    .as("not promoted yet")
                    .isEmpty();
            assertThat(platform.post("/api/v1/adapters/support/promote", "").statusCode())
                    .isEqualTo(200);
            await().atMost(LONG)
                    .untilAsserted(() -> assertThat(
                                    provenance(platform).path("adapterDigest").asString(""))
                            .isEqualTo(digests.getFirst()));

            Random random = new Random(7);
            for (int cut = 0; cut < POWER_CUTS; cut++) {
                Path next = folders.get((cut + 1) % 2);
                Thread change = Thread.ofPlatform().start(() -> {
                    try {
                        platform.send(upload(platform, next));
                    } catch (IOException | UncheckedIOException e) {
                        // The power may be cut before the answer.
                    }
                });
                if (cut == 0) {
                    // Just after the answer; the others in the middle.
                    change.join();
                } else {
                    change.join(Duration.ofMillis(20 + random.nextInt(150)));
                }
                platform.kill();
                change.join();
                platform.restart();
                JsonNode registered = json(platform.get("/api/v1/adapters/support"));
                assertThat(registered.path("digest").asString())
                        .as("after cut " + cut)
                        .isIn(digests);
                if (cut == 0) {
                    assertThat(registered.path("digest").asString()).isEqualTo(digests.get(1));
                }
                assertThat(json(platform.get("/api/v1/adapters/grounded-reader"))
                                .path("promoted")
                                .asBoolean())
                        .as("a rollback holds across a start")
                        .isFalse();
                await("the generator serves what is registered").atMost(LONG).untilAsserted(() -> {
                    assertThat(completionBy(platform))
                            .isEqualTo(registered.path("digest").asString());
                    assertThat(provenance(platform).path("adapterDigest").asString(""))
                            .isEqualTo(registered.path("digest").asString());
                });
            }
        }
    }
}
