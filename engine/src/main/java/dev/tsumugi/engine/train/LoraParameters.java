package dev.tsumugi.engine.train;

import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.DecoderShape.Group;
import dev.tsumugi.engine.train.DecoderShape.Module;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * The matrices that training changes, in fp32, one behind another, with their gradients in the same places. Those of a
 * group lie together: all A's [R, K], then each module's B turned round [r, N].
 */
final class LoraParameters implements AutoCloseable {

    /**
     * One adapted layer.
     *
     * @param a where its A [r, K] begins
     * @param b where its turned B [r, N] begins
     * @param firstRank of the group's stacked ranks that is its own
     * @param firstOutput of the group's outputs that is its own
     */
    record Adapted(Module module, int inputs, long a, long b, int firstRank, int firstOutput) {}

    /**
     * The adapted layers of one group, whose ranks together are R.
     *
     * @param a where the stacked A's [R, K] begin
     */
    record AdaptedGroup(long a, int ranks, int inputs, List<Adapted> layers) {}

    private final TrainingSettings settings;
    private final Backend backend;
    private final Map<Group, AdaptedGroup> groups = new LinkedHashMap<>();
    private final List<Adapted> layers = new ArrayList<>();
    private final Tensor values;
    private final Tensor gradients;

    LoraParameters(DecoderShape shape, TrainingSettings settings, Backend backend) {
        this.settings = settings;
        this.backend = backend;
        long at = 0;
        for (Group group : shape.all()) {
            at = place(group, shape, at);
        }
        values = backend.allocate(DType.F32, at);
        gradients = backend.allocate(DType.F32, at);
    }

    private long place(Group group, DecoderShape shape, long start) {
        List<Module> adapted = group.modules().stream()
                .filter(module -> shape.targets(settings, module))
                .toList();
        if (adapted.isEmpty()) {
            return start;
        }
        int rank = settings.rank();
        long b = start + (long) adapted.size() * rank * group.inputs();
        List<Adapted> placed = new ArrayList<>();
        int firstOutput = 0;
        for (Module module : group.modules()) {
            if (adapted.contains(module)) {
                int index = placed.size();
                placed.add(new Adapted(
                        module,
                        group.inputs(),
                        start + (long) index * rank * group.inputs(),
                        b,
                        index * rank,
                        firstOutput));
                b += (long) rank * module.outputs();
            }
            firstOutput += module.outputs();
        }
        layers.addAll(placed);
        groups.put(group, new AdaptedGroup(start, adapted.size() * rank, group.inputs(), List.copyOf(placed)));
        return b;
    }

    /** A's uniform within {@code 1 / sqrt(K)}, as PEFT begins; B's zero, so that the adapter changes nothing at first. */
    void initialize() {
        float[] numbers = new float[Math.toIntExact(count())];
        for (Adapted layer : layers) {
            Random random =
                    new Random(settings.seed() * 31 + layer.module().name().hashCode());
            double bound = 1 / Math.sqrt(layer.inputs());
            int a = (int) layer.a();
            for (int i = 0; i < settings.rank() * layer.inputs(); i++) {
                numbers[a + i] = (float) ((2 * random.nextDouble() - 1) * bound);
            }
        }
        write(numbers);
    }

    /** Takes over matrices as PEFT orders them. */
    void load(Map<String, LowRankPair> pairs) {
        float[] numbers = new float[Math.toIntExact(count())];
        for (Adapted layer : layers) {
            LowRankPair pair = pairs.get(layer.module().name());
            if (pair == null) {
                throw new IllegalArgumentException(
                        "no matrices for " + layer.module().name());
            }
            int rank = settings.rank();
            MemorySegment a = pair.a().segment();
            MemorySegment.copy(a, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, numbers, (int) layer.a(), rank * layer.inputs());
            int outputs = layer.module().outputs();
            for (int n = 0; n < outputs; n++) {
                for (int r = 0; r < rank; r++) {
                    numbers[(int) layer.b() + r * outputs + n] = pair.b()
                            .segment()
                            .getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, (long) row(layer, n) * rank + r);
                }
            }
        }
        write(numbers);
    }

    /** All values. */
    float[] read() {
        return read(values);
    }

    /** Overwrites all values. */
    void write(float[] numbers) {
        backend.write(values, numbers);
    }

    private float[] read(Tensor tensor) {
        float[] numbers = new float[Math.toIntExact(count())];
        backend.download(tensor, numbers, numbers.length);
        return numbers;
    }

    private static int row(Adapted layer, int output) {
        int[] order = layer.module().order();
        return order == null ? output : order[output];
    }

    @Nullable
    AdaptedGroup group(Group group) {
        return groups.get(group);
    }

    List<Adapted> layers() {
        return layers;
    }

    long count() {
        return values.shape().elements();
    }

    int rank() {
        return settings.rank();
    }

    float scale() {
        return (float) settings.scale();
    }

    Tensor values() {
        return values;
    }

    Tensor gradients() {
        return gradients;
    }

    void clearGradients() {
        backend.trainingKernels().clear(gradients, count());
    }

    /** The gradient's length, each number's square added in a fixed order. */
    double gradientNorm() {
        return Math.sqrt(backend.trainingKernels().sumOfSquares(gradients, count()));
    }

    /** Matrices as PEFT orders them, from {@code source}: the values or their gradients. */
    Map<String, LowRankPair> pairs(Tensor source, Arena arena) {
        Map<String, LowRankPair> pairs = new LinkedHashMap<>();
        float[] numbers = read(source);
        int rank = settings.rank();
        for (Adapted layer : layers) {
            int outputs = layer.module().outputs();
            MemorySegment a = arena.allocate((long) rank * layer.inputs() * Float.BYTES, Float.BYTES);
            MemorySegment.copy(numbers, (int) layer.a(), a, ValueLayout.JAVA_FLOAT, 0, rank * layer.inputs());
            MemorySegment b = arena.allocate((long) rank * outputs * Float.BYTES, Float.BYTES);
            for (int n = 0; n < outputs; n++) {
                for (int r = 0; r < rank; r++) {
                    b.setAtIndex(
                            ValueLayout.JAVA_FLOAT,
                            (long) row(layer, n) * rank + r,
                            numbers[(int) layer.b() + r * outputs + n]);
                }
            }
            pairs.put(
                    layer.module().name(),
                    new LowRankPair(
                            new Tensor(DType.F32, new Shape(rank, layer.inputs()), new HostMemory(a), 0),
                            new Tensor(DType.F32, new Shape(outputs, rank), new HostMemory(b), 0),
                            scale()));
        }
        return pairs;
    }

    /** Writes a folder that PEFT and the engine read. */
    void write(Path folder, String baseModel) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            PeftWriter.write(
                    folder,
                    new PeftWriter.Settings(baseModel, settings.rank(), settings.alpha(), settings.rankStabilized()),
                    pairs(values, arena));
        }
    }

    @Override
    public void close() {
        for (Tensor tensor : List.of(values, gradients)) {
            ((OwnedMemory) tensor.memory()).close();
        }
    }
}
