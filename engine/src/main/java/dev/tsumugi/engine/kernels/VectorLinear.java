package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/** Linear layers, whose panels are shared out over a team; layers over one input are one job. */
final class VectorLinear {
    /** Tasks per thread: enough to even out threads that the machine slows down. */
    private static final int TASKS_PER_THREAD = 12;

    private final ThreadTeam team;
    private final Activations activations;
    private final Scratch[] scratch;

    /** @param scratch one for each member of {@code team} */
    VectorLinear(ThreadTeam team, Precision precision, Scratch[] scratch) {
        this.team = team;
        this.scratch = scratch;
        activations = new Activations(precision);
    }

    /** One layer. Its panels follow those of the layers before it. */
    private record Part(PanelMatrix matrix, int firstPanel, long out, long bias) {}

    /** @param x [rows, K] */
    void multiply(Tensor x, int rows, LinearLayer... layers) {
        Part[] parts = new Part[layers.length];
        int panels = 0;
        for (int i = 0; i < parts.length; i++) {
            parts[i] = part(layers[i], x, rows, panels);
            panels += parts[i].matrix.panels();
        }
        if (rows == 0) {
            return;
        }
        activations.set(VectorKernels.address(x), rows, parts[0].matrix.inputs());
        for (Part part : parts) {
            part.matrix.prepare(activations);
        }
        int allPanels = panels;
        int tasks = Math.min(panels, team.size() * TASKS_PER_THREAD);
        team.run(tasks, (task, member) -> {
            int end = share(allPanels, tasks, task + 1);
            int p = 0;
            for (int panel = share(allPanels, tasks, task); panel < end; panel++) {
                while (panel - parts[p].firstPanel >= parts[p].matrix.panels()) {
                    p++;
                }
                multiplyPanel(parts[p], panel - parts[p].firstPanel, rows, scratch[member]);
            }
        });
    }

    private static Part part(LinearLayer layer, Tensor x, int rows, int firstPanel) {
        if (!(layer.weight() instanceof PanelMatrix matrix)) {
            throw new IllegalArgumentException("the weight is of another backend");
        }
        matrix.requireOpen();
        @Nullable Tensor bias = layer.bias();
        Sizes.requireLinear(layer.out(), x, rows, matrix, bias);
        long out = VectorKernels.address(layer.out());
        return new Part(matrix, firstPanel, out, bias == null ? 0 : VectorKernels.address(bias));
    }

    private static int share(int items, int tasks, int task) {
        return (int) ((long) items * task / tasks);
    }

    private void multiplyPanel(Part part, int panel, int rows, Scratch scratch) {
        int row = panel * Lanes.PANEL;
        int valid = Math.min(Lanes.PANEL, part.matrix.outputs() - row);
        long outStride = part.matrix.outputs() * Lanes.FLOAT_BYTES;
        long to = part.out + row * Lanes.FLOAT_BYTES;
        part.matrix.multiply(panel, activations, to, outStride, valid, scratch);
        if (part.bias != 0) {
            addBias(to, outStride, rows, part.bias + row * Lanes.FLOAT_BYTES, valid);
        }
    }

    private static void addBias(long out, long outStride, int rows, long bias, int valid) {
        for (int part = 0; part < valid; part += Lanes.L) {
            FloatVector values = Lanes.load(bias + part * Lanes.FLOAT_BYTES, valid - part);
            for (int t = 0; t < rows; t++) {
                long at = out + t * outStride + part * Lanes.FLOAT_BYTES;
                Lanes.store(Lanes.load(at, valid - part).add(values), at, valid - part);
            }
        }
    }
}
