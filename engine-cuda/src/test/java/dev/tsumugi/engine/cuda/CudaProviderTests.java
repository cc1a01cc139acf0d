package dev.tsumugi.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.BackendProvider;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;
import org.junit.jupiter.api.Test;

/** How the backend is found, and what it says where it cannot run. */
class CudaProviderTests {

    @Test
    void autoServesWithItFirstAndTrainsWithItOnlyWhenAsked() {
        BackendProvider first = Backends.providers().getFirst();
        assertThat(first.name()).isEqualTo(CudaBackend.NAME);
        assertThat(first.trains()).isTrue();
        try (Backend backend = Backends.openForTraining(Backends.AUTO, 1, Precision.FAST)) {
            assertThat(backend.name()).isNotEqualTo(CudaBackend.NAME);
        }
    }

    @Test
    void withoutADeviceAutoTakesAnotherAndTheNameIsAnErrorThatSaysWhatToDo() {
        assumeThat(DriverProbe.availability().available()).isFalse();
        try (Backend backend = Backends.open(Backends.AUTO, 1, Precision.EXACT)) {
            assertThat(backend.name()).isNotEqualTo(CudaBackend.NAME);
        }
        assertThatThrownBy(() -> Backends.open(CudaBackend.NAME, 1, Precision.EXACT))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("backend cuda cannot run here")
                .hasMessageContaining("driver");
    }
}
