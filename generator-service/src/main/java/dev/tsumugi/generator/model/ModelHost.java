package dev.tsumugi.generator.model;

import dev.tsumugi.engine.adapter.AdapterLimits;
import dev.tsumugi.engine.files.ModelDigest;
import dev.tsumugi.engine.files.ModelStore;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.EngineLimits;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.platform.web.ProblemException;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.SmartLifecycle;
import org.springframework.http.HttpStatus;
import org.springframework.stereotype.Component;

/** Opens the model while the service starts; until it is warm, the service is not ready and requests are told to come back. */
@Component("model")
public class ModelHost implements SmartLifecycle, HealthIndicator {
    private static final Logger log = LoggerFactory.getLogger(ModelHost.class);
    private static final String WARM_UP = "The quick brown fox jumps over the lazy dog near the river bank. ";
    private static final int WARM_UP_SENTENCES = 16;
    private static final int WARM_UP_ANSWER = 24;
    private static final int MOST_ADAPTERS = 1000;

    private final ModelProperties properties;
    private final MeterRegistry meters;
    private final Clock clock = Clock.systemUTC();
    private final CountDownLatch opened = new CountDownLatch(1);
    private volatile @Nullable ServedModel served;
    private volatile @Nullable String failure;
    private volatile boolean running;

    ModelHost(ModelProperties properties, MeterRegistry meters) {
        this.properties = properties;
        this.meters = meters;
    }

    /** @throws ProblemException 503 while the model is not there */
    public ServedModel require() {
        ServedModel current = served;
        if (current != null) {
            return current;
        }
        String reason = failure;
        throw new ProblemException(
                HttpStatus.SERVICE_UNAVAILABLE,
                "model-not-ready",
                reason == null
                        ? "The language model is still being loaded. Try again in a few seconds."
                        : "The language model could not be loaded: " + reason);
    }

    /**
     * Waits until the model is warm.
     *
     * @throws IllegalStateException when it cannot be loaded, or not within {@code limit}
     */
    public void awaitReady(Duration limit) throws InterruptedException {
        boolean ended = opened.await(limit.toMillis(), TimeUnit.MILLISECONDS);
        String reason = failure;
        if (reason != null) {
            throw new IllegalStateException(
                    "The language model " + properties.model() + " could not be loaded: " + reason);
        }
        if (!ended) {
            throw new IllegalStateException("The language model " + properties.model() + " was not loaded within "
                    + limit.toSeconds() + " s. The log of the generator says how far it came.");
        }
    }

    public Duration timeout() {
        return properties.timeout();
    }

    @Override
    public void start() {
        running = true;
        Thread.ofPlatform().name("model-opening").daemon().start(this::open);
    }

    private void open() {
        long begin = System.nanoTime();
        LoadedModel model = null;
        Engine engine = null;
        try {
            ModelStore store = ModelStore.ofEnvironment((file, done, total) -> {});
            Path path = store.locate(properties.model());
            CompletableFuture<String> digest = CompletableFuture.supplyAsync(() -> ModelDigest.of(path));
            model = LoadedModel.open(
                    path,
                    ModelOptions.defaults()
                            .withBackend(properties.backend())
                            .withThreads(properties.threads())
                            .withPackedFolder(store.packedFolder()));
            engine = model.startEngine(
                    limits(model), new AdapterLimits(properties.adapterMemory().toBytes(), MOST_ADAPTERS));
            ServedModel warm = new ServedModel(
                    nameOf(path),
                    digest.join(),
                    model,
                    engine,
                    clock.instant(),
                    new AdapterNames(engine.adapters()),
                    null);
            warmUp(warm);
            publish(warm);
            log.info(
                    "Model {} is ready after {} ms: backend {}, context of {} tokens",
                    warm.name(),
                    Duration.ofNanos(System.nanoTime() - begin).toMillis(),
                    model.backend(),
                    engine.limits().contextLength());
            // The first request that constrains its answer should not wait for the vocabulary to be read.
            Thread.startVirtualThread(model::constraints);
        } catch (RuntimeException | Error e) {
            failure = String.valueOf(e.getMessage());
            log.error("The model {} could not be loaded: {}", properties.model(), e.getMessage(), e);
            if (engine != null) {
                engine.close();
            }
            if (model != null) {
                model.close();
            }
        } finally {
            opened.countDown();
        }
    }

    private EngineLimits limits(LoadedModel model) {
        EngineLimits limits =
                EngineLimits.forMemory(model.model(), properties.cache().toBytes());
        if (properties.contextLength() > 0) {
            limits = limits.withContextLength(Math.min(properties.contextLength(), limits.contextLength()));
        }
        return limits.withMaxRunning(properties.maxRunning())
                .withMaxQueued(properties.maxQueued())
                .withMaxPerTenant(properties.maxPerTenant());
    }

    /** The first tokens of a fresh JVM are slow; nobody should wait for those. */
    private static void warmUp(ServedModel model) {
        int[] prompt = model.model().chatPrompt(List.of(new ChatMessage("user", WARM_UP.repeat(WARM_UP_SENTENCES))));
        int context = model.engine().limits().contextLength();
        int[] fitting = prompt.length < context ? prompt : Arrays.copyOf(prompt, context / 2);
        model.engine()
                .submit(GenerationRequest.of(fitting, WARM_UP_ANSWER).withIgnoreEnd(true))
                .result()
                .join();
    }

    private synchronized void publish(ServedModel opened) {
        if (!running) {
            throw new IllegalStateException("the service was stopped meanwhile");
        }
        served = opened;
        Engine engine = opened.engine();
        Gauge.builder("tsumugi.generator.running", engine, e -> e.status().running())
                .description("requests that are computed")
                .register(meters);
        Gauge.builder("tsumugi.generator.waiting", engine, e -> e.status().waiting())
                .description("requests that wait")
                .register(meters);
        FunctionCounter.builder(
                        "tsumugi.generator.tokens.generated",
                        engine,
                        e -> e.status().generatedTokens())
                .register(meters);
        FunctionCounter.builder(
                        "tsumugi.generator.tokens.guessed",
                        engine,
                        e -> e.status().guessedTokens())
                .description("tokens computed ahead of their turn")
                .register(meters);
        FunctionCounter.builder(
                        "tsumugi.generator.tokens.guessed.right",
                        engine,
                        e -> e.status().rightGuesses())
                .register(meters);
        FunctionCounter.builder(
                        "tsumugi.generator.tokens.computed",
                        engine,
                        e -> e.status().computedTokens())
                .register(meters);
    }

    private String nameOf(Path path) {
        if (!properties.modelName().isBlank()) {
            return properties.modelName();
        }
        Path file = path.getFileName();
        String name = file == null ? path.toString() : file.toString();
        return name.endsWith(".gguf") ? name.substring(0, name.length() - ".gguf".length()) : name;
    }

    @Override
    public synchronized void stop() {
        running = false;
        ServedModel current = served;
        served = null;
        if (current != null) {
            current.engine().close();
            current.model().close();
        }
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    /** Starts before, and ends after, what sends it work: the web server and the consumers. */
    @Override
    public int getPhase() {
        return 0;
    }

    @Override
    public Health health() {
        ServedModel current = served;
        if (current != null) {
            return Health.up()
                    .withDetail("model", current.name())
                    .withDetail("backend", current.model().backend())
                    .build();
        }
        String reason = failure;
        return reason == null
                ? Health.outOfService()
                        .withDetail("reason", "the model is being loaded")
                        .build()
                : Health.down().withDetail("reason", reason).build();
    }
}
