package dev.tsumugi.bench;

import dev.tsumugi.engine.adapter.AdapterSlots;
import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What adapters cost: several in one batch, those that are only loaded, and the change to a new one. Each run measures the same work without
 * adapters next to it, so that a machine that slows down slows both.
 */
final class AdapterFigures {
    static final String MIXED = "LoRA r=8 all linear, 16 streams over 4 adapters";
    static final String BASE_ONLY = "base-only requests while adapters are loaded";
    static final String SWAP = "adapter file to first token through it";

    private static final String OF_BARE = ", of the same without adapters";
    private static final int ADAPTERS = 4;
    private static final int STREAMS = 16;
    private static final int RANK = 8;
    private static final int WARM_UPS = 3;

    private final LanguageModel model;
    private final Engine engine;
    private final AdapterSlots adapters;
    private final int prompt;
    private final int answer;
    private final BiFunction<Integer, Integer, GenerationRequest> requests;
    private final Recorder recorder;

    /** @param requests makes one of so many random prompt tokens and so many answer tokens */
    AdapterFigures(
            LanguageModel model,
            Engine engine,
            int prompt,
            int answer,
            Recorder recorder,
            BiFunction<Integer, Integer, GenerationRequest> requests) {
        this.model = model;
        this.engine = engine;
        this.adapters = engine.adapters();
        this.prompt = prompt;
        this.answer = answer;
        this.recorder = recorder;
        this.requests = requests;
    }

    void run() {
        boolean batches = recorder.wants(MIXED, BASE_ONLY, MIXED + OF_BARE, BASE_ONLY + OF_BARE);
        boolean swaps = recorder.wants(SWAP, SWAP + OF_BARE);
        if (!batches && !swaps) {
            return;
        }
        Path folder = null;
        try {
            folder = Files.createTempDirectory("tsumugi-bench-adapters");
            for (int i = 0; i < ADAPTERS; i++) {
                write(folder.resolve("adapter-" + i), i);
            }
            if (batches) {
                batches(folder);
            }
            if (swaps) {
                swaps(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            adapters.loaded().forEach(adapter -> adapters.unload(adapter.digest()));
            delete(folder);
        }
    }

    private void batches(Path folder) {
        int runs = recorder.runs();
        List<@Nullable String> none = Arrays.asList(new String[ADAPTERS]);
        double[] bare = new double[runs];
        double[] loaded = new double[runs];
        double[] mixed = new double[runs];
        Processors processors = Recorder.thisProcess();
        for (int run = -WARM_UPS; run < runs; run++) {
            double withoutAny = throughput(none);
            List<@Nullable String> digests = new ArrayList<>();
            for (int i = 0; i < ADAPTERS; i++) {
                digests.add(adapters.load(folder.resolve("adapter-" + i), null).digest());
            }
            if (run == -WARM_UPS) {
                check(digests);
            }
            double withAll = throughput(digests);
            double besides = throughput(none);
            digests.forEach(adapters::unload);
            if (run >= 0) {
                bare[run] = withoutAny;
                mixed[run] = withAll;
                loaded[run] = besides;
            }
        }
        double otherCores = processors.otherCores();
        recorder.record(MIXED, "output tok/s", mixed, otherCores);
        part(MIXED, mixed, bare, otherCores);
        recorder.record(BASE_ONLY, "output tok/s", loaded, otherCores);
        part(BASE_ONLY, loaded, bare, otherCores);
    }

    private void swaps(Path folder) {
        int runs = recorder.runs();
        double[] without = new double[runs];
        double[] with = new double[runs];
        Processors processors = Recorder.thisProcess();
        for (int run = -4 * WARM_UPS; run < runs; run++) {
            double bare = firstToken(System.nanoTime(), null);
            long start = System.nanoTime();
            String digest = adapters.load(folder.resolve("adapter-" + Math.floorMod(run, ADAPTERS)), null)
                    .digest();
            double swapped = firstToken(start, digest);
            adapters.unload(digest);
            if (run >= 0) {
                without[run] = bare;
                with[run] = swapped;
            }
        }
        double otherCores = processors.otherCores();
        recorder.record(SWAP, "ms", with, otherCores);
        part(SWAP, with, without, otherCores);
    }

    private void part(String name, double[] values, double[] without, double otherCores) {
        double[] parts = new double[values.length];
        Arrays.setAll(parts, i -> 100 * values[i] / without[i]);
        recorder.record(name + OF_BARE, "%", parts, otherCores);
    }

    /** An adapter that changed nothing would cost nothing. */
    private void check(List<@Nullable String> digests) {
        GenerationRequest request = requests.apply(prompt, 32);
        List<String> answers = Stream.concat(Stream.of((String) null), digests.stream())
                .map(digest -> Arrays.toString(engine.submit(request.withAdapter(digest))
                        .result()
                        .join()
                        .tokens()))
                .toList();
        BenchException.require(Set.copyOf(answers).size() == ADAPTERS + 1, "adapters gave equal answers: " + answers);
    }

    private double throughput(List<@Nullable String> digests) {
        List<GenerationRequest> all = new ArrayList<>();
        for (int i = 0; i < STREAMS; i++) {
            all.add(requests.apply(prompt, answer).withAdapter(digests.get(i % digests.size())));
        }
        long start = System.nanoTime();
        List<Generation> generations = all.stream().map(engine::submit).toList();
        int tokens = generations.stream()
                .mapToInt(generation -> generation.result().join().usage().generatedTokens())
                .sum();
        BenchException.require(tokens == STREAMS * answer, "an answer was cut short");
        return tokens / ((System.nanoTime() - start) / 1e9);
    }

    private double firstToken(long start, @Nullable String digest) {
        engine.submit(requests.apply(prompt, 1).withAdapter(digest)).result().join();
        return (System.nanoTime() - start) / 1e6;
    }

    /** As PEFT leaves one behind: fp32, every linear layer but the head. */
    private void write(Path folder, int seed) throws IOException {
        Random random = new Random(seed);
        Map<String, LowRankPair> pairs = new HashMap<>();
        try (Arena arena = Arena.ofConfined()) {
            for (Map.Entry<String, Shape> module : model.adaptableModules().entrySet()) {
                if (!module.getKey().contains(".layers.")) {
                    continue;
                }
                long outputs = module.getValue().get(0);
                long inputs = module.getValue().get(1);
                pairs.put(
                        module.getKey(),
                        new LowRankPair(
                                matrix(random, RANK, inputs, 1 / Math.sqrt(inputs), arena),
                                matrix(random, outputs, RANK, 0.02, arena),
                                1));
            }
            PeftWriter.write(folder, new PeftWriter.Settings(model.config().name(), RANK, 32, false), pairs);
        }
    }

    private static Tensor matrix(Random random, long rows, long columns, double deviation, Arena arena) {
        MemorySegment memory = arena.allocate(rows * columns * Float.BYTES, Float.BYTES);
        for (long i = 0; i < rows * columns; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (random.nextGaussian() * deviation));
        }
        return new Tensor(DType.F32, new Shape(rows, columns), new HostMemory(memory), 0);
    }

    private static void delete(@Nullable Path folder) {
        if (folder == null) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
