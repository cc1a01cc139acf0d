package dev.tsumugi.trainer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class AnswerScoresTests {
    @Test
    void english_answers_score_as_in_the_reference() {
        compare("squad.json", text -> String.join(" ", AnswerScores.words(text)), AnswerScores::words);
    }

    @Test
    void japanese_answers_score_as_in_the_reference() {
        compare(
                "japanese-characters.json",
                text -> String.join("", AnswerScores.characters(text)),
                AnswerScores::characters);
    }

    @Test
    void the_language_of_the_wanted_answer_decides() {
        assertThat(AnswerScores.f1("午前六時です。", "午前六時")).isEqualTo(0.8, Offset.offset(1e-6));
        assertThat(AnswerScores.f1("At six.", "six")).isEqualTo(2.0 / 3, Offset.offset(1e-6));
        assertThat(AnswerScores.exactMatch("The gate.", "gate")).isTrue();
    }

    private static void compare(String file, Function<String, String> normalize, Function<String, List<String>> parts) {
        JsonNode cases = read(file).get("cases");
        assertThat(cases).isNotEmpty();
        for (JsonNode one : cases) {
            String prediction = one.get("prediction").stringValue();
            assertThat(normalize.apply(prediction))
                    .isEqualTo(one.get("normalized").stringValue());
            List<String> said = parts.apply(prediction);
            double f1 = 0;
            boolean exact = false;
            for (JsonNode answer : one.get("answers")) {
                List<String> wanted = parts.apply(answer.stringValue());
                f1 = Math.max(f1, AnswerScores.f1(said, wanted));
                exact |= said.equals(wanted);
            }
            assertThat(f1).as(one.toString()).isEqualTo(one.get("f1").doubleValue(), Offset.offset(1e-6));
            assertThat(exact).as(one.toString()).isEqualTo(one.get("exact").intValue() == 1);
        }
    }

    private static JsonNode read(String file) {
        InputStream in = AnswerScoresTests.class.getResourceAsStream("/golden/metrics/" + file);
        return JsonMapper.shared().readTree(Objects.requireNonNull(in, file));
    }
}
