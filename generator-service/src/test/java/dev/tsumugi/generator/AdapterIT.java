package dev.tsumugi.generator;

import static dev.tsumugi.generator.RunningGenerator.JSON;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.api.AnswerRequest;
import dev.tsumugi.contracts.api.InternalHeaders;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Adapters from a folder, by their names. */
class AdapterIT {
    private static final Path GOLDEN = Path.of("src/test/resources/lora");

    @TempDir
    Path folder;

    private void copy(String adapter, String name) throws IOException {
        Files.createDirectories(folder.resolve(name));
        for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            Files.write(
                    folder.resolve(name).resolve(file),
                    Files.readAllBytes(GOLDEN.resolve(adapter).resolve(file)));
        }
    }

    private static String text(RunningGenerator generator, String model) throws Exception {
        JsonNode answer = generator.json(200, generator.post("/internal/completions", """
                {"model": "%s", "prompt": [5, 17, 200, 91, 33, 260, 12], "max_tokens": 20, "temperature": 0}
                """.formatted(model)));
        assertThat(answer.path("model").asString()).isEqualTo(model);
        return answer.path("choices").get(0).path("text").asString();
    }

    @Test
    void adapters_of_the_folder_are_models_that_can_be_changed_while_the_service_runs() throws Exception {
        copy("llama-r8", "valves");
        Files.createDirectories(folder.resolve("broken"));
        try (RunningGenerator generator = new RunningGenerator(Map.of(
                "tsumugi.generator.model",
                Path.of("src/test/resources/tiny-llama").toAbsolutePath(),
                "tsumugi.generator.adapters",
                folder))) {
            JsonNode models = generator.json(200, generator.get("/internal/models"));
            assertThat(models.path("data").findValuesAsString("id")).containsExactly("tiny-llama", "valves");
            String bare = text(generator, "tiny-llama");
            String valves = text(generator, "valves");
            assertThat(valves).isNotEqualTo(bare);

            copy("llama-r4-rslora", "pumps");
            JsonNode loaded = generator.json(200, change(generator, "PUT", "pumps"));
            assertThat(loaded.path("rank").asInt()).isEqualTo(4);
            String pumps = text(generator, "pumps");
            assertThat(pumps).isNotIn(bare, valves);

            copy("llama-r4-rslora", "valves");
            generator.json(200, change(generator, "PUT", "valves"));
            assertThat(text(generator, "valves")).isEqualTo(pumps);
            JsonNode list = generator.json(200, generator.get("/internal/adapters"));
            assertThat(list.findValuesAsString("digest"))
                    .containsExactly(
                            loaded.path("digest").asString(),
                            loaded.path("digest").asString());

            Files.writeString(folder.resolve("valves/adapter_config.json"), "{}");
            assertThat(generator.send(change(generator, "PUT", "valves")).statusCode())
                    .isEqualTo(400);
            assertThat(text(generator, "valves"))
                    .as("after a change that failed")
                    .isEqualTo(pumps);

            assertThat(generator.send(change(generator, "DELETE", "valves")).statusCode())
                    .isEqualTo(204);
            assertThat(text(generator, "pumps"))
                    .as("whose content the other name had too")
                    .isEqualTo(pumps);
            HttpResponse<String> gone = generator.send(
                    generator.post("/internal/completions", "{\"model\": \"valves\", \"prompt\": \"x\"}"));
            assertThat(gone.statusCode()).isEqualTo(404);
            assertThat(gone.body()).contains("model_not_found");
            assertThat(generator.send(change(generator, "PUT", "..%2F..")).statusCode())
                    .isEqualTo(400);
            assertThat(generator.send(change(generator, "DELETE", "nobody")).statusCode())
                    .isEqualTo(404);

            assertThat(answer(generator, "pumps").path("adapter").asString("")).isEqualTo("pumps");
            assertThat(answer(generator, "none").path("adapter").isNull()).isTrue();
            assertThat(generator.send(question(generator, "nobody")).body()).contains("adapter-unknown");
        }
    }

    private static HttpRequest change(RunningGenerator generator, String method, String name) {
        return HttpRequest.newBuilder(URI.create(
                        generator.get("/internal/adapters/" + name).uri().toString()))
                .header(InternalHeaders.TOKEN, RunningGenerator.TOKEN)
                .method(method, HttpRequest.BodyPublishers.noBody())
                .build();
    }

    private static HttpRequest question(RunningGenerator generator, String adapter) {
        AnswerRequest request = new AnswerRequest(
                "How long is the Kiso river?",
                List.of(Passages.passage("rivers", "The Kiso river is 229 kilometres long.")),
                "g1",
                adapter,
                null,
                0,
                null);
        return generator.post("/internal/answer", JSON.writeValueAsString(request));
    }

    private static JsonNode answer(RunningGenerator generator, String adapter) throws Exception {
        return generator
                .events(question(generator, adapter))
                .getLast()
                .json()
                .path("done")
                .path("provenance");
    }
}
