package dev.tsumugi.embedded;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The broker process over one folder. Layout: {@code server.properties} (written anew at every start), {@code logs} (Kafka's data),
 * {@code broker.pid}, {@code kafka.log}.
 */
final class KafkaBroker {
    private static final Duration STOP_LIMIT = Duration.ofSeconds(18);
    private static final Duration READY_LIMIT = Duration.ofMinutes(3);
    private static final Duration LEFTOVERS_LIMIT = Duration.ofSeconds(30);
    private static final int PORT_ATTEMPTS = 10;

    /** Largest record; documents travel as references and vectors in parts, so this is room to spare. */
    private static final int MAX_MESSAGE_BYTES = 8 << 20;

    private final Path folder;
    private final Path log;
    private final String classPath;
    private final int heapMegabytes;
    private final List<String> jvmOptions;
    private @Nullable ChildProcess process;
    private int port;

    KafkaBroker(Path folder, Path log, String classPath, int heapMegabytes, List<String> jvmOptions) {
        this.folder = folder;
        this.log = log;
        this.classPath = classPath;
        this.heapMegabytes = heapMegabytes;
        this.jvmOptions = jvmOptions;
    }

    int port() {
        return port;
    }

    long pid() {
        if (process == null) {
            throw new IllegalStateException("not started");
        }
        return process.pid();
    }

    boolean isAlive() {
        return process != null && process.isAlive();
    }

    /**
     * @param wantedPort 0 for a free one
     * @param wantedControllerPort 0 for the one after the port
     */
    void start(int wantedPort, int wantedControllerPort) throws IOException {
        waitForLeftovers();
        for (int attempt = 1; ; attempt++) {
            port = wantedPort == 0 ? Ports.free(2) : wantedPort;
            int controllerPort = wantedControllerPort == 0 ? port + 1 : wantedControllerPort;
            requireFree("Kafka", port);
            requireFree("Kafka's controller", controllerPort);
            Path configuration = writeConfiguration(controllerPort);
            ChildProcess started = ChildProcess.start(
                    "kafka",
                    command(configuration),
                    Map.of("CLASSPATH", classPath),
                    folder,
                    log,
                    BrokerMain.READY::equals);
            // At once: whoever starts after a kill during this start has to find this broker.
            try {
                Files.writeString(pidFile(), Long.toString(started.pid()));
            } catch (IOException e) {
                started.stop(STOP_LIMIT);
                throw e;
            }
            if (started.awaitReady(READY_LIMIT)) {
                process = started;
                return;
            }
            String output = started.lastOutput();
            boolean portTaken = output.contains("Address already in use") || output.contains("BindException");
            if (!portTaken || wantedPort != 0 || attempt == PORT_ATTEMPTS) {
                throw new EmbeddedStartException("Kafka did not start. Its log is " + log + ". Last lines:\n" + output);
            }
        }
    }

    private static void requireFree(String part, int port) {
        if (!Ports.isFree(port)) {
            throw new PortBusyException(part, port);
        }
    }

    private Path writeConfiguration(int controllerPort) throws IOException {
        String broker = "PLAINTEXT://127.0.0.1:" + port;
        Properties settings = new Properties();
        settings.setProperty("process.roles", "broker,controller");
        settings.setProperty("node.id", "1");
        settings.setProperty("controller.quorum.voters", "1@127.0.0.1:" + controllerPort);
        settings.setProperty("listeners", broker + ",CONTROLLER://127.0.0.1:" + controllerPort);
        settings.setProperty("advertised.listeners", broker);
        settings.setProperty("controller.listener.names", "CONTROLLER");
        settings.setProperty("inter.broker.listener.name", "PLAINTEXT");
        settings.setProperty("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
        settings.setProperty("log.dirs", folder.resolve("logs").toString());
        settings.setProperty("auto.create.topics.enable", "false");
        settings.setProperty("num.partitions", "3");
        settings.setProperty("message.max.bytes", Integer.toString(MAX_MESSAGE_BYTES));
        // One node: nothing to replicate to.
        settings.setProperty("default.replication.factor", "1");
        settings.setProperty("offsets.topic.replication.factor", "1");
        settings.setProperty("offsets.topic.num.partitions", "5");
        settings.setProperty("transaction.state.log.replication.factor", "1");
        settings.setProperty("transaction.state.log.min.isr", "1");
        settings.setProperty("transaction.state.log.num.partitions", "5");
        settings.setProperty("share.coordinator.state.topic.replication.factor", "1");
        settings.setProperty("share.coordinator.state.topic.min.isr", "1");
        // No replica holds a copy, so what is acknowledged must be on the disk before a power failure.
        settings.setProperty("log.flush.interval.messages", "1");
        // A machine that was off over the holidays must not process everything again.
        settings.setProperty("offsets.retention.minutes", Integer.toString(366 * 24 * 60));
        // Quick start, and quick start again after kill -9 (a dead broker's session would else last 9 s).
        settings.setProperty("group.initial.rebalance.delay.ms", "0");
        settings.setProperty("broker.session.timeout.ms", "2000");
        settings.setProperty("broker.heartbeat.interval.ms", "500");
        // Small memory: the default sizes are for a data centre.
        settings.setProperty("log.cleaner.dedupe.buffer.size", Integer.toString(8 << 20));
        settings.setProperty("num.network.threads", "2");
        settings.setProperty("num.io.threads", "4");
        StringWriter text = new StringWriter();
        settings.store(text, "Written anew at every start");
        Path file = folder.resolve("server.properties");
        Files.writeString(file, text.toString());
        return file;
    }

    private List<String> command(Path configuration) {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMegabytes + "m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+ExitOnOutOfMemoryError",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dlogback.configurationFile=dev/tsumugi/embedded/kafka-logback.xml"));
        words.addAll(jvmOptions);
        words.addAll(List.of(BrokerMain.class.getName(), configuration.toString()));
        return words;
    }

    private Path pidFile() {
        return folder.resolve("broker.pid");
    }

    /** The broker of a killed process needs a moment to stop: waits for it. */
    private void waitForLeftovers() {
        Optional<ProcessHandle> earlier = earlierBroker();
        if (earlier.isEmpty()) {
            return;
        }
        try {
            var unused = earlier.get().onExit().get(LEFTOVERS_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new EmbeddedStartException("Kafka (process " + earlier.get().pid() + ") runs on " + folder
                    + " already. Is Tsumugi running with the same TSUMUGI_HOME? Stop it first (./tsumugi stop).");
        } catch (ExecutionException e) {
            throw new EmbeddedStartException(
                    "Cannot wait for process " + earlier.get().pid(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EmbeddedStartException("Interrupted while an earlier Kafka stopped", e);
        }
    }

    private Optional<ProcessHandle> earlierBroker() {
        try {
            long pid = Long.parseLong(Files.readString(pidFile()).strip());
            return ProcessHandle.of(pid).filter(this::isBrokerOfThisFolder);
        } catch (IOException | NumberFormatException e) {
            return Optional.empty();
        }
    }

    private boolean isBrokerOfThisFolder(ProcessHandle candidate) {
        Path commandLine = Path.of("/proc", Long.toString(candidate.pid()), "cmdline");
        try {
            if (Files.isReadable(commandLine)) {
                String words = Files.readString(commandLine);
                return words.contains(BrokerMain.class.getName()) && words.contains(folder.toString());
            }
        } catch (IOException e) {
            return false; // it has just ended
        }
        return candidate
                .info()
                .command()
                .map(command -> command.endsWith("java"))
                .orElse(false);
    }

    void stop() {
        if (process != null) {
            process.stop(STOP_LIMIT);
        }
    }
}
