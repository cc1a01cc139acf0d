package dev.tsumugi.engine.constrain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.tokenizer.GoldenFiles;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Random;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.statistics.Statistics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.opentest4j.TestAbortedException;

class ConstraintsTests {
    private static final Constraints CONSTRAINTS = RandomAnswers.VOCABULARIES.get("tiny-llama");

    /** Whether the constraint reads all of {@code text}, token by token, and lets it end there. */
    private static boolean accepts(Constraint constraint, String text) {
        ConstraintState state = constraint.initial();
        for (int token : constraint.tokenizer().encodePlain(text)) {
            if (!state.mask().allows(token)) {
                return false;
            }
            state = state.after(token);
        }
        return state.isAccepting();
    }

    private static boolean schemaAccepts(String schema, String text) {
        return accepts(CONSTRAINTS.jsonSchema(schema), text);
    }

    @Provide
    Arbitrary<String> patterns() {
        Arbitrary<String> atoms = Arbitraries.of(
                "a", "b", "あ", "é", ".", "[a-c]", "[^a]", "\\d", "\\w", "\\S", "\\n", "\\.", "😀", "[ぁ-んx]", "\\u00e9",
                "\\p{Lu}");
        Arbitrary<String> quantifiers = Arbitraries.of("", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "+?");
        Arbitrary<String> simple = atoms.flatMap(atom -> quantifiers.map(q -> atom + q))
                .list()
                .ofMinSize(1)
                .ofMaxSize(4)
                .map(parts -> String.join("", parts));
        return simple.list()
                .ofMinSize(1)
                .ofMaxSize(3)
                .flatMap(alternatives -> quantifiers.flatMap(
                        q -> simple.map(tail -> "(?:" + String.join("|", alternatives) + ")" + q + tail)));
    }

    @Property(tries = 100)
    void every_answer_under_a_regular_expression_matches_it(@ForAll("patterns") String pattern, @ForAll long seed) {
        Random random = new Random(seed);
        Pattern java = Pattern.compile(pattern);
        for (Constraints constraints : RandomAnswers.VOCABULARIES.values()) {
            for (int i = 0; i < 3; i++) {
                Optional<String> answer = unlessTooCostly(() -> RandomAnswers.any(random, constraints.regex(pattern)));
                answer.ifPresent(text -> assertThat(text).matches(java));
                Statistics.label("finished").collect(answer.isPresent());
            }
        }
        Statistics.label("finished").coverage(coverage -> coverage.check(true).percentage(share -> share > 60));
    }

    @Property(tries = 200)
    void a_text_is_accepted_exactly_when_it_matches(@ForAll("patterns") String pattern, @ForAll("texts") String text) {
        boolean matches = Pattern.compile(pattern).matcher(text).matches();
        assertThat(unlessTooCostly(() -> accepts(CONSTRAINTS.regex(pattern), text)))
                .isEqualTo(matches);
    }

    /** A few of the patterns can be read in so many ways that they are refused, which is right. */
    private static <T> T unlessTooCostly(Supplier<T> answer) {
        try {
            return answer.get();
        } catch (ConstraintException e) {
            assertThat(e).hasMessageContaining("too many ways");
            throw new TestAbortedException(e.getMessage());
        }
    }

    @Provide
    Arbitrary<String> texts() {
        return Arbitraries.of("a", "b", "c", "あ", "é", "x", "7", "\n", ".", "😀", "A")
                .list()
                .ofMaxSize(6)
                .map(parts -> String.join("", parts));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "{\"a\": [1, 2.5, null, true], \"b\": {\"c\": \"d\\n\\u00e9\\ud83d\\ude00\"}}; true",
                "{\"a\":[1,2],\"b\":{}}; true",
                "{}; true",
                "[]; false",
                "{\"a\":  1}; false",
                "{\"a\":1,}; false",
                "{\"a\":01}; false",
                "{\"a\":\"\\ud83d\"}; false",
                "{\"a\":1} ; true",
                "{\"a\":tru; false"
            })
    void json_is_read_as_it_is_defined_with_one_blank_behind_colons_and_commas(String text, boolean accepted) {
        assertThat(accepts(CONSTRAINTS.jsonObject(), text)).isEqualTo(accepted);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": true}}; {\"a\": 1, \"b\": \"x\"}; true",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": true}}; {\"b\": 2}; true",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": true}}; {\"b\": 2, \"a\": 1}; false",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}}}; {\"c\": 2}; false",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}}, \"additionalProperties\": true}; {\"a\": 1, \"c\": 2}; true",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}}, \"additionalProperties\": true}; {\"a\": \"wrong\"}; false",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}}, \"additionalProperties\": true}; {\"ab\": \"right\"}; true",
                "{\"properties\": {\"a\": {\"type\": \"integer\"}}, \"additionalProperties\": true}; {\"\\u0061\": \"wrong\"}; false",
                "{\"type\": \"object\", \"required\": [\"a\"]}; {}; false",
                "{\"type\": \"object\", \"required\": [\"a\"]}; {\"a\": [1]}; true",
                "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 2, \"maxItems\": 3}; [1]; false",
                "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 2, \"maxItems\": 3}; [1, 2,3]; true",
                "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 2, \"maxItems\": 3}; [1, 2, 3, 4]; false",
                "{\"type\": \"array\", \"maxItems\": 0}; []; true",
                "{\"type\": \"array\", \"prefixItems\": [{\"type\": \"string\"}], \"items\": {\"type\": \"null\"}}; [\"a\", null, null]; true",
                "{\"type\": \"array\", \"prefixItems\": [{\"type\": \"string\"}], \"items\": false}; [\"a\", null]; false",
                "{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}; \"日本語\"; true",
                "{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}; \"\\u65e5\\n\"; true",
                "{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}; \"a\"; false",
                "{\"type\": \"string\", \"pattern\": \"^a\"}; \"abc\"; true",
                "{\"type\": \"string\", \"pattern\": \"a$\"}; \"cab\"; false",
                "{\"type\": \"string\", \"pattern\": \"^[^x]{2}$\"}; \"\\\"\\n\"; true",
                "{\"type\": \"integer\", \"minimum\": -5, \"exclusiveMaximum\": 120}; -5; true",
                "{\"type\": \"integer\", \"minimum\": -5, \"exclusiveMaximum\": 120}; -6; false",
                "{\"type\": \"integer\", \"minimum\": -5, \"exclusiveMaximum\": 120}; 119; true",
                "{\"type\": \"integer\", \"minimum\": -5, \"exclusiveMaximum\": 120}; 120; false",
                "{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 12.25}; 0.49; false",
                "{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 12.25}; 12.25; true",
                "{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 12.25}; 12.2501; false",
                "{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 12.25}; 3; true",
                "{\"enum\": [\"a\", 1, null]}; \"a\"; true",
                "{\"enum\": [\"a\", 1, null], \"type\": \"string\"}; 1; false",
                "{\"const\": {\"a\": [1]}}; {\"a\":[1]}; true",
                "{\"allOf\": [{\"type\": \"null\"}], \"description\": \"x\"}; null; true"
            })
    void a_schema_accepts_what_it_should(String schema, String text, boolean accepted) {
        assertThat(schemaAccepts(schema, text)).isEqualTo(accepted);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "{\"type\": \"object\", \"patternProperties\": {}}; patternProperties",
                "{\"properties\": {\"a\": {\"not\": {}}}}; #/properties/a uses not",
                "{\"if\": true}; anyOf",
                "{\"multipleOf\": 2}; multipleOf",
                "{\"uniqueItems\": true}; uniqueItems",
                "{\"made-up\": 1}; made-up",
                "{\"type\": \"strng\"}; types are",
                "{\"anyOf\": [true], \"type\": \"object\"}; type beside anyOf",
                "{\"$ref\": \"#/$defs/x\"}; not there",
                "{\"$ref\": \"https://example.com/schema\"}; $defs",
                "{\"$ref\": \"#\"}; itself",
                "{\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]}; itself",
                "{\"oneOf\": [{\"type\": \"integer\"}, {\"type\": \"number\"}]}; use anyOf",
                "{\"allOf\": [true, true]}; write them as one",
                "{\"type\": \"string\", \"format\": \"color\"}; date-time",
                "{\"type\": \"string\", \"pattern\": \"(?=a)\"}; look-ahead",
                "{\"type\": \"string\", \"minLength\": 20000}; 16384",
                "{\"type\": \"integer\", \"minimum\": 3, \"maximum\": 2}; No text satisfies",
                "{\"type\": \"number\", \"minimum\": 1e999999999}; too large",
                "{\"type\": \"object\", \"required\": [\"a\"], \"additionalProperties\": false}; not among",
                "{\"minProperties\": 2}; minProperties",
                "false; No text satisfies",
                "[]; no schema",
                "{\"type\": ; no JSON"
            })
    void what_is_not_supported_is_refused_by_name(String schema, String message) {
        assertThatThrownBy(() -> CONSTRAINTS.jsonSchema(schema))
                .isInstanceOf(ConstraintException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a(",
                "a)",
                "[",
                "[]",
                "*a",
                "a**",
                "a*+",
                "a{2",
                "a{3,2}",
                "a{99999}",
                "\\b",
                "\\1",
                "(?=a)",
                "(?!a)",
                "(?<=a)",
                "(?i)a",
                "a^b",
                "\\p{Nope}",
                "\\u12",
                "[b-a]",
                "[\\d-z]",
                "[a&&b]",
                "(a{1000}){1000}",
                "",
                "a\\"
            })
    void a_regular_expression_that_cannot_be_used_is_refused(String pattern) {
        assertThatThrownBy(() -> CONSTRAINTS.regex(pattern)).isInstanceOf(ConstraintException.class);
    }

    @Test
    void alternatives_that_a_discriminator_tells_apart_may_stand_in_one_of() {
        String schema = """
                {"oneOf": [
                  {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind"]},
                  {"type": "object", "properties": {"kind": {"const": "dog"}, "tricks": {"type": "array"}}, "required": ["kind"]},
                  {"type": ["string", "null"]}]}""";
        assertThat(schemaAccepts(schema, "{\"kind\": \"dog\", \"tricks\": []}")).isTrue();
        assertThat(schemaAccepts(schema, "{\"kind\": \"cat\", \"tricks\": []}")).isFalse();
        assertThat(schemaAccepts(schema, "null")).isTrue();
    }

    @Test
    void a_schema_may_refer_to_itself_to_any_depth() {
        String schema = """
                {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}""";
        assertThat(schemaAccepts(schema, "{\"next\":".repeat(200) + "{}" + "}".repeat(200)))
                .isTrue();
        assertThat(schemaAccepts(schema, "{\"next\":".repeat(200) + "{}" + "}".repeat(199)))
                .isFalse();
    }

    @Test
    void special_tokens_are_never_allowed_and_equal_texts_lead_to_the_same_state() {
        Constraint constraint = CONSTRAINTS.regex("[\\s\\S]*");
        Tokenizer tokenizer = constraint.tokenizer();
        ConstraintState state = constraint.initial();
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            assertThat(state.mask().allows(id)).isEqualTo(!tokenizer.isSpecial(id) && isWritable(tokenizer, id));
        }
        int[] split = tokenizer.encodePlain("ab");
        ConstraintState one = state;
        for (int token : split) {
            one = one.after(token);
        }
        ConstraintState other =
                state.after(tokenizer.encodePlain("a")[0]).after(tokenizer.encodePlain("b")[0]);
        assertThat(one).isSameAs(other);
        int special = 0;
        assertThat(tokenizer.isSpecial(special)).isTrue();
        assertThatThrownBy(() -> state.after(special)).isInstanceOf(IllegalArgumentException.class);
    }

    /** Bytes that are a part of UTF-8 text somewhere. */
    private static boolean isWritable(Tokenizer tokenizer, int id) {
        byte[] bytes = tokenizer.bytesOf(id);
        boolean continuation = bytes.length > 0 && (bytes[0] & 0xC0) == 0x80;
        boolean never = bytes.length == 1 && ((bytes[0] & 0xFF) >= 0xF5 || (bytes[0] & 0xFE) == 0xC0);
        return bytes.length > 0 && !continuation && !never;
    }

    @Test
    void a_character_that_spans_tokens_is_finished_before_anything_else() {
        Constraint constraint = CONSTRAINTS.regex("[あ-ん]+");
        Tokenizer tokenizer = constraint.tokenizer();
        ConstraintState state = constraint.initial();
        byte[] bytes = "あ".getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 2; i++) {
            state = state.after(byteToken(tokenizer, bytes[i]));
            assertThat(state.isAccepting()).isFalse();
        }
        assertThat(state.after(byteToken(tokenizer, bytes[2])).isAccepting()).isTrue();
    }

    private static int byteToken(Tokenizer tokenizer, byte b) {
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            if (!tokenizer.isSpecial(id)
                    && tokenizer.bytesOf(id).length == 1
                    && tokenizer.bytesOf(id)[0] == b) {
                return id;
            }
        }
        throw new AssertionError("no token for byte " + b);
    }

    @Test
    void a_blank_that_decoding_drops_does_not_count() {
        Constraints sentencePiece = new Constraints(GoldenFiles.tokenizer("tokenizer/llama2-style"));
        Constraint constraint = sentencePiece.regex("the");
        int[] tokens = constraint.tokenizer().encodePlain("the");
        ConstraintState state = constraint.initial();
        for (int token : tokens) {
            state = state.after(token);
        }
        assertThat(new String(constraint.tokenizer().bytesOf(tokens[0]), StandardCharsets.UTF_8))
                .startsWith(" ");
        assertThat(state.isComplete()).isTrue();
        assertThat(RandomAnswers.any(new Random(1), sentencePiece.regex(" the")))
                .contains(" the");
    }

    @Test
    void what_was_compiled_is_kept() {
        assertThat(CONSTRAINTS.regex("kept")).isSameAs(CONSTRAINTS.regex("kept"));
        assertThat(CONSTRAINTS.jsonObject()).isSameAs(CONSTRAINTS.jsonObject());
        Constraint first = CONSTRAINTS.regex("dropped");
        for (int i = 0; i < 100; i++) {
            CONSTRAINTS.regex("other" + i);
        }
        assertThat(CONSTRAINTS.regex("dropped")).isNotSameAs(first);
    }

    @Test
    void a_state_outlives_the_automatons_fresh_start() {
        Constraint constraint =
                RandomAnswers.VOCABULARIES.get("tokenizer/qwen2-style").jsonSchema("{}");
        Random random = new Random(3);
        ConstraintState held = constraint.initial().after(constraint.tokenizer().encodePlain("[")[0]);
        ConstraintState before = constraint.initial();
        for (int tries = 0; constraint.initial() == before; tries++) {
            assertThat(tries).isLessThan(200);
            StringBuilder text = new StringBuilder();
            for (int level = 0; level < 300; level++) {
                text.append(random.nextBoolean() ? "[" : "{\"a\":");
            }
            ConstraintState state = constraint.initial();
            for (int token : constraint.tokenizer().encodePlain(text.toString())) {
                state.mask();
                state = state.after(token);
            }
        }
        assertThat(held.mask().size()).isPositive();
        assertThat(held.after(constraint.tokenizer().encodePlain("]")[0]).isComplete())
                .isTrue();
    }
}
