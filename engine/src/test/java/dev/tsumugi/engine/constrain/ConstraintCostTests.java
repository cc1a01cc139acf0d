package dev.tsumugi.engine.constrain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Short constraints that would take memory or time without end. Most of these tests fail by not ending. */
class ConstraintCostTests {
    private static final Constraints CONSTRAINTS = RandomAnswers.VOCABULARIES.get("tiny-llama");

    /** More of the tokens that are a few letters. */
    private static final Constraints VARIED = RandomAnswers.VOCABULARIES.get("tokenizer/qwen2-style");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"type\": \"string\", \"pattern\": \"^(?:a{16384}){16384}$\", \"maxLength\": 5}",
                "{\"type\": \"string\", \"pattern\": \"^(?:(?:a?){16384}){16384}$\", \"minLength\": 5}",
                "{\"type\": \"string\", \"pattern\": \"^(?:(?:){16384}){16384}$\", \"minLength\": 5}",
                "{\"type\": \"string\", \"pattern\": \"^[ab]*(?:a|b|c){9000}$\", \"maxLength\": 9001}",
            })
    void counts_within_counts_are_refused_before_they_are_written(String schema) {
        assertThatThrownBy(() -> CONSTRAINTS.jsonSchema(schema))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("too large");
    }

    @Test
    void characters_that_nothing_can_write_count_too() {
        String nothing = "[^\\s\\S]|".repeat(1000) + "a";
        assertThatThrownBy(() -> CONSTRAINTS.regex("(?:" + nothing + "){16384}"))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("too large");
    }

    @Test
    void references_that_meet_again_are_followed_once() {
        String schemas = IntStream.range(0, 40)
                .mapToObj(i -> "\"a%d\": {\"anyOf\": [{\"$ref\": \"#/$defs/a%d\"}, {\"$ref\": \"#/$defs/a%d\"}]}, "
                        .formatted(i, i + 1, i + 1))
                .collect(Collectors.joining());
        Constraint constraint = CONSTRAINTS.jsonSchema(
                "{\"$defs\": {" + schemas + "\"a40\": {\"type\": \"null\"}}, \"$ref\": \"#/$defs/a0\"}");
        assertThat(constraint.initial().mask().size()).isPositive();
    }

    @Test
    void a_long_chain_of_references_is_followed_to_its_end() {
        String schemas = IntStream.range(0, 6000)
                .mapToObj(i -> "\"a%d\": {\"$ref\": \"#/$defs/a%d\"}, ".formatted(i, i + 1))
                .collect(Collectors.joining());
        Constraint constraint = CONSTRAINTS.jsonSchema(
                "{\"$defs\": {" + schemas + "\"a6000\": {\"type\": \"null\"}}, \"$ref\": \"#/$defs/a0\"}");
        assertThat(constraint.initial().mask().size()).isPositive();
    }

    @Test
    void more_alternatives_than_can_be_compared_are_refused_with_what_to_do() {
        String alternatives = IntStream.range(0, 12_000)
                .mapToObj(i -> "{\"const\": " + i + "}")
                .collect(Collectors.joining(", "));
        assertThatThrownBy(() -> CONSTRAINTS.jsonSchema("{\"oneOf\": [" + alternatives + "]}"))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("steps to compile")
                .hasMessageContaining("anyOf");
    }

    @Test
    void hundreds_of_alternatives_are_compared() {
        String alternatives = IntStream.range(0, 300)
                .mapToObj(i ->
                        "{\"type\": \"object\", \"properties\": {\"kind\": {\"const\": \"k%d\"}}, \"required\": [\"kind\"]}"
                                .formatted(i))
                .collect(Collectors.joining(", "));
        Constraint constraint = CONSTRAINTS.jsonSchema("{\"oneOf\": [" + alternatives + "]}");
        assertThat(constraint.initial().mask().size()).isPositive();
    }

    @Test
    void alternatives_that_branch_into_themselves_are_compared_once_each() {
        String names = IntStream.range(0, 8).mapToObj(i -> "\"p" + i + "\"").collect(Collectors.joining(", "));
        String tree = "{\"type\": \"object\", \"properties\": {"
                + names.replaceAll("\"(p[0-9])\"", "\"$1\": {\"\\$ref\": \"#/\\$defs/%s\"}")
                + "}, \"required\": [" + names + "]}";
        String schema = "{\"$defs\": {\"a\": " + tree.replace("%s", "a") + ", \"b\": " + tree.replace("%s", "b")
                + "}, \"oneOf\": [{\"$ref\": \"#/$defs/a\"}, {\"$ref\": \"#/$defs/b\"}]}";
        assertThatThrownBy(() -> CONSTRAINTS.jsonSchema(schema))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("might both hold");
    }

    @Test
    void a_long_name_is_not_kept_for_each_schema_below_it() {
        String alternatives = "true, ".repeat(20_000) + "true";
        assertThatThrownBy(() -> CONSTRAINTS.jsonSchema("{\"$defs\": {\"" + "a".repeat(50_000) + "\": {\"anyOf\": ["
                        + alternatives + "]}}, \"$ref\": \"#/$defs/" + "a".repeat(50_000) + "\"}"))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("shorter names");
    }

    @Test
    void a_reference_that_is_no_address_is_refused() {
        assertThatThrownBy(() -> CONSTRAINTS.jsonSchema("{\"$ref\": \"#/$defs/%zz\"}"))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("%");
    }

    @Test
    void a_mask_that_costs_too_much_ends_and_what_it_cost_is_counted() {
        Constraint constraint = VARIED.regex("x(e?t?a?o?i?n?){3000}");
        ConstraintState state =
                constraint.initial().after(constraint.tokenizer().encodePlain("x")[0]);
        ConstraintBudget budget = new ConstraintBudget();
        assertThatThrownBy(() -> state.mask(budget))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("too many ways at once");
        assertThat(budget.spent()).isBetween(ConstraintBudget.MOST_AT_ONCE, ConstraintBudget.MOST_AT_ONCE * 2);
    }

    @Test
    void an_answer_whose_masks_cost_too_much_together_ends() {
        Constraint constraint = VARIED.regex("x(e?t?a?o?i?n?){120}");
        ConstraintBudget budget = new ConstraintBudget();
        assertThatThrownBy(() -> {
                    ConstraintState state = constraint.initial();
                    for (int token : constraint.tokenizer().encodePlain("x" + "nnnioateo".repeat(13))) {
                        assertThat(state.mask(budget).allows(token)).isTrue();
                        state = state.after(token);
                    }
                })
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining("all the work that one answer may take");
    }

    @Test
    void what_is_known_costs_nothing() {
        ConstraintState state = CONSTRAINTS.regex("[a-z]{3,7}").initial();
        state.mask();
        ConstraintBudget budget = new ConstraintBudget();
        state.mask(budget);
        assertThat(budget.spent()).isZero();
    }

    @Test
    void a_property_is_kept_once_however_it_is_spelt() {
        assertThat(CharacterProperties.named("IsHan", false))
                .isSameAs(CharacterProperties.named("IsHAN", false))
                .isSameAs(CharacterProperties.named("Script=Hani", false));
        assertThat(CharacterProperties.named("L", false)).isSameAs(CharacterProperties.named("L", false));
    }
}
