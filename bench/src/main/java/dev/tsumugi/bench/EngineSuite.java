package dev.tsumugi.bench;

import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.GenerationListener;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The engine alone, without HTTP. Prompts are random token ids, so that no two share a prefix; answers are greedy and go on behind end
 * tokens; 128 tokens in and 128 out unless the figure says otherwise.
 */
final class EngineSuite implements Suite {
    private static final int PROMPT = 128;
    private static final int ANSWER = 128;
    private static final int ORDINARY_TOKENS_FROM = 1000;
    private static final long CACHE_BYTES = 512L << 20;

    private static final com.sun.management.ThreadMXBean ALLOCATIONS =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final @Nullable Path path;
    private final @Nullable Path text;
    private final String backend;
    private final int threads;
    private final Pattern wanted;
    private final Random random = new Random(1);

    /**
     * @param text what perplexity is measured on, one paragraph a line; null: some of this project's own documentation
     * @param wanted found somewhere in the names of the figures to take
     */
    EngineSuite(@Nullable Path path, String backend, int threads, @Nullable Path text, Pattern wanted) {
        this.path = path;
        this.text = text;
        this.backend = backend;
        this.threads = threads;
        this.wanted = wanted;
    }

    @Override
    public String name() {
        return "engine";
    }

    @Override
    public String description() {
        return "Engine: backend " + backend + ", " + threads + " threads, " + PROMPT + " tokens in and " + ANSWER
                + " out";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Recorder recorder = new Recorder(runs, threads, wanted, figures);
        Path file = path == null ? Downloads.inDefaultCache().languageModel() : path;
        ModelOptions options = ModelOptions.defaults().withBackend(backend).withThreads(threads);
        try (LoadedModel model = LoadedModel.open(file, options);
                Engine engine = model.startEngine(CACHE_BYTES)) {
            check(model, engine);
            int vocabulary = model.config().vocabularySize();
            try (Engine plain = model.startEngine(engine.limits().withMaxGuesses(0))) {
                recorder.measure("decode, 1 streams", "tok/s", () -> {
                    GenerationResult result = generate(plain, vocabulary, PROMPT, ANSWER);
                    return (ANSWER - 1)
                            / seconds(result.timings()
                                    .total()
                                    .minus(result.timings().firstToken()));
                });
                recorder.measure("allocated for a token, decode, 1 streams", "KiB", () -> {
                    long before = ALLOCATIONS.getTotalThreadAllocatedBytes();
                    GenerationResult unused = generate(plain, vocabulary, PROMPT, ANSWER);
                    return (ALLOCATIONS.getTotalThreadAllocatedBytes() - before) / 1024.0 / ANSWER;
                });
                quote(model, engine, plain, recorder);
            }
            new AdapterFigures(
                            model.model(),
                            engine,
                            PROMPT,
                            ANSWER,
                            recorder,
                            (promptTokens, answerTokens) -> request(vocabulary, promptTokens, answerTokens))
                    .run();
            new BatchFigures(model, recorder).run();
        }
        new ProcessFigures(file, backend, recorder).run();
        new Perplexity(file, options, text).run(recorder);
    }

    /** Alternating, so that a disturbance meets both. */
    private void quote(LoadedModel model, Engine engine, Engine plain, Recorder recorder) {
        String name = "decode quoting, 1 streams";
        if (!recorder.wants(name, name + ", no speculation")) {
            return;
        }
        Quoting quoting = new Quoting(model);
        List<int[]> answers = new ArrayList<>();
        List<int[]> plainAnswers = new ArrayList<>();
        double[] with = new double[recorder.runs()];
        double[] without = new double[recorder.runs()];
        double unused = quoting.run(plain, plainAnswers) + quoting.run(engine, answers);
        Processors processors = Recorder.thisProcess();
        for (int i = 0; i < with.length; i++) {
            without[i] = quoting.run(plain, plainAnswers);
            with[i] = quoting.run(engine, answers);
            Quoting.requireEqual(answers, plainAnswers);
        }
        double otherCores = processors.otherCores();
        recorder.record(name, "tok/s", with, otherCores);
        recorder.record(name + ", no speculation", "tok/s", without, otherCores);
    }

    /** A wrong model would be fast too. */
    private void check(LoadedModel model, Engine engine) {
        int[] prompt = model.chatPrompt(List.of(new ChatMessage("user", "What is the capital of Japan?")));
        GenerationRequest request = GenerationRequest.of(prompt, 24);
        String first =
                engine.submit(request, GenerationListener.NONE).result().join().text();
        String second =
                engine.submit(request, GenerationListener.NONE).result().join().text();
        BenchException.require(
                first.equals(second), "the same greedy request was answered differently: " + first + " / " + second);
        BenchException.require(
                path != null || first.contains("Tokyo"), "the model does not know the capital of Japan: " + first);
    }

    private GenerationResult generate(Engine engine, int vocabulary, int promptTokens, int answerTokens) {
        GenerationResult result = engine.submit(
                        request(vocabulary, promptTokens, answerTokens), GenerationListener.NONE)
                .result()
                .join();
        BenchException.require(
                result.usage().generatedTokens() == answerTokens
                        && result.usage().cachedTokens() == 0,
                "the answer is not what was asked for: " + result.usage());
        return result;
    }

    private GenerationRequest request(int vocabulary, int promptTokens, int answerTokens) {
        int[] prompt = random.ints(promptTokens, ORDINARY_TOKENS_FROM, vocabulary - ORDINARY_TOKENS_FROM)
                .toArray();
        return GenerationRequest.of(prompt, answerTokens).withIgnoreEnd(true);
    }

    private static double seconds(java.time.Duration duration) {
        return duration.toNanos() / 1e9;
    }
}
