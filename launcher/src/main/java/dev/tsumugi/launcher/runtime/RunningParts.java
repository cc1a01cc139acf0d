package dev.tsumugi.launcher.runtime;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is running, and how it stops: stage by stage, all parts of a stage at once, and no stage longer than its limit. A part that takes
 * longer is left behind; nothing is lost by that, for the state survives a kill at any moment.
 */
final class RunningParts implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RunningParts.class);

    /** In the order of stopping. The sum of the limits bounds the whole. */
    enum Stage {
        GATEWAY(12),
        SERVICES(25),
        SERVERS(20);

        private final Duration limit;

        Stage(int seconds) {
            this.limit = Duration.ofSeconds(seconds);
        }

        Duration limit() {
            return limit;
        }
    }

    private final Map<Stage, List<AutoCloseable>> parts = new EnumMap<>(Stage.class);
    private boolean closed;

    /** @return false when it is too late: everything else is stopped already, and {@code part} is the caller's to close */
    synchronized boolean add(Stage stage, AutoCloseable part) {
        if (!closed) {
            parts.computeIfAbsent(stage, unused -> new ArrayList<>()).add(part);
        }
        return !closed;
    }

    /** Returns when all is stopped, also to a second caller. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        boolean interrupted = false;
        for (Map.Entry<Stage, List<AutoCloseable>> stage : parts.entrySet()) {
            interrupted |= close(stage.getValue(), stage.getKey().limit());
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Waits for the whole of {@code limit} also when the thread is interrupted: what the next stage stops, this one may still use.
     *
     * @return whether it was interrupted; the thread's flag is clear then
     */
    static boolean close(List<AutoCloseable> members, Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        List<Thread> closing = members.stream()
                .map(part -> Thread.ofPlatform()
                        .name("stop-" + part.getClass().getSimpleName())
                        .daemon()
                        .start(() -> closeQuietly(part)))
                .toList();
        boolean interrupted = false;
        for (int i = 0; i < closing.size(); ) {
            long left = Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()));
            try {
                if (!closing.get(i).join(Duration.ofMillis(left))) {
                    log.warn("{} did not stop within {} s and is left behind", members.get(i), limit.toSeconds());
                }
                i++;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        return interrupted;
    }

    static void closeQuietly(AutoCloseable part) {
        try {
            part.close();
        } catch (Exception e) {
            log.warn("{} did not stop cleanly", part, e);
        }
    }
}
