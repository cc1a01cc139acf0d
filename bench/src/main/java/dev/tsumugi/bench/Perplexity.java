package dev.tsumugi.bench;

import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.model.KvCache;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What speed costs in quality: perplexity of the fast computation beside that of the same weights in fp32, and how often both would choose the
 * same next token. Each paragraph is read alone, its first 256 tokens.
 */
final class Perplexity {
    /** What the fast computation's perplexity may be above the other, in percent. */
    private static final double LARGEST_LOSS = 0.5;

    private static final String PARAGRAPHS = "paragraphs.txt";
    private static final int LONGEST = 256;
    private static final int BLOCK = 16;

    private final Path model;
    private final ModelOptions options;
    private final List<String> paragraphs;

    /** @param text one paragraph a line; null: some of this project's own documentation */
    Perplexity(Path model, ModelOptions options, @Nullable Path text) {
        this.model = model;
        this.options = options;
        paragraphs = read(text).lines().filter(line -> !line.isBlank()).toList();
        BenchException.require(!paragraphs.isEmpty(), text + " holds no paragraph");
    }

    private static String read(@Nullable Path text) {
        try (InputStream in =
                text == null ? Perplexity.class.getResourceAsStream(PARAGRAPHS) : Files.newInputStream(text)) {
            if (in == null) {
                throw new BenchException(PARAGRAPHS + " is missing from the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @throws BenchException when the fast computation loses more than half a percent */
    void run(Recorder recorder) {
        if (!recorder.wants("perplexity", "perplexity, fp32", "perplexity above fp32", "greedy agreement with fp32")) {
            return;
        }
        Reading exact = read(Precision.EXACT);
        Reading fast = read(Precision.FAST);
        double loss = 100 * (fast.perplexity() / exact.perplexity() - 1);
        int alike = 0;
        for (int i = 0; i < fast.choices.length; i++) {
            alike += fast.choices[i] == exact.choices[i] ? 1 : 0;
        }
        recorder.record("perplexity", "", new double[] {fast.perplexity()}, 0);
        recorder.record("perplexity, fp32", "", new double[] {exact.perplexity()}, 0);
        recorder.record("perplexity above fp32", "%", new double[] {loss}, 0);
        recorder.record("greedy agreement with fp32", "%", new double[] {100.0 * alike / fast.choices.length}, 0);
        BenchException.require(
                loss <= LARGEST_LOSS,
                "the fast computation's perplexity is %.2f %% above that of fp32; %.1f %% are allowed"
                        .formatted(loss, LARGEST_LOSS));
    }

    /** @param choices the likeliest token behind each token read */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Reading(double surprise, int[] choices) {
        double perplexity() {
            return Math.exp(surprise / choices.length);
        }
    }

    private Reading read(Precision precision) {
        try (LoadedModel loaded = LoadedModel.open(model, options.withPrecision(precision));
                KvCache cache = loaded.model().newCache(LONGEST / BLOCK, BLOCK)) {
            double surprise = 0;
            int[] choices = new int[paragraphs.size() * LONGEST];
            int count = 0;
            float[] logits = new float[LONGEST * loaded.config().vocabularySize()];
            for (String paragraph : paragraphs) {
                int[] tokens = loaded.tokenizer().encode(paragraph);
                int[] read = Arrays.copyOf(tokens, Math.min(tokens.length, LONGEST));
                forward(loaded.model(), cache, read, logits);
                for (int i = 0; i + 1 < read.length; i++) {
                    int vocabulary = loaded.config().vocabularySize();
                    surprise += surprise(logits, i * vocabulary, vocabulary, read[i + 1]);
                    choices[count++] = likeliest(logits, i * vocabulary, vocabulary);
                }
            }
            BenchException.require(count > 0, "no paragraph has two tokens");
            return new Reading(surprise, Arrays.copyOf(choices, count));
        }
    }

    private static void forward(LanguageModel model, KvCache cache, int[] tokens, float[] logits) {
        int[] positions = IntStream.range(0, tokens.length).toArray();
        int[][] blocks = {IntStream.range(0, LONGEST / BLOCK).toArray()};
        model.forward(new Batch(tokens, positions, new int[tokens.length], blocks, positions), cache, logits);
    }

    /** Negative logarithm of the probability of {@code token}. */
    private static double surprise(float[] logits, int from, int vocabulary, int token) {
        double largest = logits[from + likeliest(logits, from, vocabulary)];
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits[from + i] - largest);
        }
        return Math.log(sum) + largest - logits[from + token];
    }

    private static int likeliest(float[] logits, int from, int vocabulary) {
        int best = 0;
        for (int i = 1; i < vocabulary; i++) {
            if (logits[from + i] > logits[from + best]) {
                best = i;
            }
        }
        return best;
    }
}
