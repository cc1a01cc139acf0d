package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Nf4Matrix;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.quant.Nf4;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.DecoderShape.Group;
import dev.tsumugi.engine.train.DecoderShape.Module;
import dev.tsumugi.engine.train.TrainingSettings.BaseWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Brings frozen linear layers from a model's files to a backend, the layers of a group as one matrix. */
final class BaseLinears {
    private final ModelFiles files;
    private final Backend backend;
    private final BaseWeights base;

    BaseLinears(ModelFiles files, Backend backend, BaseWeights base) {
        this.files = files;
        this.backend = backend;
        this.base = base;
    }

    /**
     * Both directions of a matrix [N, K].
     *
     * @param backward null where no gradient passes
     * @param bias [N], or null
     */
    record Frozen(
            Weight forward,
            @Nullable Weight backward,
            @Nullable Tensor bias) {}

    /**
     * Gradients bear coarse rounding in every layer, but not through the head, where they lie in a few of very many numbers; activations everywhere
     * but on the way into attention, as when the engine serves; both only where the weights are rounded themselves.
     *
     * @param inLayer false for the head
     * @param tensorNames of the modules' weights in the files
     * @param gradientPasses whether the gradient by its input is needed
     */
    Frozen load(Group group, boolean inLayer, List<String> tensorNames, boolean gradientPasses) {
        boolean rounded = inLayer && base == BaseWeights.NF4;
        try (Arena arena = Arena.ofShared()) {
            Tensor[] parts = new Tensor[group.modules().size()];
            boolean coarse = true;
            for (int i = 0; i < parts.length; i++) {
                Module module = group.modules().get(i);
                parts[i] = required(tensorNames.get(i), module.outputs(), group.inputs());
                coarse &= rounded || parts[i].dtype().isQuantized();
            }
            Nf4Matrix codes = rounded ? rounded(group, parts) : null;
            Weight compact = codes == null ? null : backend.prepareNf4(codes);
            if (compact != null) {
                return new Frozen(compact, gradientPasses ? backend.turned(compact) : null, bias(group));
            }
            Tensor matrix = codes == null ? gathered(group, parts, arena) : codes.dequantize(arena);
            Weight forward = backend.prepareForTraining(matrix, false, coarse && !group.attentionInput());
            Weight backward = gradientPasses ? backend.turned(forward) : null;
            if (gradientPasses && backward == null) {
                backward = backend.prepareForTraining(matrix, true, coarse && inLayer);
            }
            return new Frozen(forward, backward, bias(group));
        }
    }

    private static Nf4Matrix rounded(Group group, Tensor[] parts) {
        List<Nf4Matrix.Part> rounded = new ArrayList<>();
        int columns = group.inputs();
        for (int i = 0; i < parts.length; i++) {
            Module module = group.modules().get(i);
            float[] values = new float[Math.multiplyExact(module.outputs(), columns)];
            for (int r = 0; r < module.outputs(); r++) {
                Dequantization.row(parts[i], r, values, r * columns);
            }
            rounded.add(new Nf4Matrix.Part(Nf4.quantize(values, true), module.outputs(), module.fileOrder()));
        }
        return new Nf4Matrix(rounded, columns);
    }

    /** All rows in the group's order, in the type of the files where the parts share one. */
    private static Tensor gathered(Group group, Tensor[] parts, Arena arena) {
        DType common = parts[0].dtype();
        boolean inOrder = true;
        for (int i = 0; i < parts.length; i++) {
            common = parts[i].dtype() == common ? common : DType.F32;
            inOrder &= group.modules().get(i).fileOrder() == null;
        }
        if (parts.length == 1 && inOrder) {
            return parts[0];
        }
        int inputs = group.inputs();
        long rowBytes = common.bytes(inputs);
        MemorySegment to = arena.allocate(group.outputs() * rowBytes, 64);
        float[] row = new float[inputs];
        long at = 0;
        for (int i = 0; i < parts.length; i++) {
            Tensor part = parts[i];
            int[] order = group.modules().get(i).fileOrder();
            for (int n = 0; n < group.modules().get(i).outputs(); n++, at += rowBytes) {
                int from = order == null ? n : order[n];
                if (part.dtype() == common) {
                    MemorySegment.copy(part.segment(), from * rowBytes, to, at, rowBytes);
                } else {
                    Dequantization.row(part, from, row, 0);
                    MemorySegment.copy(row, 0, to, ValueLayout.JAVA_FLOAT, at, inputs);
                }
            }
        }
        return new Tensor(common, new Shape(group.outputs(), inputs), new HostMemory(to), 0);
    }

    private @Nullable Tensor bias(Group group) {
        float[] bias = new float[group.outputs()];
        boolean any = false;
        int at = 0;
        for (Module module : group.modules()) {
            Tensor stored = files.tensor(module.name() + ".bias").orElse(null);
            if (stored != null) {
                any = true;
                float[] values = floats(stored, module.outputs());
                int[] order = module.fileOrder();
                for (int n = 0; n < values.length; n++) {
                    bias[at + n] = values[order == null ? n : order[n]];
                }
            }
            at += module.outputs();
        }
        return any ? backend.upload(bias) : null;
    }

    Tensor vector(String name, int size) {
        return backend.upload(floats(required(name, size), size));
    }

    @Nullable
    Tensor optionalVector(String name, int size) {
        return files.tensor(name).isPresent() ? vector(name, size) : null;
    }

    private static float[] floats(Tensor vector, int size) {
        if (vector.shape().elements() != size) {
            throw new IllegalArgumentException("expected " + size + " values, found shape " + vector.shape());
        }
        float[] values = new float[size];
        Dequantization.toFloats(vector.dtype(), vector.memory().segment(), vector.offset(), values, 0, size);
        return values;
    }

    Tensor required(String name, long... dimensions) {
        Tensor tensor = files.tensor(name)
                .orElseThrow(() -> new IllegalArgumentException("the model lacks the weight " + name));
        Shape expected = new Shape(dimensions);
        if (!tensor.shape().equals(expected)) {
            throw new IllegalArgumentException(
                    "weight " + name + " has shape " + tensor.shape() + ", the configuration asks for " + expected);
        }
        return tensor;
    }
}
