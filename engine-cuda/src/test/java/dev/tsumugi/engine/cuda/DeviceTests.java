package dev.tsumugi.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BackendProvider.Availability;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the host does around the kernels: memory, errors, graphs. */
class DeviceTests {
    private static final byte[] FOREIGN_CODE = "code of another machine".getBytes(StandardCharsets.US_ASCII);

    @Test
    void theSameStepRunsAsAGraphFromTheSecondTimeOnAndGivesTheSameResult() {
        try (Backend backend = Emulation.backend(Precision.EXACT)) {
            Tensor one = backend.upload(new float[] {1, 2, 3});
            Tensor sum = backend.upload(new float[3]);
            long before = Emulation.graphLaunches();
            for (int step = 1; step <= 5; step++) {
                for (int i = 0; i < 10; i++) {
                    backend.kernels().add(sum, one, 3);
                }
                float[] values = new float[3];
                backend.download(sum, values, 3);
                assertThat(values).as("step %d", step).containsExactly(10 * step, 20 * step, 30 * step);
            }
            assertThat(Emulation.graphLaunches() - before).isEqualTo(4);
            for (int i = 0; i < 10; i++) {
                backend.kernels().add(sum, one, i == 5 ? 2 : 3);
            }
            float[] values = new float[3];
            backend.download(sum, values, 3);
            assertThat(values).containsExactly(60, 120, 177);
        }
    }

    @Test
    void memoryIsNeverTakenBeyondTheBudgetAndIsThereAgainWhenFreed() {
        Device device = new Device(Emulation.driver(), 0, Emulation.code(), MemoryShare.parse("8MiB"));
        try (Backend backend = new CudaBackend(device, Precision.EXACT)) {
            long remaining = device.remaining();
            OwnedMemory memory = backend.allocate(remaining - 1000);
            assertThatThrownBy(() -> backend.allocate(1001))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("budget")
                    .hasMessageContaining(MemoryShare.PROPERTY);
            memory.close();
            memory.close();
            assertThat(device.remaining()).isEqualTo(remaining);
        }
    }

    @Test
    void memoryThatTheDeviceHasNotIsAnErrorThatSaysWhatToDoAndTakesNothing() {
        Device device = Emulation.device();
        try (Backend backend = new CudaBackend(device, Precision.EXACT)) {
            long remaining = device.remaining();
            Emulation.failNext("cuMemAlloc_v2", 2);
            assertThatThrownBy(() -> backend.allocate(1 << 20))
                    .hasMessageContaining("CUDA_ERROR_OUT_OF_MEMORY")
                    .hasMessageContaining("free memory of the GPU");
            assertThat(device.remaining()).isEqualTo(remaining);
            backend.allocate(1 << 20).close();
        }
    }

    @ParameterizedTest
    @CsvSource({"214, ECC", "719, Xid", "100, nvidia-smi", "209, -Pcuda"})
    void anErrorOfTheDeviceSaysWhatToDo(int code, String advice) {
        try (Backend backend = Emulation.backend(Precision.EXACT)) {
            Tensor tensor = backend.upload(new float[4]);
            Emulation.failNext("cuStreamSynchronize", code);
            CudaException error =
                    catchThrowableOfType(CudaException.class, () -> backend.download(tensor, new float[4], 4));
            assertThat(error.code()).isEqualTo(code);
            assertThat(error).hasMessageContaining("cuStreamSynchronize").hasMessageContaining(advice);
        }
    }

    @Test
    void codeOfAnotherMachineIsRefused() {
        CudaDriver driver = Emulation.driver();
        assertThatThrownBy(() -> new Device(driver, 0, FOREIGN_CODE, MemoryShare.DEFAULT))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cuModuleLoadData")
                .hasMessageContaining("580");
    }

    @Test
    void aDeviceThatDoesNotAnswerIsNotAvailableAndSaysWhy() {
        CudaDriver driver = Emulation.driver();
        assertThat(DriverProbe.availability(driver, true)).isEqualTo(Availability.yes());
        assertThat(DriverProbe.availability(driver, false).reason()).contains("-Pcuda");
        Emulation.failNext("cuInit", 803);
        assertThat(DriverProbe.availability(driver, true).reason()).contains("restart the machine");
    }

    @Test
    void memoryOfTheDeviceIsOfNoUseAfterItWasFreed() {
        try (Backend backend = Emulation.backend(Precision.EXACT)) {
            Tensor tensor = backend.upload(new float[4]);
            ((OwnedMemory) tensor.memory()).close();
            assertThatThrownBy(() -> backend.kernels().geluErf(tensor, 4)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> backend.allocate(DType.F32, 4).segment())
                    .isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void aShareIsAPartOrASize() {
        assertThat(MemoryShare.parse("0.5").of(1000)).isEqualTo(500);
        assertThat(MemoryShare.parse("1").of(1000)).isEqualTo(1000);
        assertThat(MemoryShare.parse("2 GiB").of(3L << 30)).isEqualTo(2L << 30);
        assertThatThrownBy(() -> MemoryShare.parse("800MiB").of(700 << 20)).hasMessageContaining("700 MiB free");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "0.0", "1.5", "-1GiB", "12", "2TiB"})
    void anythingElseIsRefused(String text) {
        assertThatThrownBy(() -> MemoryShare.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }
}
