package dev.tsumugi.launcher.runtime;

import java.io.IOException;
import java.io.Reader;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Who runs on a state folder: a file that names process and port, and a lock that the process holds as long as it lives. The lock tells
 * whether anybody runs (it vanishes with its holder); the file tells who, and with the start time of the process it also tells that the
 * number was not given to another process since.
 *
 * @param ready false while the services start
 */
public record PlatformRecord(long pid, Instant startedAt, int port, boolean ready) {
    private static final Duration CLOCK_TOLERANCE = Duration.ofSeconds(5);
    private static final Duration KILLED_END = Duration.ofSeconds(20);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(50);

    /** Held by the running platform. */
    static final class Hold implements AutoCloseable {
        private final StateFolder home;
        private final FileChannel channel;
        private final int port;
        private final boolean followsKilled;

        private Hold(StateFolder home, FileChannel channel, int port, boolean followsKilled) {
            this.home = home;
            this.channel = channel;
            this.port = port;
            this.followsKilled = followsKilled;
        }

        /** Whether the last platform on these ports was killed: then its broker and database may still be about to end by themselves. */
        boolean followsKilled() {
            return followsKilled;
        }

        void ready() {
            write(home, port, true);
        }

        @Override
        public void close() {
            try {
                Files.deleteIfExists(file(home));
                channel.close();
            } catch (IOException e) {
                throw new LaunchException("Cannot remove " + file(home) + ": " + e, e);
            }
        }
    }

    /** @throws LaunchException when another process runs on this folder */
    static Hold take(StateFolder home, int port) {
        try {
            FileChannel channel = FileChannel.open(lockFile(home), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (!lockOnceFree(home, channel)) {
                channel.close();
                throw new LaunchException("Tsumugi is running already"
                        + read(home)
                                .map(other -> " (process " + other.pid + ", http://localhost:" + other.port + ")")
                                .orElse("")
                        + " with the state folder " + home.path()
                        + ". Use it, stop it with ./tsumugi stop, or choose another TSUMUGI_HOME and TSUMUGI_PORT.");
            }
            boolean followsKilled = read(home).filter(last -> last.port == port).isPresent();
            write(home, port, false);
            return new Hold(home, channel, port, followsKilled);
        } catch (IOException e) {
            throw new LaunchException("Cannot write to " + home.run() + ": " + e, e);
        }
    }

    /** The process that runs on this folder now, if any. */
    public static Optional<PlatformRecord> running(StateFolder home) {
        return read(home).filter(record -> record.handle().isPresent());
    }

    private static Optional<PlatformRecord> read(StateFolder home) {
        try (Reader reader = Files.newBufferedReader(file(home))) {
            Properties properties = new Properties();
            properties.load(reader);
            return Optional.of(new PlatformRecord(
                    Long.parseLong(properties.getProperty("pid", "")),
                    Instant.parse(properties.getProperty("startedAt", "")),
                    Integer.parseInt(properties.getProperty("port", "")),
                    Boolean.parseBoolean(properties.getProperty("ready"))));
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        }
    }

    private static void write(StateFolder home, int port, boolean ready) {
        ProcessHandle self = ProcessHandle.current();
        String content =
                "pid=" + self.pid() + "\nstartedAt=" + startOf(self) + "\nport=" + port + "\nready=" + ready + "\n";
        Path unfinished = home.run().resolve("platform.new");
        try {
            Files.writeString(unfinished, content);
            Files.move(unfinished, file(home), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new LaunchException("Cannot write to " + home.run() + ": " + e, e);
        }
    }

    /** The process itself, when it is alive and the one that wrote the record. */
    public Optional<ProcessHandle> handle() {
        return ProcessHandle.of(pid)
                .filter(ProcessHandle::isAlive)
                // One that was killed is alive until its memory is freed, but has no command any more.
                .filter(process -> process.info().command().isPresent())
                .filter(process ->
                        Duration.between(startOf(process), startedAt).abs().compareTo(CLOCK_TOLERANCE) < 0);
    }

    private static Instant startOf(ProcessHandle process) {
        return process.info().startInstant().orElse(Instant.EPOCH);
    }

    /** False when somebody runs; waits for one who was killed, whose lock lasts until his memory is freed. */
    private static boolean lockOnceFree(StateFolder home, FileChannel channel) throws IOException {
        long deadline = System.nanoTime() + KILLED_END.toNanos();
        while (lock(channel) == null) {
            if (running(home).isPresent() || System.nanoTime() > deadline) {
                return false;
            }
            LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
        }
        return true;
    }

    private static @Nullable FileLock lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null; // held in this very process
        }
    }

    private static Path file(StateFolder home) {
        return home.run().resolve("platform");
    }

    private static Path lockFile(StateFolder home) {
        return home.run().resolve("lock");
    }
}
