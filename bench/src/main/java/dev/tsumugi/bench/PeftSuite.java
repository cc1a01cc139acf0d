package dev.tsumugi.bench;

import dev.tsumugi.engine.adapter.MergedModel;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whether PEFT and Transformers read what the engine writes, adapters and merged models, and answer with them as the engine does. */
final class PeftSuite implements Suite {
    private static final int RANK = 8;
    private static final int TOKENS = 24;
    private static final int[] PROMPT = new Random(5).ints(24, 100, 10_000).toArray();
    /** Both compute in single precision, in another order. */
    private static final double MOST_DIFFERENCE = 1e-2;
    /** The merged weights were rounded to the type of the model's files. */
    private static final double MOST_DIFFERENCE_MERGED = 0.3;

    private final @Nullable Path model;
    private final String python;

    /**
     * @param model folder of safetensors
     * @param python an interpreter that has torch, transformers and peft
     */
    PeftSuite(@Nullable Path model, String python) {
        this.model = model;
        this.python = python;
    }

    @Override
    public String name() {
        return "peft";
    }

    @Override
    public String description() {
        return "Adapters and merged models that the engine writes, read by PEFT and Transformers";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        if (model == null || !Files.isDirectory(model)) {
            throw new BenchException("bench peft needs --model, a folder with config.json and safetensors files");
        }
        try {
            Path work = Files.createTempDirectory("tsumugi-bench-peft");
            try {
                compare(model, work, figures);
            } finally {
                deleteRecursively(work);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void compare(Path base, Path work, Consumer<Figure> figures) throws IOException {
        Path adapter = work.resolve("adapter");
        Path merged = work.resolve("merged");
        ModelOptions options = ModelOptions.defaults().withBackend("vector").withPrecision(Precision.EXACT);
        GenerationResult ours;
        try (LoadedModel loaded = LoadedModel.open(base, options);
                Engine engine = loaded.startEngine(64L << 20)) {
            write(adapter, loaded);
            String digest = engine.adapters().load(adapter, null).digest();
            GenerationRequest request =
                    GenerationRequest.of(PROMPT, TOKENS).withIgnoreEnd(true).withLogprobs(0);
            ours = engine.submit(request.withAdapter(digest)).result().join();
            GenerationResult bare = engine.submit(request).result().join();
            BenchException.require(
                    !Arrays.equals(ours.tokens(), bare.tokens()),
                    "the adapter changed nothing, so there is nothing to see");
        }
        try (PeftAdapter written = PeftAdapter.open(adapter)) {
            MergedModel.write(base, written, merged);
        }
        JsonNode theirs = answersOfPeft(base, adapter, merged);
        report("adapter read by PEFT", theirs.path("adapter"), ours, MOST_DIFFERENCE, TOKENS, figures);
        // Rounding may turn a close decision, after which the answers are about other things.
        report("merged model read by Transformers", theirs.path("merged"), ours, MOST_DIFFERENCE_MERGED, 1, figures);
    }

    /** @param equal how many tokens must be the same */
    private static void report(
            String what, JsonNode theirs, GenerationResult ours, double most, int equal, Consumer<Figure> figures) {
        int same = 0;
        double difference = 0;
        while (same < TOKENS && theirs.path("tokens").get(same).intValue() == ours.tokens()[same]) {
            difference = Math.max(
                    difference,
                    Math.abs(theirs.path("logprobs").get(same).doubleValue()
                            - ours.logprobs().get(same).chosen().logprob()));
            same++;
        }
        BenchException.require(
                same >= equal,
                what + ": the answers part at token " + same + ": " + theirs.path("tokens") + " and "
                        + Arrays.toString(ours.tokens()));
        BenchException.require(difference < most, what + ": log probabilities differ by " + difference);
        figures.accept(new Figure(what + ", equal tokens of " + TOKENS, "tokens", new double[] {same}, 1, -1));
        figures.accept(new Figure(
                what + ", largest difference of log probabilities", "nats", new double[] {difference}, 1, -1));
    }

    private static void write(Path folder, LoadedModel loaded) throws IOException {
        Random random = new Random(11);
        Map<String, LowRankPair> pairs = new HashMap<>();
        loaded.model().adaptableModules().forEach((module, shape) -> {
            if (module.contains(".layers.")) {
                int outputs = (int) shape.get(0);
                int inputs = (int) shape.get(1);
                pairs.put(
                        module,
                        new LowRankPair(
                                matrix(random, RANK, inputs, 1 / Math.sqrt(inputs)),
                                matrix(random, outputs, RANK, 0.05),
                                2));
            }
        });
        PeftWriter.write(folder, new PeftWriter.Settings("a model", RANK, 2.0 * RANK, false), pairs);
    }

    private static Tensor matrix(Random random, int rows, int columns, double deviation) {
        MemorySegment memory = Arena.ofAuto().allocate(4L * rows * columns, 64);
        for (int i = 0; i < rows * columns; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (random.nextGaussian() * deviation));
        }
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(memory), 0);
    }

    private JsonNode answersOfPeft(Path base, Path adapter, Path merged) throws IOException {
        Path script = adapter.resolveSibling("peft_check.py");
        try (InputStream in = PeftSuite.class.getResourceAsStream("peft_check.py")) {
            if (in == null) {
                throw new BenchException("peft_check.py is missing from the class path");
            }
            Files.copy(in, script);
        }
        Process process;
        try {
            process = new ProcessBuilder(
                            python,
                            script.toString(),
                            base.toString(),
                            adapter.toString(),
                            merged.toString(),
                            Integer.toString(TOKENS))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        } catch (IOException e) {
            throw new BenchException(
                    "cannot run " + python + ": name a Python with torch, transformers and peft (--python)", e);
        }
        try (OutputStream out = process.getOutputStream()) {
            out.write(Arrays.toString(PROMPT).getBytes(StandardCharsets.UTF_8));
        }
        String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            int status = process.waitFor();
            BenchException.require(
                    status == 0,
                    python + " ended with " + status + "; it needs torch, transformers and peft (--python)");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted", e);
        }
        return JsonMapper.shared().readTree(answer.substring(answer.indexOf('{')));
    }

    private static void deleteRecursively(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        }
    }
}
