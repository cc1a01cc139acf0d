package dev.tsumugi.engine.serve;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.engine.constrain.ConstraintBudget;
import dev.tsumugi.engine.constrain.ConstraintException;
import dev.tsumugi.engine.constrain.ConstraintState;
import dev.tsumugi.engine.constrain.Constraints;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.sample.TokenLogprobs.TokenLogprob;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import dev.tsumugi.engine.tokenizer.TokenizerCases;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The model that comes with the platform, from its real file. */
@Timeout(300)
class SmolLm2IT {
    /** Twice the error of a logit that fp32 arithmetic over the dequantized weights may make. */
    private static final double CLOSE_CALL = 0.01;

    private static LoadedModel model;

    @BeforeAll
    static void open() {
        Path path = Downloads.inDefaultCache().languageModel();
        model = LoadedModel.open(
                path, ModelOptions.defaults().withBackend("vector").withPrecision(Precision.EXACT));
    }

    @AfterAll
    static void close() {
        if (model != null) {
            model.close();
        }
    }

    @Test
    void its_vocabulary_gives_the_recorded_ids_texts_and_streams() {
        TokenizerCases.holds(model.tokenizer(), GoldenFiles.cases("tokenizer/smollm2-cases.json"));
    }

    @Test
    void chats_become_the_recorded_ids() {
        for (JsonNode recorded : GoldenFiles.cases("tokenizer/smollm2-chats.json")) {
            assertThat(model.tokenizer().encode(recorded.path("text").asString()))
                    .isEqualTo(GoldenFiles.ints(recorded.path("ids")));
        }
    }

    @Test
    void greedy_answers_are_the_recorded_ones_as_far_as_arithmetic_can_tell() throws Exception {
        List<JsonNode> cases = GoldenFiles.cases("smol/expected.json");
        try (Engine engine = model.startEngine(new EngineLimits(512, 128, 16, 64, 8, 8))) {
            List<Generation> generations = new ArrayList<>();
            for (JsonNode recorded : cases) {
                int[] prompt = model.chatPrompt(messages(recorded));
                assertThat(prompt).isEqualTo(GoldenFiles.ints(recorded.path("prompt_ids")));
                generations.add(engine.submit(GenerationRequest.of(prompt, 40).withLogprobs(20)));
            }
            for (int i = 0; i < cases.size(); i++) {
                GenerationResult result = generations.get(i).result().get(240, SECONDS);
                isRecordedAnswer(cases.get(i), result);
                hasRecordedLogits(
                        cases.get(i).path("top20"), result.logprobs().getFirst().top());
            }
        }
    }

    @Test
    void it_answers_under_a_schema_and_says_the_same_freely_where_it_would_anyway() throws Exception {
        String schema = """
                {"type": "object", "properties": {
                   "capital": {"type": "string", "maxLength": 40}, "continent": {"enum": ["Africa", "America", "Asia", "Europe"]},
                   "island": {"type": "boolean"}, "islands": {"type": "integer", "minimum": 1, "maximum": 20000}},
                 "required": ["capital", "continent", "island"], "additionalProperties": false}""";
        int[] prompt = model.chatPrompt(List.of(new ChatMessage("user", "Describe Japan.")));
        try (Engine engine = model.startEngine(new EngineLimits(512, 128, 16, 64, 8, 8))) {
            GenerationRequest request = GenerationRequest.of(prompt, 60);
            JsonNode japan = JsonMapper.shared()
                    .readTree(engine.submit(
                                    request.withConstraint(model.constraints().jsonSchema(schema)))
                            .result()
                            .get(240, SECONDS)
                            .text());
            assertThat(japan.path("continent").asString()).isIn("Africa", "America", "Asia", "Europe");
            assertThat(japan.path("capital").asString()).isNotBlank();
            GenerationResult free = engine.submit(request).result().get(240, SECONDS);
            GenerationResult anything = engine.submit(
                            request.withConstraint(model.constraints().regex("[\\s\\S]*")))
                    .result()
                    .get(240, SECONDS);
            assertThat(anything.tokens()).isEqualTo(free.tokens());
        }
    }

    @Test
    void a_usual_schema_costs_little_to_follow() {
        Constraints constraints = new Constraints(model.tokenizer());
        String schema = """
                    {"$defs": {"line": {"type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
                         "count": {"type": "integer", "minimum": 1, "maximum": 999}, "note": {"type": "string", "maxLength": 200}},
                         "required": ["sku", "count"]}},
                     "type": "object", "properties": {"order": {"type": "string"}, "date": {"type": "string", "format": "date-time"},
                         "total": {"type": "number", "minimum": 0}, "lines": {"type": "array", "items": {"$ref": "#/$defs/line"},
                         "minItems": 1, "maxItems": 50}, "paid": {"type": ["boolean", "null"]}}, "required": ["date", "lines"]}""";
        String text = "{\"order\": \"№ 17 / 日本\", \"date\": \"2026-01-31T12:00:00Z\", "
                + "\"lines\": [{\"sku\": \"ABC-0001\", \"count\": 12, \"note\": \"Please wrap it well.\"}]}";
        ConstraintBudget budget = new ConstraintBudget();
        ConstraintState state = constraints.jsonSchema(schema).initial();
        for (int token : model.tokenizer().encodePlain(text)) {
            assertThat(state.mask(budget).allows(token)).isTrue();
            state = state.after(token);
        }
        assertThat(state.isComplete()).isTrue();
        assertThat(budget.spent()).isLessThan(400_000);
    }

    @Test
    void a_constraint_that_can_be_read_in_too_many_ways_is_refused() {
        assertThatThrownBy(() -> model.constraints().regex("(e?t?a?o?i?n?){3000}"))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("too many ways");
    }

    private static List<ChatMessage> messages(JsonNode recorded) {
        List<ChatMessage> messages = new ArrayList<>();
        for (JsonNode message : recorded.path("messages")) {
            messages.add(new ChatMessage(
                    message.path("role").asString(), message.path("content").asString()));
        }
        return messages;
    }

    private static void isRecordedAnswer(JsonNode recorded, GenerationResult result) {
        int[] expected = GoldenFiles.ints(recorded.path("greedy_ids"));
        int sure = 0;
        while (sure < expected.length && recorded.path("margins").get(sure).asDouble() > CLOSE_CALL) {
            sure++;
        }
        assertThat(sure).as("steps that are no close call").isGreaterThanOrEqualTo(5);
        assertThat(Arrays.copyOf(result.tokens(), sure)).isEqualTo(Arrays.copyOf(expected, sure));
        if (sure == expected.length) {
            assertThat(result.text()).isEqualTo(recorded.path("greedy_text").asString());
            boolean ended = recorded.path("stopped_at_eos").asBoolean();
            assertThat(result.finishReason()).isEqualTo(ended ? FinishReason.STOP : FinishReason.LENGTH);
        }
    }

    /** Differences to the largest logit, which the logarithm of the sum does not touch. */
    private static void hasRecordedLogits(JsonNode recorded, List<TokenLogprob> top) {
        for (int i = 1; i < 20; i++) {
            double difference =
                    recorded.get(i).get(1).asDouble() - recorded.get(0).get(1).asDouble();
            assertThat(top.get(i).logprob() - top.get(0).logprob()).isCloseTo(difference, within(CLOSE_CALL));
        }
    }
}
