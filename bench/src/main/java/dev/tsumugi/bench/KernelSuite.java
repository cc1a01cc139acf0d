package dev.tsumugi.bench;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BackendProvider;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.onednn.OneDnnBackend;
import dev.tsumugi.engine.tensor.DType;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * The engine's kernels, with the sizes of SmolLM2-135M, beside what this machine can do at most. Of each the bytes it moves and the operations it
 * computes a second, and the part of the peak that limits it.
 */
final class KernelSuite implements Suite {
    private static final List<DType> WEIGHT_TYPES =
            List.of(DType.Q4_0, DType.Q4_1, DType.Q4_K, DType.Q6_K, DType.Q8_0, DType.BF16);
    private static final int HIDDEN = 576;
    private static final int FEED_FORWARD = 1536;
    private static final int VOCABULARY = 49152;
    private static final int[][] DECODE_SHAPES = {{FEED_FORWARD, HIDDEN}, {HIDDEN, FEED_FORWARD}, {VOCABULARY, HIDDEN}};
    private static final int[] DECODE_ROWS = {1, 4};
    private static final int[] GEMM_ROWS = {16, 64, 512};
    private static final int[] DECODING_SEQUENCES = {1, 16, 64};
    private static final int DECODING_LENGTH = 256;
    private static final int PREFILL = 512;

    private final int threads;
    private final Pattern wanted;
    private final KernelTimer timer;

    /** @param wanted found somewhere in the names of the figures to take */
    KernelSuite(int threads, Pattern wanted) {
        this(threads, wanted, KernelTimer.DEFAULT);
    }

    KernelSuite(int threads, Pattern wanted, KernelTimer timer) {
        this.threads = threads;
        this.wanted = wanted;
        this.timer = timer;
    }

    @Override
    public String name() {
        return "kernels";
    }

    @Override
    public String description() {
        return "Kernels: " + threads + " threads, sizes of SmolLM2-135M, and the part of the machine's measured peak";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        new Run(new Recorder(runs, threads, wanted, figures)).all();
    }

    private final class Run {
        private final Recorder recorder;
        private final Map<Peak, Double> peaks = new EnumMap<>(Peak.class);

        Run(Recorder recorder) {
            this.recorder = recorder;
        }

        void all() {
            for (Peak peak : List.of(Peak.MEMORY, Peak.FP32)) {
                if (recorder.wants(peakName(peak))) {
                    double unused = peak(peak);
                }
            }
            for (DType dtype : WEIGHT_TYPES) {
                gemv(dtype);
            }
            gemm();
            for (int sequences : DECODING_SEQUENCES) {
                String name = "attention, %d sequences of %d".formatted(sequences, DECODING_LENGTH);
                measure(KernelCase.attention(name(name), threads, sequences, 1, DECODING_LENGTH), Peak.MEMORY);
            }
            String prefill = name("attention, prefill " + PREFILL);
            measure(KernelCase.attention(prefill, threads, 1, PREFILL, PREFILL), Peak.FP32);
            String size = " " + PREFILL + "x";
            measure(KernelCase.rmsNorm(name("rmsNorm" + size + HIDDEN), threads, PREFILL), Peak.MEMORY);
            measure(KernelCase.swiGlu(name("swiGlu" + size + FEED_FORWARD), threads, PREFILL), Peak.MEMORY);
            measure(KernelCase.rope(name("rope" + size + HIDDEN), threads, PREFILL), Peak.MEMORY);
        }

        private String name(String what) {
            return "kernel: " + what + ", " + threads + " threads";
        }

        private String peakName(Peak peak) {
            return name("peak " + peak.title);
        }

        private void gemv(DType dtype) {
            for (int[] shape : DECODE_SHAPES) {
                // Types of larger blocks have no rows of this model's length; the next shorter one stands in.
                int inputs = shape[1] - shape[1] % dtype.blockElements();
                for (int rows : DECODE_ROWS) {
                    String name = "decode GEMV %s %dx%d%s"
                            .formatted(dtype, shape[0], inputs, rows == 1 ? "" : ", " + rows + " rows");
                    KernelCase kernel = KernelCase.gemv(name(name), threads, dtype, shape[0], inputs, rows);
                    measure(kernel, Peak.MEMORY);
                }
            }
        }

        /** By oneDNN, with the elements that it has on this processor. */
        private void gemm() {
            BackendProvider.Availability availability = new OneDnnBackend.Provider().availability();
            if (!availability.available()) {
                System.err.println("Products of many rows are left out: " + availability.reason());
                return;
            }
            double integers;
            double floats;
            try (Backend backend = Backends.open(OneDnnBackend.NAME, threads, Precision.FAST)) {
                integers = backend.trainingBytesPerWeight(true);
                floats = backend.trainingBytesPerWeight(false);
            }
            for (Peak peak : List.of(limit(floats), limit(integers))) {
                if (recorder.wants(peakName(peak))) {
                    double unused = peak(peak);
                }
            }
            for (int rows : GEMM_ROWS) {
                gemm(DType.Q4_1, FEED_FORWARD, HIDDEN, rows, integers);
                gemm(DType.Q4_1, HIDDEN, FEED_FORWARD, rows, integers);
                gemm(DType.BF16, HIDDEN, HIDDEN, rows, floats);
            }
        }

        private static Peak limit(double bytesPerWeight) {
            return bytesPerWeight == 1 ? Peak.INT8 : bytesPerWeight == 2 ? Peak.BF16 : Peak.FP32;
        }

        private void gemm(DType dtype, int outputs, int inputs, int rows, double bytesPerWeight) {
            Peak limit = limit(bytesPerWeight);
            String element = limit.name().toLowerCase(Locale.ROOT);
            String name = name("GEMM %s %dx%d, %d rows".formatted(element, outputs, inputs, rows));
            measure(KernelCase.gemm(name, threads, dtype, outputs, inputs, rows, bytesPerWeight), limit);
        }

        private void measure(KernelCase kernel, Peak limit) {
            Peak arithmetic = limit == Peak.MEMORY ? Peak.FP32 : limit;
            String operations = kernel.name() + ", arithmetic";
            String part = kernel.name() + ", " + limit.part;
            if (!recorder.wants(kernel.name(), operations, part)) {
                return;
            }
            double peak = recorder.wants(part) ? peak(limit) : 1;
            Processors processors = Recorder.thisProcess();
            double[] seconds = timer.seconds(kernel, recorder.runs());
            double otherCores = processors.otherCores();
            double[] moved = rates(kernel.bytes(), seconds);
            double[] computed = rates(kernel.operations(), seconds);
            double[] limited = limit == Peak.MEMORY ? moved : computed;
            recorder.record(kernel.name(), Peak.MEMORY.unit, moved, otherCores);
            recorder.record(operations, arithmetic.unit, computed, otherCores);
            recorder.record(
                    part,
                    "%",
                    Arrays.stream(limited).map(rate -> 100 * rate / peak).toArray(),
                    otherCores);
        }

        /** Measured when it is first needed, and recorded where its figure is asked for. */
        private double peak(Peak peak) {
            return peaks.computeIfAbsent(peak, this::measuredPeak);
        }

        private double measuredPeak(Peak peak) {
            KernelCase kernel = switch (peak) {
                case MEMORY -> KernelCase.memoryRead(threads);
                case FP32 -> KernelCase.fusedMultiplyAdd(threads);
                case BF16 -> KernelCase.largeGemm(threads, DType.BF16);
                case INT8 -> KernelCase.largeGemm(threads, DType.Q4_1);
            };
            Processors processors = Recorder.thisProcess();
            double[] seconds = timer.seconds(kernel, recorder.runs());
            double work = kernel.callers() * (peak == Peak.MEMORY ? kernel.bytes() : kernel.operations());
            Figure figure =
                    new Figure(peakName(peak), peak.unit, rates(work, seconds), threads, processors.otherCores());
            recorder.record(figure.name(), figure.unit(), figure.runs(), figure.otherCores());
            return figure.median();
        }

        /** Billions a second. */
        private static double[] rates(double work, double[] seconds) {
            return Arrays.stream(seconds).map(s -> work / s / 1e9).toArray();
        }
    }
}
