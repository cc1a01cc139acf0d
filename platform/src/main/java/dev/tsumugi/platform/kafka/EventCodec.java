package dev.tsumugi.platform.kafka;

import java.lang.reflect.RecordComponent;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Events as UTF-8 JSON. Reading checks the {@code schemaVersion} first, ignores unknown fields, and refuses null where the record type
 * does not say {@link Nullable}.
 */
public final class EventCodec {
    private final JsonMapper json = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    public byte[] encode(Object event) {
        return json.writeValueAsBytes(event);
    }

    /**
     * @param schemaVersion the version that {@code type} stands for
     * @throws InvalidEventException when the value is no such event
     */
    public <T extends Record> T decode(byte @Nullable [] value, Class<T> type, int schemaVersion) {
        if (value == null) {
            throw new InvalidEventException("the record has no value");
        }
        try {
            JsonNode tree = json.readTree(value);
            if (tree == null || !tree.isObject()) {
                throw new InvalidEventException("the value is not a JSON object");
            }
            JsonNode version = tree.get("schemaVersion");
            if (version == null || !version.isIntegralNumber()) {
                throw new InvalidEventException(
                        "the field schemaVersion is missing; this service reads version " + schemaVersion);
            }
            if (!version.canConvertToInt() || version.intValue() != schemaVersion) {
                throw new InvalidEventException(
                        "unknown schemaVersion " + version + "; this service reads version " + schemaVersion);
            }
            T event = json.treeToValue(tree, type);
            requireComponents(event);
            return event;
        } catch (JacksonException e) {
            throw new InvalidEventException(
                    "the value is no valid " + type.getSimpleName() + ": " + e.getOriginalMessage(), e);
        }
    }

    private static void requireComponents(Record value) {
        for (RecordComponent component : value.getClass().getRecordComponents()) {
            Object content;
            try {
                content = component.getAccessor().invoke(value);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException("cannot read " + component, e);
            }
            if (content == null) {
                if (!component.getAnnotatedType().isAnnotationPresent(Nullable.class)) {
                    throw new InvalidEventException("the field " + component.getName() + " is missing");
                }
            } else if (content instanceof Record nested) {
                requireComponents(nested);
            } else if (content instanceof List<?> elements) {
                for (Object element : elements) {
                    if (element instanceof Record nested) {
                        requireComponents(nested);
                    }
                }
            }
        }
    }
}
