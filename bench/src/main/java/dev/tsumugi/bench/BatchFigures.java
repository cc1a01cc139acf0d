package dev.tsumugi.bench;

import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.EngineLimits;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationListener;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Where many rows are computed at once: prompts of all lengths, many streams, and prompts that begin alike. */
final class BatchFigures {
    private static final int SHORTEST_PROMPT = 1 << 4;
    private static final int LONGEST_PROMPT = 1 << 10;
    private static final int PROMPT = 128;
    private static final int ANSWER = 128;
    private static final int SHARED = 400;
    private static final int OWN = 28;
    private static final int SHARED_ANSWER = 64;
    private static final int MOST_STREAMS = 64;
    /** Holds the most streams with their answers. */
    private static final long CACHE_BYTES = 1L << 30;

    private static final int ORDINARY_TOKENS_FROM = 1000;

    private final LoadedModel model;
    private final Recorder recorder;
    private final Random random = new Random(2);

    BatchFigures(LoadedModel model, Recorder recorder) {
        this.model = model;
        this.recorder = recorder;
    }

    void run() {
        EngineLimits limits = EngineLimits.forMemory(model.model(), CACHE_BYTES).withMaxRunning(MOST_STREAMS);
        try (Engine engine = model.startEngine(limits)) {
            for (int length = SHORTEST_PROMPT; length <= LONGEST_PROMPT; length *= 2) {
                int tokens = length;
                recorder.measure("prefill " + tokens, "tok/s", () -> tokens / firstToken(engine, random(tokens), 0));
            }
            recorder.measure(
                    "time to first token, prompt " + PROMPT, "ms", () -> 1000 * firstToken(engine, random(PROMPT), 0));
            measurePrefix(engine);
            for (int streams : new int[] {1, 4, 16, 64}) {
                String name = "prompt + decode, " + streams + " streams";
                recorder.measure(name, "output tok/s", () -> outputRate(engine, streams, ANSWER, () -> random(PROMPT)));
            }
            recorder.measure("shared prefix, " + MOST_STREAMS + " streams", "output tok/s", () -> {
                int[] shared = random(SHARED);
                return outputRate(engine, MOST_STREAMS, SHARED_ANSWER, () -> joined(shared, random(OWN)));
            });
        }
    }

    /** A prompt of which all whole blocks but the last are in the cache, beside one of the same length of which none is. */
    private void measurePrefix(Engine engine) {
        String name = "time to first token, prompt " + (SHARED + OWN);
        recorder.measure(name, "ms", () -> 1000 * firstToken(engine, random(SHARED + OWN), 0));
        String cached = name + ", prefix of " + SHARED + " cached";
        if (!recorder.wants(cached)) {
            return;
        }
        int[] shared = random(SHARED);
        double unused = firstToken(engine, joined(shared, random(OWN)), 0);
        recorder.measure(cached, "ms", () -> 1000 * firstToken(engine, joined(shared, random(OWN)), SHARED));
    }

    private double firstToken(Engine engine, int[] prompt, int cached) {
        GenerationResult result = engine.submit(request(prompt, 1), GenerationListener.NONE)
                .result()
                .join();
        BenchException.require(
                result.usage().generatedTokens() == 1 && result.usage().cachedTokens() == cached,
                "the answer is not what was asked for: " + result.usage());
        return result.timings().firstToken().toNanos() / 1e9;
    }

    private static double outputRate(Engine engine, int streams, int answer, Supplier<int[]> prompt) {
        List<GenerationRequest> requests = IntStream.range(0, streams)
                .mapToObj(i -> request(prompt.get(), answer))
                .toList();
        long start = System.nanoTime();
        List<Generation> all = requests.stream()
                .map(request -> engine.submit(request, GenerationListener.NONE))
                .toList();
        int tokens = all.stream()
                .mapToInt(generation -> generation.result().join().usage().generatedTokens())
                .sum();
        BenchException.require(tokens == streams * answer, "an answer was cut short");
        return tokens / ((System.nanoTime() - start) / 1e9);
    }

    private static GenerationRequest request(int[] prompt, int answer) {
        return GenerationRequest.of(prompt, answer).withIgnoreEnd(true);
    }

    private int[] random(int length) {
        int vocabulary = model.config().vocabularySize();
        return random.ints(length, ORDINARY_TOKENS_FROM, vocabulary - ORDINARY_TOKENS_FROM)
                .toArray();
    }

    private static int[] joined(int[] first, int[] second) {
        return Stream.of(first, second).flatMapToInt(Arrays::stream).toArray();
    }
}
