package dev.tsumugi.trainer.retrieval;

import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedRequest.Kind;
import dev.tsumugi.contracts.api.EmbedResponse;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.client.RestClient;

/**
 * Vectors of texts from embed-service, kept in a file: asked again, it may batch the texts otherwise and give other last bits, and a run that
 * goes on must see the same ones.
 */
public final class TextVectors {
    private static final int AT_ONCE = 64;
    private static final int MOST_DIMENSIONS = 4096;

    private final String indexGeneration;
    private final Map<String, float[]> questions;
    private final Map<String, float[]> passages;

    private TextVectors(String indexGeneration, Map<String, float[]> questions, Map<String, float[]> passages) {
        this.indexGeneration = indexGeneration;
        this.questions = questions;
        this.passages = passages;
    }

    /**
     * Reads the file, if it has all these texts, else asks and writes it.
     *
     * @param pause called between calls; what it throws ends the work
     */
    public static TextVectors of(
            RestClient embedService, List<String> questions, List<String> passages, Path file, Runnable pause)
            throws IOException {
        Optional<TextVectors> kept = Files.exists(file) ? Optional.of(read(file)) : Optional.empty();
        if (kept.isPresent()
                && kept.get().questions.keySet().containsAll(questions)
                && kept.get().passages.keySet().containsAll(passages)) {
            return kept.get();
        }
        Map<String, float[]> ofQuestions = new HashMap<>();
        Map<String, float[]> ofPassages = new HashMap<>();
        String generation = ask(embedService, Kind.QUERY, questions, ofQuestions, "", pause);
        generation = ask(embedService, Kind.PASSAGE, passages, ofPassages, generation, pause);
        TextVectors vectors = new TextVectors(generation, ofQuestions, ofPassages);
        vectors.write(file);
        return vectors;
    }

    private static String ask(
            RestClient embedService,
            Kind kind,
            List<String> texts,
            Map<String, float[]> vectors,
            String generation,
            Runnable pause) {
        List<String> distinct = texts.stream().distinct().toList();
        String known = generation;
        for (int from = 0; from < distinct.size(); from += AT_ONCE) {
            pause.run();
            List<String> part = distinct.subList(from, Math.min(distinct.size(), from + AT_ONCE));
            EmbedResponse response = embedService
                    .post()
                    .uri("/internal/embed")
                    .contentType(MediaType.APPLICATION_JSON)
                    .body(new EmbedRequest(kind, part))
                    .retrieve()
                    .body(EmbedResponse.class);
            if (response == null || response.vectors().size() != part.size()) {
                throw new IllegalStateException("embed-service did not answer with one vector a text");
            }
            if (!known.isEmpty() && !known.equals(response.indexGeneration())) {
                throw new IllegalStateException("the embedding model changed while vectors were made");
            }
            known = response.indexGeneration();
            for (int i = 0; i < part.size(); i++) {
                vectors.put(part.get(i), response.vectors().get(i));
            }
        }
        return known;
    }

    /** Of the model that made them. */
    public String indexGeneration() {
        return indexGeneration;
    }

    /** @throws IllegalArgumentException for a text that was not asked for */
    public float[] question(String text) {
        return required(questions.get(text));
    }

    /** @throws IllegalArgumentException for a text that was not asked for */
    public float[] passage(String text) {
        return required(passages.get(text));
    }

    private static float[] required(float @Nullable [] vector) {
        if (vector == null) {
            throw new IllegalArgumentException("there is no vector of this text");
        }
        return vector;
    }

    private void write(Path file) throws IOException {
        Path next = file.resolveSibling(file.getFileName() + ".next");
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(next)))) {
            out.writeUTF(indexGeneration);
            for (Map<String, float[]> vectors : List.of(questions, passages)) {
                out.writeInt(vectors.size());
                for (Map.Entry<String, float[]> vector : vectors.entrySet()) {
                    byte[] text = vector.getKey().getBytes(StandardCharsets.UTF_8);
                    out.writeInt(text.length);
                    out.write(text);
                    out.writeInt(vector.getValue().length);
                    for (float value : vector.getValue()) {
                        out.writeFloat(value);
                    }
                }
            }
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static TextVectors read(Path file) throws IOException {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            String generation = in.readUTF();
            return new TextVectors(generation, map(in), map(in));
        }
    }

    private static Map<String, float[]> map(DataInputStream in) throws IOException {
        Map<String, float[]> vectors = new HashMap<>();
        for (int count = in.readInt(); count > 0; count--) {
            String text = new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
            int dimensions = in.readInt();
            if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
                throw new IOException("vectors of " + dimensions + " dimensions");
            }
            float[] vector = new float[dimensions];
            for (int i = 0; i < dimensions; i++) {
                vector[i] = in.readFloat();
            }
            vectors.put(text, vector);
        }
        return vectors;
    }
}
