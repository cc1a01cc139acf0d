package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class BackendsTests {

    @Test
    void autoTakesTheMostPreferredThatCanRun() {
        BackendProvider broken = provider("cuda", 100, BackendProvider.Availability.no("no driver"));
        BackendProvider working = provider("vector", 10, BackendProvider.Availability.yes());
        assertThat(Backends.choose(List.of(broken, working), Backends.AUTO)).isSameAs(working);
    }

    @Test
    void aNamedBackendThatCannotRunIsAnErrorWithItsReason() {
        BackendProvider broken = provider("cuda", 100, BackendProvider.Availability.no("no driver"));
        BackendProvider working = provider("vector", 10, BackendProvider.Availability.yes());
        assertThatThrownBy(() -> Backends.choose(List.of(broken, working), "cuda"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no driver");
    }

    @Test
    void anUnknownNameIsAnErrorThatListsTheKnown() {
        assertThatThrownBy(() -> Backends.open("gpu", 1, Precision.EXACT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vector, reference");
    }

    @Test
    void autoNeverTakesTheReference() {
        assertThatThrownBy(() -> Backends.choose(List.of(new ReferenceBackend.Provider()), Backends.AUTO))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void trainingPassesByWhatCannotTrain() {
        BackendProvider serving = provider("cuda", 100, BackendProvider.Availability.yes(), false);
        BackendProvider working = provider("vector", 10, BackendProvider.Availability.yes());
        List<BackendProvider> both = List.of(serving, working);
        assertThat(Backends.training(both, Backends.AUTO)).containsExactly(working);
        assertThatThrownBy(() -> Backends.training(both, "cuda"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cannot train; use auto or one of vector");
    }

    private static BackendProvider provider(String name, int preference, BackendProvider.Availability availability) {
        return provider(name, preference, availability, true);
    }

    private static BackendProvider provider(
            String name, int preference, BackendProvider.Availability availability, boolean trains) {
        return new BackendProvider() {
            @Override
            public boolean trains() {
                return trains;
            }

            @Override
            public String name() {
                return name;
            }

            @Override
            public int preference() {
                return preference;
            }

            @Override
            public Availability availability() {
                return availability;
            }

            @Override
            public Backend open(int threads, Precision precision) {
                throw new IllegalStateException(availability.reason());
            }
        };
    }
}
