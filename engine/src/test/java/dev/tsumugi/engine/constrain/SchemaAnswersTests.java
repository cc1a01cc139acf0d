package dev.tsumugi.engine.constrain;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.statistics.Statistics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a model that knows nothing answers under a schema is valid in the eyes of a validator. */
class SchemaAnswersTests {
    private static final SchemaRegistry VALIDATOR =
            SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);

    @Provide
    Arbitrary<String> vocabularies() {
        return Arbitraries.of(RandomAnswers.VOCABULARIES.keySet());
    }

    @Property(tries = 300)
    void every_answer_under_a_random_schema_is_valid(@ForAll long seed, @ForAll("vocabularies") String vocabulary) {
        Random random = new Random(seed);
        String schema = new RandomSchemas(random).any().toString();
        Constraint constraint = RandomAnswers.VOCABULARIES.get(vocabulary).jsonSchema(schema);
        for (int i = 0; i < 3; i++) {
            Optional<String> answer = RandomAnswers.any(random, constraint);
            answer.ifPresent(text -> check(schema, text));
            Statistics.label("finished").collect(answer.isPresent());
        }
        Statistics.label("finished").coverage(coverage -> coverage.check(true).percentage(share -> share > 80));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"format\": \"ipv6\", \"type\": \"string\"}",
                "{\"format\": \"uri\", \"type\": \"string\"}",
                "{\"format\": \"duration\", \"type\": \"string\"}",
                "{\"format\": \"date-time\", \"type\": \"string\"}",
                "{\"format\": \"hostname\", \"type\": \"string\"}",
                "{\"type\": \"number\", \"minimum\": 0.125, \"exclusiveMaximum\": 0.5}",
                "{\"type\": \"number\", \"exclusiveMinimum\": -3, \"maximum\": -2.75}",
                "{\"type\": \"number\", \"exclusiveMinimum\": 0}",
                "{\"type\": \"number\", \"maximum\": 0}",
                "{\"type\": \"integer\", \"minimum\": -120, \"exclusiveMaximum\": 1002}",
                "{\"type\": \"integer\", \"minimum\": 7, \"maximum\": 7}",
                "{\"minLength\": 3, \"maxLength\": 3, \"pattern\": \"a|bc\"}",
                "{\"type\": \"object\", \"required\": [\"a\"], \"additionalProperties\": {\"type\": \"null\"}}",
                "{\"$ref\": \"#/$defs/t\", \"$defs\": {\"t\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/t\"}}}}"
            })
    void every_answer_under(String schema) {
        Random random = new Random(5);
        for (Constraints constraints : RandomAnswers.VOCABULARIES.values()) {
            Constraint constraint = constraints.jsonSchema(schema);
            for (int i = 0; i < 40; i++) {
                check(schema, RandomAnswers.any(random, constraint).orElseThrow());
            }
        }
    }

    @Test
    void every_address_of_the_format_email_is_one_when_its_domain_is_a_known_one() {
        String schema = "{\"type\": \"string\", \"format\": \"email\"}";
        Random random = new Random(6);
        Constraint constraint = RandomAnswers.VOCABULARIES.get("tiny-llama").jsonSchema(schema);
        for (int i = 0; i < 40; i++) {
            check(schema, RandomAnswers.any(random, constraint).orElseThrow().replaceFirst("[A-Za-z]+\"$", "com\""));
        }
    }

    private static void check(String schema, String answer) {
        Schema validator = VALIDATOR.getSchema(schema);
        List<Error> errors = validator.validate(
                answer,
                InputFormat.JSON,
                context -> context.executionConfig(config -> config.formatAssertionsEnabled(true)));
        assertThat(errors).as("%s under %s", answer, schema).isEmpty();
    }
}
