package dev.tsumugi.engine.files;

import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The typed key-value pairs at the head of a GGUF file. An absent key gives an empty result; a key with a value of another type than asked
 * for a {@link ModelFileException}.
 */
public final class GgufMetadata {
    private final Path path;
    private final Map<String, Object> values;

    GgufMetadata(Path path, Map<String, Object> values) {
        this.path = path;
        this.values = values;
    }

    public Set<String> keys() {
        return Collections.unmodifiableSet(values.keySet());
    }

    /** All values: String, Boolean, Long, Double, {@code long[]}, {@code float[]}, or a list of these. */
    public Map<String, Object> asMap() {
        return Collections.unmodifiableMap(values);
    }

    public Optional<String> string(String key) {
        return value(key, String.class, "a text");
    }

    public Optional<Boolean> flag(String key) {
        return value(key, Boolean.class, "true or false");
    }

    /** Any of the integer types. */
    public OptionalLong integer(String key) {
        Optional<Long> value = value(key, Long.class, "a whole number");
        return value.isPresent() ? OptionalLong.of(value.get()) : OptionalLong.empty();
    }

    /** A floating-point number, or a whole one. */
    public OptionalDouble number(String key) {
        Optional<Number> value = value(key, Number.class, "a number");
        return value.isPresent() ? OptionalDouble.of(value.get().doubleValue()) : OptionalDouble.empty();
    }

    public Optional<List<String>> strings(String key) {
        Object value = values.get(key);
        if (value instanceof List<?> list && list.stream().allMatch(String.class::isInstance)) {
            return Optional.of(list.stream().map(String.class::cast).toList());
        }
        // An empty array may have been written with any element type.
        if (value instanceof long[] numbers && numbers.length == 0 || value instanceof float[] f && f.length == 0) {
            return Optional.of(List.of());
        }
        return value == null ? Optional.empty() : wrongType(key, value, "a list of texts");
    }

    /** A copy of an array of 32-bit floating-point numbers. */
    public Optional<float[]> floats(String key) {
        return value(key, float[].class, "a list of 32-bit floating-point numbers")
                .map(float[]::clone);
    }

    /** A copy of an array of any of the integer types. */
    public Optional<long[]> integers(String key) {
        return value(key, long[].class, "a list of whole numbers").map(long[]::clone);
    }

    private <T> Optional<T> value(String key, Class<T> type, String wanted) {
        @Nullable Object value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        return type.isInstance(value) ? Optional.of(type.cast(value)) : wrongType(key, value, wanted);
    }

    private <T> Optional<T> wrongType(String key, Object value, String wanted) {
        throw ModelFileException.damaged(
                path,
                "metadata '" + key + "' should be " + wanted + ", but is "
                        + switch (value) {
                            case String s -> "a text";
                            case Boolean b -> "true or false";
                            case Long l -> "a whole number";
                            case Double d -> "a floating-point number";
                            default -> "another kind of list";
                        });
    }
}
