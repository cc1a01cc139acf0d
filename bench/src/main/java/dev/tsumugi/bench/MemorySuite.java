package dev.tsumugi.bench;

import java.util.Set;
import java.util.function.Consumer;

/** Resident memory of the platform: the launcher's JVM, the broker and PostgreSQL together. */
final class MemorySuite implements Suite {
    private final PlatformClient platform;

    MemorySuite(PlatformClient platform) {
        this.platform = platform;
    }

    @Override
    public String name() {
        return "memory";
    }

    @Override
    public String description() {
        return "Memory: proportional set size of all processes of the platform";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Set<Long> processes = Locations.platformProcesses(platform.home());
        double sum = processes.stream().mapToDouble(Processors::proportionalMiB).sum();
        BenchException.require(sum > 0, "this system does not tell the memory of a process");
        figures.accept(new Figure(
                "memory of the platform",
                "MiB",
                new double[] {sum},
                Runtime.getRuntime().availableProcessors(),
                0));
    }
}
