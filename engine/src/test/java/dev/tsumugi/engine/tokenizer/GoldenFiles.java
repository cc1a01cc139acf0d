package dev.tsumugi.engine.tokenizer;

import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Recorded references in the test resources. */
public final class GoldenFiles {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private GoldenFiles() {}

    public static Path path(String name) {
        URL url = Objects.requireNonNull(GoldenFiles.class.getResource("/golden/" + name), name);
        try {
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    public static JsonNode json(String name) {
        return JSON.readTree(path(name));
    }

    public static List<JsonNode> cases(String name) {
        List<JsonNode> cases = new ArrayList<>();
        json(name).path("cases").forEach(cases::add);
        if (cases.isEmpty()) {
            throw new IllegalStateException(name + " has no cases");
        }
        return cases;
    }

    public static int[] ints(JsonNode array) {
        int[] ints = new int[array.size()];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = array.get(i).asInt();
        }
        return ints;
    }

    public static Tokenizer tokenizer(String folder) {
        try {
            return TokenizerJson.read(path(folder + "/tokenizer.json"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
