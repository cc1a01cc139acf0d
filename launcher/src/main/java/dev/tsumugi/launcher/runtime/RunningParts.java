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
        parts.forEach((stage, members) -> close(members, stage.limit()));
    }

    static void close(List<AutoCloseable> members, Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        List<Thread> closing = members.stream()
                .map(part -> Thread.ofPlatform()
                        .name("stop-" + part.getClass().getSimpleName())
                        .daemon()
                        .start(() -> closeQuietly(part)))
                .toList();
        try {
            for (int i = 0; i < closing.size(); i++) {
                long left = Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()));
                if (!closing.get(i).join(Duration.ofMillis(left))) {
                    log.warn("{} did not stop within {} s and is left behind", members.get(i), limit.toSeconds());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static void closeQuietly(AutoCloseable part) {
        try {
            part.close();
        } catch (Exception e) {
            log.warn("{} did not stop cleanly", part, e);
        }
    }
}
