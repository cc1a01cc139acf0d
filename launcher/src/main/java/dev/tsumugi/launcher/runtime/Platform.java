package dev.tsumugi.launcher.runtime;

import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import dev.tsumugi.embedded.Ports;
import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.launcher.runtime.RunningParts.Stage;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kafka, PostgreSQL and all services, running. The two servers start first and side by side; then the services, a few at a time, because
 * each spends part of its start waiting; the gateway is last, so that whoever reaches it reaches everything.
 */
public final class Platform implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Platform.class);
    private static final int STARTING_AT_ONCE = 3;
    private static final Duration WARM_UP = Duration.ofSeconds(1);
    /** A broker and a database whose launcher was killed notice it at once and take a few seconds on a busy machine. */
    private static final Duration LEFT_BEHIND_END = Duration.ofSeconds(30);

    private final StateFolder home;
    private final PortPlan ports;
    private final Map<String, String> environment;
    private final StartListener listener;
    private final PlatformRecord.Hold hold;
    private final RunningParts running = new RunningParts();
    private boolean newKey;
    private volatile boolean starting = true;
    private volatile boolean brokenOff;

    private Platform(
            StateFolder home,
            PortPlan ports,
            Map<String, String> environment,
            StartListener listener,
            PlatformRecord.Hold hold) {
        this.home = home;
        this.ports = ports;
        this.environment = environment;
        this.listener = listener;
        this.hold = hold;
    }

    /**
     * Starts everything and returns when questions can be asked. It is closed by a clean end of the process too, such as Ctrl-C.
     *
     * @param environment what the user has set; {@code TSUMUGI_MODEL} chooses another language model
     * @throws RuntimeException whose message says what to do
     */
    public static Platform start(
            StateFolder home, PortPlan ports, Map<String, String> environment, StartListener listener) {
        home.create();
        PlatformRecord.Hold hold = PlatformRecord.take(home, ports.gateway());
        Platform platform = new Platform(home, ports, environment, listener, hold);
        Runtime.getRuntime().addShutdownHook(new Thread(platform::closeAtTheEnd, "platform-close"));
        try {
            platform.requireFreePorts(hold.followsKilled() ? LEFT_BEHIND_END : Duration.ZERO);
            platform.newKey = home.createAdminKey();
            platform.startAll();
            hold.ready();
            return platform;
        } catch (RuntimeException e) {
            platform.close();
            if (platform.brokenOff) {
                // The process is ending and has said why: what failed by that is no news.
                LockSupport.park();
            }
            throw e;
        } finally {
            platform.starting = false;
        }
    }

    private void closeAtTheEnd() {
        brokenOff = starting;
        close();
        if (brokenOff) {
            listener.brokenOff();
        }
    }

    public StateFolder home() {
        return home;
    }

    public PortPlan ports() {
        return ports;
    }

    /** True when this start wrote the admin key. */
    public boolean hasNewKey() {
        return newKey;
    }

    /** @param patience for what a killed platform has left, which ends by itself */
    private void requireFreePorts(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        ports.all().forEach((who, port) -> {
            if (!Ports.becomesFree(port, deadline)) {
                int other = ports.gateway() < 60_000 ? ports.gateway() + 100 : PortPlan.DEFAULT_GATEWAY;
                throw new LaunchException("Port " + port + " (" + who + ") is in use"
                        + Ports.holder(port).map(holder -> " by " + holder).orElse("")
                        + ". Stop that program, or start Tsumugi on other ports: TSUMUGI_PORT=" + other
                        + " ./tsumugi up");
            }
        });
    }

    private void startAll() {
        Downloads downloads = Downloads.inDefaultCache().reportingTo(listener);
        Path programs = downloads.postgres();
        String ownModel = environment.getOrDefault("TSUMUGI_MODEL", "");
        String model = ownModel.isBlank() ? downloads.languageModel().toString() : ownModel;
        try (ExecutorService executor = Executors.newFixedThreadPool(STARTING_AT_ONCE)) {
            CompletableFuture<EmbeddedPostgres> postgres =
                    CompletableFuture.supplyAsync(() -> startPostgres(programs), executor);
            CompletableFuture<EmbeddedKafka> kafka = CompletableFuture.supplyAsync(this::startKafka, executor);
            await(CompletableFuture.allOf(postgres, kafka));

            Map<String, Object> shared = settingsOfServices(postgres.join(), kafka.join(), model);
            List<Service> services = List.of(Service.values());
            await(CompletableFuture.allOf(services.stream()
                    .filter(service -> !service.isGateway())
                    .map(service -> CompletableFuture.runAsync(() -> start(service, shared), executor))
                    .toArray(CompletableFuture<?>[]::new)));
            CompletableFuture<Void> modelLoaded = CompletableFuture.runAsync(this::awaitModel, executor);
            services.stream().filter(Service::isGateway).forEach(gateway -> start(gateway, shared));
            home.adminKey().ifPresent(key -> new WarmUp(ports.of(Service.GATEWAY), key, WARM_UP).search());
            await(modelLoaded);
        }
    }

    private void awaitModel() {
        long begin = System.nanoTime();
        new Readiness(ports.of(Service.GENERATOR)).awaitModel();
        listener.started("model", Duration.ofNanos(System.nanoTime() - begin));
    }

    private EmbeddedPostgres startPostgres(Path programs) {
        return timed(
                Stage.SERVERS,
                "PostgreSQL",
                () -> EmbeddedPostgres.builder(home.postgres())
                        .installation(programs)
                        .port(ports.postgres())
                        .log(home.logs().resolve("postgres.log"))
                        .start());
    }

    private EmbeddedKafka startKafka() {
        return timed(
                Stage.SERVERS,
                "Kafka",
                () -> EmbeddedKafka.builder(home.kafka())
                        .port(ports.kafka())
                        .controllerPort(ports.kafkaController())
                        .log(home.logs().resolve("kafka.log"))
                        .start());
    }

    private void start(Service service, Map<String, Object> shared) {
        Map<String, Object> settings = new HashMap<>(shared);
        settings.put("server.port", ports.of(service));
        if (!service.isGateway()) {
            settings.put("server.address", "127.0.0.1");
        }
        timed(service.isGateway() ? Stage.GATEWAY : Stage.SERVICES, service.title(), () -> {
            try {
                return service.start(settings);
            } catch (RuntimeException e) {
                log.error("{} did not start", service.title(), e);
                throw new LaunchException(
                        "The service " + service.title() + " did not start: " + rootCause(e) + ". Its log is "
                                + home.logs().resolve("services.log") + ".",
                        e);
            }
        });
    }

    /** The same variables that a container gets, so that a service cannot tell the difference. */
    private Map<String, Object> settingsOfServices(EmbeddedPostgres postgres, EmbeddedKafka kafka, String model) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("TSUMUGI_KAFKA", kafka.bootstrapServers());
        settings.put("TSUMUGI_DB_URL", postgres.jdbcUrl());
        settings.put("TSUMUGI_DB_USER", postgres.username());
        settings.put("TSUMUGI_DB_PASSWORD", postgres.password());
        settings.put("TSUMUGI_INTERNAL_TOKEN", home.internalToken());
        settings.put("TSUMUGI_BLOBS", home.blobs());
        settings.put("TSUMUGI_ADAPTERS", home.adapters());
        settings.put("TSUMUGI_TRAINING", home.training());
        settings.put("TSUMUGI_MODEL", model);
        settings.put("TSUMUGI_ADMIN_KEY_FILE", home.adminKeyFile());
        settings.put("TSUMUGI_CACHE", Downloads.defaultCache());
        for (Service service : Service.values()) {
            settings.put(
                    "TSUMUGI_" + service.name().toUpperCase(Locale.ROOT) + "_URL",
                    "http://127.0.0.1:" + ports.of(service));
        }
        settings.put("tsumugi.kafka.member", "launcher"); // there is no other process of this state folder
        settings.put("spring.main.register-shutdown-hook", "false"); // close() keeps the order
        return settings;
    }

    private <T extends AutoCloseable> T timed(Stage stage, String part, Supplier<T> start) {
        long begin = System.nanoTime();
        T started = running.start(stage, start);
        listener.started(part, Duration.ofNanos(System.nanoTime() - begin));
        return started;
    }

    /** Waits for all of them, also after a failure, so that nothing is started unseen. */
    private static void await(CompletableFuture<Void> all) {
        try {
            all.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw e;
        }
    }

    /** Stops the gateway, then the services, then Kafka and PostgreSQL; within a minute, whatever hangs. */
    @Override
    public void close() {
        running.close();
        if (starting && newKey) {
            home.withdrawAdminKey(); // nobody was shown it
        }
        hold.close();
    }

    private static String rootCause(Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null && cause.getCause() != cause) {
            cause = cause.getCause();
        }
        return cause.getMessage() != null ? cause.getMessage() : cause.toString();
    }
}
