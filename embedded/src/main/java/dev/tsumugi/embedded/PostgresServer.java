package dev.tsumugi.embedded;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The server process over one data folder: makes the folder, starts, waits, stops. Layout of {@code folder}: {@code data},
 * {@code passwords}, {@code postgres.log}.
 */
final class PostgresServer {
    private static final String MAJOR_VERSION = "18";
    private static final Duration READY_LIMIT = Duration.ofMinutes(3);
    /** What a killed server leaves behind may need this long to vanish. */
    static final Duration LEFTOVERS_LIMIT = Duration.ofSeconds(30);

    private static final int PORT_ATTEMPTS = 10;

    /** One call for the whole file system where there is such a call, else one for each of a thousand files. */
    private static final String SYNC_METHOD =
            System.getProperty("os.name", "").startsWith("Linux") ? "syncfs" : "fsync";

    /**
     * Runs the server and stops it when the pipe on standard input is closed. The watcher reads from descriptor 3, because a shell gives
     * background commands an empty standard input. When the server ends by itself, so does the script.
     */
    private static final String STOPS_WITH_PARENT = """
            exec 3<&0
            "$@" </dev/null 3<&- &
            server=$!
            { read -r _ <&3; kill -INT $server 2>/dev/null; } >/dev/null 2>&1 &
            watcher=$!
            exec 3<&-
            wait $server
            code=$?
            kill $watcher 2>/dev/null
            exit $code
            """;

    private final PostgresInstallation programs;
    private final Account account;
    private final Path folder;
    private final Path data;
    private final Path log;
    private final boolean durable;
    private final int maxConnections;
    private final Duration leftoversLimit;
    private @Nullable PostgresPasswords passwords;
    private @Nullable ChildProcess process;
    private int port;

    PostgresServer(
            PostgresInstallation programs,
            Account account,
            Path folder,
            Path log,
            boolean durable,
            int maxConnections,
            Duration leftoversLimit) {
        this.programs = programs;
        this.account = account;
        this.folder = folder;
        this.data = folder.resolve("data");
        this.log = log;
        this.durable = durable;
        this.maxConnections = maxConnections;
        this.leftoversLimit = leftoversLimit;
    }

    int port() {
        return port;
    }

    PostgresPasswords passwords() {
        if (passwords == null) {
            throw new IllegalStateException("not started");
        }
        return passwords;
    }

    boolean isAlive() {
        return process != null && process.isAlive();
    }

    long postmasterPid() {
        return postmasterInFile()
                .orElseThrow(() -> new IllegalStateException("not running"))
                .pid();
    }

    /** @param wantedPort 0 for a free one */
    void start(int wantedPort) throws IOException {
        if (!account.canEnter(folder)) {
            throw new EmbeddedStartException(
                    "The account nobody, which runs PostgreSQL for root, may not enter " + folder
                            + ". Choose a TSUMUGI_HOME whose folders everybody may enter (/var/lib/tsumugi), or start Tsumugi as an"
                            + " ordinary user.");
        }
        passwords = Files.exists(data) ? PostgresPasswords.readFrom(folder) : createData();
        checkVersion();
        for (int attempt = 1; ; attempt++) {
            port = wantedPort == 0 ? Ports.free(1) : wantedPort;
            waitForLeftovers();
            if (wantedPort != 0 && !Ports.isFree(port)) {
                throw new PortBusyException("PostgreSQL", port);
            }
            try {
                startOn(port);
                return;
            } catch (PortBusyException e) {
                if (wantedPort != 0 || attempt == PORT_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /** A data folder is complete or absent: it is made beside its place and moved there. */
    private PostgresPasswords createData() throws IOException {
        PostgresPasswords made = PostgresPasswords.createIn(folder);
        Path unfinished = folder.resolve("data.new");
        TemporaryFolder.delete(unfinished);
        account.createPrivateFolder(unfinished);
        Path passwordFile = folder.resolve("initdb.password");
        try {
            account.writePrivateFile(passwordFile, made.superuser());
            List<String> words = List.of(
                    programs.program("initdb").toString(),
                    "-D",
                    unfinished.toString(),
                    "-U",
                    EmbeddedPostgres.SUPERUSER,
                    "-A",
                    "scram-sha-256",
                    "--pwfile=" + passwordFile,
                    "-E",
                    "UTF8",
                    "--locale=C.UTF-8",
                    durable ? "--sync-method=" + SYNC_METHOD : "--no-sync");
            runToEnd("initdb", account.command(words));
        } finally {
            Files.deleteIfExists(passwordFile);
        }
        Files.move(unfinished, data, StandardCopyOption.ATOMIC_MOVE);
        return made;
    }

    private void runToEnd(String name, List<String> command) throws IOException {
        Process running = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        running.getOutputStream().close();
        String output = new String(running.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (running.waitFor() != 0) {
                throw new EmbeddedStartException(name + " failed in " + folder + ":\n" + output.strip());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            running.destroyForcibly();
            throw new EmbeddedStartException("Interrupted during " + name, e);
        }
    }

    private void checkVersion() throws IOException {
        String version = Files.readString(data.resolve("PG_VERSION")).strip();
        if (!version.equals(MAJOR_VERSION)) {
            throw new EmbeddedStartException("The database in " + data + " was made by PostgreSQL " + version
                    + " and this is PostgreSQL " + MAJOR_VERSION
                    + ". Dump it with the old version and load it again, or move the"
                    + " folder away to begin with an empty database.");
        }
    }

    private void startOn(int chosenPort) throws IOException {
        long deadline = System.nanoTime() + leftoversLimit.toNanos();
        while (true) {
            ChildProcess started = ChildProcess.start(
                    "postgres",
                    command(chosenPort),
                    Map.of(),
                    folder,
                    log,
                    line -> line.contains("ready to accept connections"));
            if (started.awaitReady(READY_LIMIT)) {
                process = started;
                return;
            }
            String output = started.lastOutput();
            if (output.contains("could not bind IPv4 address")
                    || output.contains("could not create any TCP/IP sockets")) {
                throw new PortBusyException("PostgreSQL", chosenPort);
            }
            boolean leftovers = output.contains("shared memory") || output.contains("lock file");
            if (!leftovers || System.nanoTime() > deadline) {
                throw new EmbeddedStartException(
                        "PostgreSQL did not start. Its log is " + log + ". Last lines:\n" + output);
            }
            // Processes of a killed server are still on their way out, and nothing tells when they are gone.
            LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
        }
    }

    private List<String> command(int chosenPort) {
        List<String> words = new ArrayList<>(List.of("sh", "-c", STOPS_WITH_PARENT, "sh"));
        List<String> server = new ArrayList<>(List.of(
                programs.program("postgres").toString(),
                "-D",
                data.toString(),
                "-p",
                Integer.toString(chosenPort),
                "-h",
                "127.0.0.1",
                "-k",
                "",
                "-c",
                "max_connections=" + maxConnections,
                "-c",
                "shared_buffers=128MB",
                "-c",
                "max_wal_size=512MB",
                "-c",
                "log_min_messages=warning",
                "-c",
                "log_timezone=UTC",
                "-c",
                "timezone=UTC"));
        if (!durable) {
            server.addAll(List.of("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"));
        }
        words.addAll(account.command(server));
        return words;
    }

    /** Line 1 of postmaster.pid is the process id of the server that uses, or used, this data folder. */
    private Optional<ProcessHandle> postmasterInFile() {
        try {
            String first = Files.readAllLines(data.resolve("postmaster.pid"))
                    .getFirst()
                    .strip();
            return ProcessHandle.of(Long.parseLong(first));
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        }
    }

    /**
     * A server of a killed process needs a moment to stop: waits for it. A file that names a process which is none of ours (numbers are
     * used again) would keep PostgreSQL from starting: removes it.
     */
    private void waitForLeftovers() throws IOException {
        Optional<ProcessHandle> named = postmasterInFile();
        if (named.isEmpty()) {
            return;
        }
        if (!isPostgresOnOurData(named.get())) {
            Files.deleteIfExists(data.resolve("postmaster.pid"));
            return;
        }
        try {
            var unused = named.get().onExit().get(leftoversLimit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new EmbeddedStartException(
                    "PostgreSQL (process " + named.get().pid() + ") runs on " + data
                            + " already. Is Tsumugi running with the same TSUMUGI_HOME? Stop it first (./tsumugi stop).");
        } catch (ExecutionException e) {
            throw new EmbeddedStartException(
                    "Cannot wait for process " + named.get().pid(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EmbeddedStartException("Interrupted while an earlier PostgreSQL stopped", e);
        }
    }

    private boolean isPostgresOnOurData(ProcessHandle candidate) {
        Path commandLine = Path.of("/proc", Long.toString(candidate.pid()), "cmdline");
        try {
            if (Files.isReadable(commandLine)) {
                String words = Files.readString(commandLine);
                return words.contains("postgres") && words.contains(data.toString());
            }
        } catch (IOException e) {
            return false; // it has just ended
        }
        return candidate
                .info()
                .command()
                .map(command -> command.contains("postgres"))
                .orElse(false);
    }

    void stop() {
        if (process != null) {
            process.stop(Duration.ofSeconds(18));
        }
    }
}
