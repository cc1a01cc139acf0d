package dev.tsumugi.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A Kafka broker of our own (KRaft, one node), without Docker: a child JVM that listens on the loopback address and ends with this process,
 * also when this process is killed. Records and offsets survive a {@code kill -9} of either. Topics are not created by themselves.
 *
 * <pre>{@code
 * try (var kafka = EmbeddedKafka.temporary()) {
 *     properties.put("bootstrap.servers", kafka.bootstrapServers());
 * }
 * }</pre>
 */
public final class EmbeddedKafka implements AutoCloseable {
    private final KafkaBroker broker;
    private final @Nullable TemporaryFolder temporary;

    private EmbeddedKafka(KafkaBroker broker, @Nullable TemporaryFolder temporary) {
        this.broker = broker;
        this.temporary = temporary;
    }

    /** A fresh broker on free ports, in a folder that is removed on close. */
    public static EmbeddedKafka temporary() {
        TemporaryFolder folder = TemporaryFolder.create("kafka");
        try {
            return new Builder(folder.path()).start(folder);
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /**
     * A temporary broker that all tests of this process share; it is started by the first caller and ends with the process. Use topics and
     * groups of your own in it. Do not close it.
     */
    public static EmbeddedKafka shared() {
        return Shared.INSTANCE;
    }

    /** A broker whose data stays in {@code folder}. */
    public static Builder builder(Path folder) {
        return new Builder(folder.toAbsolutePath().normalize());
    }

    /** Value for {@code bootstrap.servers}. */
    public String bootstrapServers() {
        return "127.0.0.1:" + broker.port();
    }

    public int port() {
        return broker.port();
    }

    /** Process id of the broker. */
    public long pid() {
        return broker.pid();
    }

    /** True until the broker ends, by {@link #close()} or by itself. */
    public boolean isRunning() {
        return broker.isAlive();
    }

    /** Stops the broker cleanly (seconds at most) and removes a temporary folder. */
    @Override
    public void close() {
        broker.stop();
        if (temporary != null) {
            temporary.close();
        }
    }

    private static final class Shared {
        static final EmbeddedKafka INSTANCE = EmbeddedKafka.temporary();

        static {
            Runtime.getRuntime().addShutdownHook(new Thread(INSTANCE::close, "shared-kafka-close"));
        }

        private Shared() {}
    }

    /** What can be chosen; everything has a default. */
    public static final class Builder {
        private final Path folder;
        private int port;
        private int controllerPort;
        private int heapMegabytes = 256;
        private @Nullable String classPath;
        private @Nullable Path log;
        private List<String> jvmOptions = List.of();

        private Builder(Path folder) {
            this.folder = folder;
        }

        /** Port for clients; 0, the default, takes a free one. */
        public Builder port(int value) {
            this.port = value;
            return this;
        }

        /** Port of the controller inside the broker; 0, the default, is the one after {@link #port}. */
        public Builder controllerPort(int value) {
            this.controllerPort = value;
            return this;
        }

        public Builder heapMegabytes(int value) {
            this.heapMegabytes = value;
            return this;
        }

        /** Further options for the broker's JVM. */
        public Builder jvmOptions(List<String> options) {
            this.jvmOptions = List.copyOf(options);
            return this;
        }

        /** Jars of the broker, this module among them; default: those of this process. */
        public Builder classPath(String value) {
            this.classPath = value;
            return this;
        }

        /** All jars of a folder; this module and Kafka must be among them. */
        public Builder libraries(Path jars) {
            return classPath(jars.resolve("*").toString());
        }

        /** Where the broker's log goes; default {@code kafka.log} in the folder. */
        public Builder log(Path file) {
            this.log = file;
            return this;
        }

        /**
         * Starts the broker and waits until it accepts connections.
         *
         * @throws EmbeddedStartException with what to do
         */
        public EmbeddedKafka start() {
            return start(null);
        }

        private EmbeddedKafka start(@Nullable TemporaryFolder temporary) {
            try {
                Files.createDirectories(folder);
                KafkaBroker broker = new KafkaBroker(
                        folder,
                        log != null ? log : folder.resolve("kafka.log"),
                        classPath != null ? classPath : System.getProperty("java.class.path", ""),
                        heapMegabytes,
                        jvmOptions);
                broker.start(port, controllerPort);
                return new EmbeddedKafka(broker, temporary);
            } catch (IOException e) {
                throw new EmbeddedStartException("Cannot use " + folder + " for Kafka: " + e, e);
            }
        }
    }
}
