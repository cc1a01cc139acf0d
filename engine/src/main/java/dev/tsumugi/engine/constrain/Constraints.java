package dev.tsumugi.engine.constrain;

import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Compiles constraints for one tokenizer and keeps those used last, with the masks that they have computed. Safe for use by many threads.
 */
public final class Constraints {
    private static final int LONGEST_SCHEMA = 256 * 1024;
    private static final int MOST_KEPT = 64;
    private static final long MOST_BYTES = 128L << 20;

    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder().maxNestingDepth(200).build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();

    private final Vocabulary vocabulary;

    private enum Language {
        REGEX,
        SCHEMA,
        OBJECT
    }

    private record Key(Language language, String text) {}

    /** In the order of use. */
    private final Map<Key, Constraint> kept = new LinkedHashMap<>(16, 0.75f, true);

    /** Reads the vocabulary, which takes some 100 ms for 50,000 tokens. */
    public Constraints(Tokenizer tokenizer) {
        vocabulary = new Vocabulary(tokenizer);
    }

    /**
     * Texts that {@code pattern} matches as a whole.
     *
     * @throws ConstraintException for what is wrong or not supported in it
     */
    public Constraint regex(String pattern) {
        return constraint(
                new Key(Language.REGEX, pattern),
                network -> Regex.write(
                        RegexParser.whole(pattern),
                        new Utf8Edges(network, vocabulary.writable()),
                        network.start(Network.MAIN),
                        network.end(Network.MAIN)));
    }

    /**
     * JSON texts that are valid under {@code schema}, in the form that the package describes.
     *
     * @throws ConstraintException for what is wrong or not supported in it
     */
    public Constraint jsonSchema(String schema) {
        if (schema.length() > LONGEST_SCHEMA) {
            throw new ConstraintException(
                    "The schema has " + schema.length() + " characters; at most " + LONGEST_SCHEMA + " are read.");
        }
        return constraint(
                new Key(Language.SCHEMA, schema),
                network -> SchemaCompiler.write(
                        parse(schema), json(network), network.start(Network.MAIN), network.end(Network.MAIN)));
    }

    /** Any JSON object. */
    public Constraint jsonObject() {
        return constraint(
                new Key(Language.OBJECT, ""),
                network -> json(network).anyObject(network.start(Network.MAIN), network.end(Network.MAIN)));
    }

    private JsonEdges json(Network network) {
        return new JsonEdges(network, new Utf8Edges(network, vocabulary.writable()));
    }

    private static JsonNode parse(String schema) {
        try {
            return JSON.readTree(schema);
        } catch (JacksonException e) {
            throw new ConstraintException("The schema is no JSON: " + e.getOriginalMessage());
        }
    }

    private Constraint constraint(Key key, Consumer<Network> writer) {
        synchronized (kept) {
            Constraint known = kept.get(key);
            if (known != null) {
                return known;
            }
        }
        Network network = new Network();
        writer.accept(network);
        Constraint compiled = new Constraint(new Automaton(network, vocabulary), vocabulary.tokenizer());
        if (compiled.initial().isComplete()) {
            throw new ConstraintException(
                    "Only the empty text satisfies the constraint; there is nothing to generate.");
        }
        // What is too costly already here is better refused before it is queued.
        compiled.initial().mask();
        synchronized (kept) {
            Constraint first = kept.putIfAbsent(key, compiled);
            trim();
            return first == null ? compiled : first;
        }
    }

    private void trim() {
        long bytes = kept.values().stream().mapToLong(Constraint::bytes).sum();
        var eldest = kept.entrySet().iterator();
        while (kept.size() > 1 && (kept.size() > MOST_KEPT || bytes > MOST_BYTES)) {
            bytes -= eldest.next().getValue().bytes();
            eldest.remove();
        }
    }
}
