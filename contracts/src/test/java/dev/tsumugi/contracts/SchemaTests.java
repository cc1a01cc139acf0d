package dev.tsumugi.contracts;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.contracts.event.AdapterReport;
import dev.tsumugi.contracts.event.ChunkEmbeddings;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.contracts.event.DocumentIngest;
import dev.tsumugi.contracts.event.DocumentStatus;
import dev.tsumugi.contracts.event.GenerationRequest;
import dev.tsumugi.contracts.event.GenerationResult;
import dev.tsumugi.contracts.event.TrainingExample;
import java.io.InputStream;
import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.RecordComponent;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The JSON Schemas that users read say what the records say. */
class SchemaTests {

    static List<Arguments> events() {
        return List.of(
                Arguments.of(Topics.DOCUMENT_INGEST, DocumentIngest.class),
                Arguments.of(Topics.DOCUMENT_CHUNKS, DocumentChunks.class),
                Arguments.of(Topics.CHUNK_EMBEDDINGS, ChunkEmbeddings.class),
                Arguments.of(Topics.DOCUMENT_STATUS, DocumentStatus.class),
                Arguments.of(Topics.GENERATION_REQUESTS, GenerationRequest.class),
                Arguments.of(Topics.GENERATION_RESULTS, GenerationResult.class),
                Arguments.of(Topics.TRAINING_EXAMPLES, TrainingExample.class),
                Arguments.of(Topics.ADAPTER_REGISTRY, AdapterRegistration.class),
                Arguments.of(Topics.ADAPTER_STATUS, AdapterReport.class));
    }

    @ParameterizedTest
    @MethodSource("events")
    void the_schema_of_a_topic_has_the_fields_types_and_duties_of_its_record(String topic, Class<?> event)
            throws Exception {
        try (InputStream in = Topics.class.getResourceAsStream("schema/" + topic + ".v1.json")) {
            compare(topic, JsonMapper.shared().readTree(in), event);
        }
    }

    private static void compare(String place, JsonNode schema, Class<?> type) {
        TreeSet<String> required = new TreeSet<>();
        schema.get("required").forEach(name -> required.add(name.stringValue()));
        TreeSet<String> expectedRequired = new TreeSet<>();
        for (RecordComponent component : type.getRecordComponents()) {
            String field = place + "." + component.getName();
            JsonNode property = schema.get("properties").get(component.getName());
            assertThat(property).as(field).isNotNull();
            boolean nullable = component.getAnnotatedType().isAnnotationPresent(Nullable.class);
            if (!nullable) {
                expectedRequired.add(component.getName());
            }
            compareType(field, property, component.getType(), component.getAnnotatedType(), nullable);
        }
        assertThat(required).as(place + " required").isEqualTo(expectedRequired);
        assertThat(schema.get("properties").propertyNames())
                .as(place + " properties")
                .containsExactlyInAnyOrderElementsOf(Arrays.stream(type.getRecordComponents())
                        .map(RecordComponent::getName)
                        .toList());
    }

    private static void compareType(
            String field, JsonNode property, Class<?> type, AnnotatedType annotated, boolean nullable) {
        JsonNode types = property.get("type");
        List<String> names = types.isArray()
                ? types.valueStream().map(JsonNode::stringValue).toList()
                : List.of(types.stringValue());
        String json = jsonType(type);
        assertThat(names).as(field).isEqualTo(nullable ? List.of(json, "null") : List.of(json));
        if (type.isRecord()) {
            compare(field, property, type);
        } else if (type == List.class) {
            AnnotatedType element = ((AnnotatedParameterizedType) annotated).getAnnotatedActualTypeArguments()[0];
            if (element.getType() instanceof Class<?> elementType) {
                compareType(
                        field + "[]",
                        property.get("items"),
                        elementType,
                        element,
                        element.isAnnotationPresent(Nullable.class));
            }
        }
    }

    private static String jsonType(Class<?> type) {
        if (type == String.class || type == Instant.class || type == byte[].class || type.isEnum()) {
            return "string";
        } else if (type == int.class || type == long.class || type == Integer.class) {
            return "integer";
        } else if (type == boolean.class) {
            return "boolean";
        } else if (type == List.class) {
            return "array";
        } else if (type == Map.class || type.isRecord()) {
            return "object";
        }
        throw new AssertionError("no JSON type for " + type);
    }
}
