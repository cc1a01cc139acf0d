package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.adapters.AdapterTooLargeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * Publishes adapters: into the store, into PostgreSQL, and from there to all generators. A crash in between leaves the name as it was, or as
 * it is to be; publishing the same again changes nothing.
 */
@Component
public class AdapterPublisher {
    private static final int MAX_METRICS = 32_000;
    private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};

    private final StoredAdapters store;
    private final AdapterRegistry registry;
    private final AdapterOutbox outbox;
    private final GeneratorChecks generator;
    private final JsonMapper json;
    private final Clock clock = Clock.systemUTC();

    AdapterPublisher(
            StoredAdapters store,
            AdapterRegistry registry,
            AdapterOutbox outbox,
            GeneratorChecks generator,
            JsonMapper json) {
        this.store = store;
        this.registry = registry;
        this.outbox = outbox;
        this.generator = generator;
        this.json = json;
    }

    /**
     * Stores the adapter of a PEFT folder and lets {@code name} stand for it, for all its requests. It answers where its name is asked for,
     * and where none is, if the name is {@link #promote promoted}.
     *
     * @param tenant empty: serves all tenants; only for what no tenant's documents went into
     * @param baseDigest of the model that it was trained on, {@link dev.tsumugi.engine.files.ModelDigest}
     * @param metrics a JSON object: what its training and evaluation measured
     * @param jobId of the training job that made it, or null
     * @throws IllegalArgumentException for a name, digest or metrics that cannot be
     * @throws ModelFileException when the folder holds no sound LoRA adapter
     * @throws AdapterTooLargeException when it has more bytes than an adapter may have
     * @throws UncheckedIOException when the store cannot be written
     */
    public PublishedAdapter publish(
            String tenant, String name, Path folder, String baseDigest, String metrics, @Nullable String jobId) {
        return publish(new AdapterKey(tenant, name), folder, baseDigest, metrics, jobId, 0);
    }

    /**
     * As {@link #publish}, but for a part of the requests; the others go on as before until {@link #promote} or a rollback. A name that is new
     * has no others.
     *
     * @param percent of the requests for this name, 1 to 100
     */
    public PublishedAdapter publishCanary(
            String tenant,
            String name,
            Path folder,
            String baseDigest,
            String metrics,
            @Nullable String jobId,
            int percent) {
        if (percent < 1 || percent > 100) {
            throw new IllegalArgumentException("a canary answers 1 to 100 percent, not " + percent);
        }
        return publish(new AdapterKey(tenant, name), folder, baseDigest, metrics, jobId, percent);
    }

    private PublishedAdapter publish(
            AdapterKey key, Path folder, String baseDigest, String metrics, @Nullable String jobId, int percent) {
        if (!baseDigest.matches("[0-9a-f]{64}")) {
            throw new IllegalArgumentException("the digest of the base model must be 64 hexadecimal digits");
        }
        Map<String, Object> measured = metrics(metrics);
        return publish(key, store(folder), baseDigest, measured, jobId, percent);
    }

    private AdapterStore.Stored store(Path folder) {
        try {
            return store.put(folder);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot store the adapter " + folder, e);
        }
    }

    private PublishedAdapter publish(
            AdapterKey key,
            AdapterStore.Stored stored,
            String baseDigest,
            Map<String, Object> metrics,
            @Nullable String jobId,
            int percent) {
        AdapterVersion version =
                new AdapterVersion(stored.digest(), baseDigest, stored.bytes(), jobId, metrics, clock.instant());
        NamedAdapter named = registry.publish(key, version, percent);
        outbox.wake();
        return published(named, stored.digest());
    }

    private static PublishedAdapter published(NamedAdapter named, String digest) {
        return new PublishedAdapter(named.key().tenant(), named.key().name(), digest, named.version());
    }

    /**
     * Publishes what somebody else trained, for the model that is served, if a generator finds that this model can use it.
     *
     * @param percent 0: for all requests; else as {@link #publishCanary}
     * @throws dev.tsumugi.platform.web.ProblemException with the reason when it cannot be used
     */
    PublishedAdapter importFolder(AdapterKey key, Path folder, int percent) {
        AdapterStore.Stored stored = store(folder);
        String baseDigest = generator.check(stored.digest()).baseDigest();
        return publish(key, stored, baseDigest, Map.of(), null, percent);
    }

    /**
     * Whether anything was done with a name since it was first published, so that it is no longer as {@link #publish} leaves a new one; also when
     * it was deleted.
     */
    public boolean wasChanged(String tenant, String name) {
        return registry.find(new AdapterKey(tenant, name))
                .filter(adapter -> adapter.version() > NamedAdapter.FIRST)
                .isPresent();
    }

    private Map<String, Object> metrics(String text) {
        if (text.length() > MAX_METRICS) {
            throw new IllegalArgumentException("the metrics have more than " + MAX_METRICS + " characters");
        }
        try {
            return json.readValue(text, OBJECT);
        } catch (JacksonException e) {
            throw new IllegalArgumentException("the metrics are no JSON object: " + e.getOriginalMessage(), e);
        }
    }

    /**
     * Makes the name the one that answers where none is asked for, in place of the one that was; a canary of it becomes what it stands for.
     *
     * @throws UnknownAdapterNameException when there is no such name
     */
    public PublishedAdapter promote(String tenant, String name) {
        return promote(new AdapterKey(tenant, name), adapter -> {
            NamedAdapter.Canary canary = adapter.canary();
            return canary == null ? adapter : adapter.pointedTo(canary.digest(), "promoted", clock.instant());
        });
    }

    /** Lets the name stand for one of its versions, and answer where none is named. */
    PublishedAdapter promote(AdapterKey key, String digest) {
        return promote(key, adapter -> adapter.pointedTo(digest, "promoted", clock.instant()));
    }

    private PublishedAdapter promote(AdapterKey key, UnaryOperator<NamedAdapter> change) {
        NamedAdapter promoted = registry.promote(key, change).orElseThrow(() -> new UnknownAdapterNameException(key));
        outbox.wake();
        return published(promoted, promoted.digest());
    }

    /** Has one of its versions answer a part of the requests for a name. */
    void startCanary(AdapterKey key, String digest, int percent) {
        change(
                key,
                adapter -> adapter.digest().equals(digest)
                        ? adapter
                        : adapter.withCanary(digest, percent, clock.instant()));
    }

    /**
     * Takes the canary from a name; where there is none, lets it stand for what it stood for before; where there is nothing before, has it no
     * longer answer where none is named. For all replicas.
     *
     * @return false: there is nothing to roll back
     */
    boolean rollBack(AdapterKey key) {
        AtomicBoolean changed = new AtomicBoolean();
        change(key, adapter -> {
            NamedAdapter before = adapter.rolledBack("rolled back", clock.instant());
            if (before == null && adapter.promoted()) {
                before = adapter.withPromoted(false, "rolled back to the bare model", clock.instant());
            }
            changed.set(before != null);
            return before;
        });
        return changed.get();
    }

    void delete(AdapterKey key) {
        change(key, adapter -> adapter.withDeletion(clock.instant()));
    }

    private void change(AdapterKey key, Function<NamedAdapter, @Nullable NamedAdapter> change) {
        if (registry.change(key, change).isEmpty()) {
            throw new UnknownAdapterNameException(key);
        }
        outbox.wake();
    }
}
