package dev.tsumugi.embedded;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;

/** Main class of the broker's JVM. Stops when its standard input is closed: then the parent has closed it, or is gone. */
final class BrokerMain {
    /** The line that says that the broker accepts connections. */
    static final String READY = "tsumugi: broker is ready";

    /** A clean stop takes about a second; after this long the data is safe in any case, and only the next start is slower. */
    private static final long STOP_LIMIT_SECONDS = 15;

    private BrokerMain() {}

    public static void main(String[] arguments) throws IOException {
        Path configuration = Path.of(arguments[0]);
        Properties settings = new Properties();
        try (Reader reader = Files.newBufferedReader(configuration)) {
            settings.load(reader);
        }
        if (!Files.exists(Path.of(settings.getProperty("log.dirs"), "meta.properties"))) {
            format(configuration);
        }
        KafkaRaftServer server = new KafkaRaftServer(new KafkaConfig(settings), Time.SYSTEM);
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            server.shutdown();
                            server.awaitShutdown();
                        },
                        "broker-shutdown"));
        Thread.ofPlatform().name("parent-watch").daemon().start(BrokerMain::exitWhenInputEnds);
        try {
            server.startup();
        } catch (RuntimeException | Error e) {
            // Its threads would keep the process, and so the parent would wait for a broker that never gets ready.
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        System.out.println(READY);
        server.awaitShutdown();
    }

    private static void format(Path configuration) {
        String[] arguments = {
            "format",
            "--cluster-id",
            Uuid.randomUuid().toString(),
            "--config",
            configuration.toString(),
            "--ignore-formatted"
        };
        int code = StorageTool.execute(arguments, System.out);
        if (code != 0) {
            System.out.println("formatting the data folder failed");
            System.exit(code);
        }
    }

    private static void exitWhenInputEnds() {
        try {
            while (System.in.read() >= 0) {
                // nothing is ever sent
            }
        } catch (IOException e) {
            // as good as the end
        }
        Thread.ofPlatform().name("broker-halt").daemon().start(() -> {
            try {
                Thread.sleep(java.time.Duration.ofSeconds(STOP_LIMIT_SECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            Runtime.getRuntime().halt(1);
        });
        System.exit(0);
    }
}
