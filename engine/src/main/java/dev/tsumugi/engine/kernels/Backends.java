package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.kernels.BackendProvider.Availability;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses among the backends on the class path. */
public final class Backends {
    public static final String AUTO = "auto";
    private static final Logger log = LoggerFactory.getLogger(Backends.class);

    private Backends() {}

    /** All providers on the class path, the one that {@code auto} prefers first. */
    public static List<BackendProvider> providers() {
        return ServiceLoader.load(BackendProvider.class, Backends.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(BackendProvider::preference).reversed())
                .toList();
    }

    /**
     * Opens the named backend, or the most preferred one that is available for {@value #AUTO}, which says in the log why it passes others by.
     *
     * @param threads that compute; 0: one per processor
     * @throws IllegalArgumentException when no provider has that name
     * @throws IllegalStateException when the named backend cannot run here
     */
    public static Backend open(String name, int threads, Precision precision) {
        return choose(providers(), name)
                .open(threads > 0 ? threads : Runtime.getRuntime().availableProcessors(), precision);
    }

    /**
     * As {@link #open}, among those that train.
     *
     * @throws IllegalArgumentException when no provider has that name, or it does not train
     */
    public static Backend openForTraining(String name, int threads, Precision precision) {
        return choose(training(providers(), name), name)
                .open(threads > 0 ? threads : Runtime.getRuntime().availableProcessors(), precision);
    }

    static List<BackendProvider> training(List<BackendProvider> providers, String name) {
        List<BackendProvider> training = providers.stream()
                .filter(p -> name.equals(AUTO) ? p.trainsUnasked() : p.trains())
                .toList();
        if (providers.stream().anyMatch(p -> p.name().equals(name) && !p.trains())) {
            throw new IllegalArgumentException(
                    "backend " + name + " cannot train; use " + AUTO + " or one of " + names(training));
        }
        return training;
    }

    static BackendProvider choose(List<BackendProvider> providers, String name) {
        for (BackendProvider provider : providers) {
            boolean auto = name.equals(AUTO);
            if (auto ? provider.preference() < 0 : !provider.name().equals(name)) {
                continue;
            }
            Availability availability = provider.availability();
            if (availability.available()) {
                return provider;
            }
            if (!auto) {
                throw new IllegalStateException("backend " + name + " cannot run here: " + availability.reason());
            }
            log.info("Backend {} passed by: {}", provider.name(), availability.reason());
        }
        if (name.equals(AUTO)) {
            throw new IllegalStateException("no backend can run here; name one of " + names(providers)
                    + " to learn why, and start Java with --add-modules jdk.incubator.vector"
                    + " --enable-native-access=ALL-UNNAMED");
        }
        throw new IllegalArgumentException(
                "there is no backend '" + name + "'; use " + AUTO + " or one of " + names(providers));
    }

    private static String names(List<BackendProvider> providers) {
        return providers.stream().map(BackendProvider::name).collect(Collectors.joining(", "));
    }
}
