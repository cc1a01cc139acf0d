package dev.tsumugi.launcher.runtime;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
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
    /** Servers that are starting. */
    private final Set<Start> starts = new HashSet<>();

    private final Object closing = new Object();
    private boolean closed;

    private record Start(Thread thread, CountDownLatch ended) {}

    /**
     * Starts a part. {@link #close} interrupts the start of a server, which is a process of its own and would outlive this one for a moment;
     * services end with this process in any case.
     *
     * @throws LaunchException when everything else is stopped already, or was before the part had started; it does not run then
     */
    <T extends AutoCloseable> T start(Stage stage, Supplier<T> begin) {
        Start start = new Start(Thread.currentThread(), new CountDownLatch(1));
        synchronized (this) {
            if (closed) {
                throw stopped();
            }
            if (stage == Stage.SERVERS) {
                starts.add(start);
            }
        }
        try {
            T part = begin.get();
            synchronized (this) {
                if (!closed) {
                    parts.computeIfAbsent(stage, unused -> new ArrayList<>()).add(part);
                    return part;
                }
            }
            boolean interrupted = Thread.interrupted(); // which would make its end a hard one
            closeQuietly(part);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            throw stopped();
        } finally {
            synchronized (this) {
                starts.remove(start);
            }
            start.ended().countDown();
        }
    }

    private static LaunchException stopped() {
        return new LaunchException("Tsumugi was stopped while it started.");
    }

    /** Returns when all is stopped, also to a second caller. */
    @Override
    public void close() {
        synchronized (closing) {
            List<AutoCloseable> unfinished;
            synchronized (this) {
                if (closed) {
                    return;
                }
                closed = true;
                starts.forEach(start -> start.thread().interrupt());
                unfinished = starts.stream()
                        .map(start -> (AutoCloseable) start.ended()::await)
                        .toList();
            }
            parts.computeIfAbsent(Stage.SERVERS, unused -> new ArrayList<>()).addAll(unfinished);
            boolean interrupted = false;
            for (Map.Entry<Stage, List<AutoCloseable>> stage : parts.entrySet()) {
                interrupted |= close(stage.getValue(), stage.getKey().limit());
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
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

    private static void closeQuietly(AutoCloseable part) {
        try {
            part.close();
        } catch (Exception e) {
            log.warn("{} did not stop cleanly", part, e);
        }
    }
}
