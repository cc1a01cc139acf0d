package dev.tsumugi.engine.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Strict JSON for files from outside: no duplicate names, bounded depth and sizes. */
public final class ModelJson {
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(64)
                    .maxNameLength(4096)
                    .maxNumberLength(64)
                    .maxStringLength(1 << 20)
                    .build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    private static final JsonMapper MAPPER = new JsonMapper(FACTORY);

    private ModelJson() {}

    static JsonParser parser(byte[] json) {
        return MAPPER.createParser(json);
    }

    /**
     * The JSON object in {@code file}.
     *
     * @throws ModelFileException when it is missing, larger than {@code maxBytes}, or no JSON object
     */
    public static JsonNode object(Path file, long maxBytes) {
        return object(file, read(file, maxBytes));
    }

    /**
     * The bytes of {@code file}.
     *
     * @throws ModelFileException when it is missing, or larger than {@code maxBytes}
     */
    public static byte[] read(Path file, long maxBytes) {
        try {
            long size = Files.size(file);
            if (size > maxBytes) {
                throw new ModelFileException(
                        file,
                        "has " + size + " bytes, more than the " + maxBytes + " allowed",
                        "Use the file as published");
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new ModelFileException(file, "cannot be read: " + e, "A model folder needs this file", e);
        }
    }

    /**
     * The JSON object {@code json}, which stands in or came for {@code file}.
     *
     * @throws ModelFileException when it is no JSON object
     */
    public static JsonNode object(Path file, byte[] json) {
        try {
            JsonNode node = MAPPER.readTree(json);
            if (!node.isObject()) {
                throw new ModelFileException(file, "is not a JSON object", "Use the file as published");
            }
            return node;
        } catch (JacksonException e) {
            throw new ModelFileException(
                    file, "is not sound JSON: " + e.getOriginalMessage(), "Use the file as published", e);
        }
    }
}
