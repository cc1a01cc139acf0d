package dev.tsumugi.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Processor time of the whole machine and of chosen processes, from Linux' {@code /proc}. */
final class Processors {
    private static final double TICKS_PER_SECOND = 100;
    private static final Path PROC = Path.of("/proc");

    private final long startNanos = System.nanoTime();
    private final double startBusy = busySeconds();
    private final Set<Long> own;
    private final double startOwn;

    /** @param own processes whose work is what is measured */
    Processors(Set<Long> own) {
        this.own = own;
        this.startOwn = ownSeconds();
    }

    /** Processes of {@code root} and all below it. */
    static Set<Long> tree(ProcessHandle root) {
        return Stream.concat(Stream.of(root), root.descendants())
                .map(ProcessHandle::pid)
                .collect(Collectors.toSet());
    }

    /** Cores that others used on average since this was made; -1 where {@code /proc} is missing. */
    double otherCores() {
        if (startBusy < 0) {
            return -1;
        }
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        return Math.max(0, (busySeconds() - startBusy) - (ownSeconds() - startOwn)) / seconds;
    }

    /** Resident memory of a process in MiB, with pages shared by several processes counted in parts (PSS); 0 when it has ended. */
    static double proportionalMiB(long pid) {
        return read(PROC.resolve(Long.toString(pid)).resolve("smaps_rollup")).stream()
                .filter(line -> line.startsWith("Pss:"))
                .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024)
                .findFirst()
                .orElse(0);
    }

    /** The most resident memory that a process ever had, in MiB, mapped files included; 0 where the system does not tell. */
    static double peakMiB(long pid) {
        return read(PROC.resolve(Long.toString(pid)).resolve("status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024)
                .findFirst()
                .orElse(0);
    }

    private static double busySeconds() {
        return read(PROC.resolve("stat")).stream()
                .filter(line -> line.startsWith("cpu "))
                .mapToDouble(line -> {
                    String[] fields = line.split("\\s+");
                    // user, nice, system, irq, softirq; not idle, iowait
                    return ticks(fields, Set.of(1, 2, 3, 6, 7)::contains);
                })
                .findFirst()
                .orElse(-1);
    }

    private double ownSeconds() {
        return own.stream().mapToDouble(Processors::processSeconds).sum();
    }

    private static double processSeconds(long pid) {
        List<String> lines = read(PROC.resolve(Long.toString(pid)).resolve("stat"));
        if (lines.isEmpty()) {
            return 0;
        }
        // The command name in parentheses may hold blanks.
        String[] fields = lines.getFirst()
                .substring(lines.getFirst().lastIndexOf(')') + 2)
                .split(" ");
        return ticks(fields, field -> field >= 11 && field <= 14);
    }

    private static double ticks(String[] fields, Predicate<Integer> wanted) {
        double sum = 0;
        for (int i = 0; i < fields.length; i++) {
            if (wanted.test(i)) {
                sum += Double.parseDouble(fields[i]);
            }
        }
        return sum / TICKS_PER_SECOND;
    }

    private static List<String> read(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of();
        }
    }
}
