package dev.tsumugi.bench;

import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.EngineLimits;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * An engine and nothing else: says when it takes requests and when it has given a token, answers 16 requests of 128 tokens with 128 tokens,
 * and says how much memory it took at most. Arguments: model, backend, threads, folder for packed weights.
 */
final class EngineProcess {
    /** Begins the line that says that it is ready. */
    static final String READY = "engine is ready";
    /** Begins the line that says that its first token is there. */
    static final String FIRST_TOKEN = "first token";
    /** Begins the line with its peak of memory in MiB. */
    static final String PEAK = "peak of memory: ";

    private static final int STREAMS = 16;
    private static final int PROMPT = 128;
    private static final int ANSWER = 128;
    private static final long CACHE_BYTES = 256L << 20;

    private EngineProcess() {}

    public static void main(String[] arguments) {
        ModelOptions options = ModelOptions.defaults()
                .withBackend(arguments[1])
                .withThreads(Integer.parseInt(arguments[2]))
                .withPackedFolder(Path.of(arguments[3]));
        try (LoadedModel model = LoadedModel.open(Path.of(arguments[0]), options);
                Engine engine = model.startEngine(EngineLimits.forMemory(model.model(), CACHE_BYTES))) {
            Random random = new Random(3);
            System.out.println(READY);
            answer(engine, random, 1, 1, 1);
            System.out.println(FIRST_TOKEN);
            answer(engine, random, STREAMS, PROMPT, ANSWER);
            System.out.println(PEAK + Processors.peakMiB(ProcessHandle.current().pid()));
        }
    }

    private static void answer(Engine engine, Random random, int streams, int prompt, int answer) {
        List<Generation> all = IntStream.range(0, streams)
                .mapToObj(i -> engine.submit(
                        GenerationRequest.of(random.ints(prompt, 1000, 40_000).toArray(), answer)
                                .withIgnoreEnd(true)))
                .toList();
        all.forEach(generation -> BenchException.require(
                generation.result().join().usage().generatedTokens() == answer, "an answer was cut short"));
    }
}
