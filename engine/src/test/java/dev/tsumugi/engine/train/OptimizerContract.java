package dev.tsumugi.engine.train;

import static dev.tsumugi.engine.train.TrainingGolden.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ten steps of AdamW against PyTorch's and against the arithmetic of bitsandbytes' CUDA kernel; a backend's test extends this. */
public abstract class OptimizerContract {
    private static final int BIG = 64 * 150;

    @TempDir
    private Path folder;

    /** The backend under test. */
    protected abstract Backend open();

    @Test
    void momentsOfEightBitsMoveAsTheyDoInBitsandbytes() throws IOException {
        try (Backend backend = open();
                SafetensorsFile file = SafetensorsFile.open(Golden.path("nf4/adamw8bit.safetensors"));
                PagedAdamW8Bit optimizer =
                        new PagedAdamW8Bit(List.of(new long[] {0, BIG}), 0.01, folder, backend.trainingKernels())) {
            float[] values = floats(file, "big.start");
            float[] gradients = floats(file, "big.grads");
            for (int step = 1; step <= 10; step++) {
                step(backend, optimizer, values, gradients, step);
                if (file.names().contains("cuda.big.step" + step + ".param")) {
                    close(values, floats(file, "cuda.big.step" + step + ".param"), 5e-6f);
                }
            }
            byte[] codes = optimizer.codes().toArray(ValueLayout.JAVA_BYTE);
            alike(Arrays.copyOf(codes, BIG), bytes(file, "cuda.big.step10.state1"));
            alike(Arrays.copyOfRange(codes, BIG, 2 * BIG), bytes(file, "cuda.big.step10.state2"));
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void smallMatricesKeepWholeMoments() throws IOException {
        try (Backend backend = open();
                SafetensorsFile file = SafetensorsFile.open(Golden.path("nf4/adamw8bit.safetensors"));
                PagedAdamW8Bit optimizer =
                        new PagedAdamW8Bit(List.of(new long[] {0, 1000}), 0.01, folder, backend.trainingKernels())) {
            float[] values = floats(file, "small.start");
            float[] gradients = floats(file, "small.grads");
            for (int step = 1; step <= 10; step++) {
                step(backend, optimizer, values, gradients, step);
            }
            close(values, floats(file, "adamw32.small.step10.param"), 5e-6f);
        }
    }

    @Test
    void momentsOfFourBytesMoveAsTheyDoInPyTorch() {
        try (Backend backend = open();
                SafetensorsFile file = SafetensorsFile.open(Golden.path("nf4/adamw8bit.safetensors"));
                AdamW optimizer = new AdamW(BIG, 0.01, backend.trainingKernels())) {
            float[] values = floats(file, "big.start");
            float[] gradients = floats(file, "big.grads");
            for (int step = 1; step <= 10; step++) {
                step(backend, optimizer, values, gradients, step);
            }
            close(values, floats(file, "adamw32.big.step10.param"), 5e-6f);
        }
    }

    private static void step(Backend backend, Optimizer optimizer, float[] values, float[] gradients, int step) {
        float[] own = Arrays.copyOfRange(gradients, (step - 1) * values.length, step * values.length);
        Tensor numbers = backend.upload(values);
        Tensor slopes = backend.upload(own);
        optimizer.step(numbers, slopes, 1, step, 1e-2);
        backend.download(numbers, values, values.length);
        for (Tensor tensor : List.of(numbers, slopes)) {
            ((OwnedMemory) tensor.memory()).close();
        }
    }

    private static byte[] bytes(SafetensorsFile file, String name) {
        return file.tensor(name).orElseThrow().segment().toArray(ValueLayout.JAVA_BYTE);
    }

    /** A value between two codes may fall to either side by rounding. */
    private static void alike(byte[] actual, byte[] expected) {
        int differ = 0;
        for (int i = 0; i < actual.length; i++) {
            if (actual[i] != expected[i]) {
                assertThat(Math.abs((actual[i] & 0xff) - (expected[i] & 0xff))).isEqualTo(1);
                differ++;
            }
        }
        assertThat(differ).isLessThanOrEqualTo(5);
    }

    private static void close(float[] actual, float[] expected, float tolerance) {
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], offset(tolerance));
        }
    }
}
