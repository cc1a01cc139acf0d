package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import org.springframework.stereotype.Component;

/**
 * Copies what changed in PostgreSQL to {@code adapter-registry}: at once after a change of this process, and now and then, for changes whose
 * process ended before. At the start everything is copied once more, because the topic, or the token that signs, may be new.
 */
@Component
class AdapterOutbox implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(AdapterOutbox.class);
    private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(5);

    private final AdapterRegistry registry;
    private final EventPublisher events;
    private final Semaphore changes = new Semaphore(0);
    private volatile @Nullable Thread thread;

    AdapterOutbox(AdapterRegistry registry, EventPublisher events) {
        this.registry = registry;
        this.events = events;
    }

    /** Has what changed copied, soon. */
    void wake() {
        changes.release();
    }

    @Override
    public void start() {
        // Started when the field is set, which it reads.
        Thread copying = Thread.ofPlatform().name("adapter-outbox").daemon().unstarted(this::run);
        thread = copying;
        copying.start();
    }

    private void run() {
        boolean all = false;
        while (!Thread.currentThread().isInterrupted()) {
            try {
                if (!all) {
                    registry.markAllUnpublished();
                    all = true;
                }
                copyAll();
                changes.tryAcquire(BETWEEN_LOOKS.toMillis(), TimeUnit.MILLISECONDS);
                changes.drainPermits();
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException e) {
                if (thread == null) {
                    return;
                }
                log.warn("Adapters could not be copied to {}; tried again: {}", Topics.ADAPTER_REGISTRY, e.toString());
                pause();
            }
        }
    }

    private void pause() {
        try {
            Thread.sleep(BETWEEN_LOOKS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    void copyAll() {
        RuntimeException failure = null;
        for (AdapterKey key : registry.unpublished()) {
            try {
                registry.copy(key, this::send);
            } catch (RuntimeException e) {
                // One name must not keep those of others from being copied.
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void send(NamedAdapter adapter, Map<String, AdapterVersion> versions) {
        events.sendSigned(
                Topics.ADAPTER_REGISTRY,
                adapter.key().toString(),
                adapter.deleted() ? null : registration(adapter, versions));
    }

    private static AdapterRegistration registration(NamedAdapter adapter, Map<String, AdapterVersion> versions) {
        AdapterVersion current = known(adapter.digest(), versions);
        NamedAdapter.Canary canary = adapter.canary();
        return new AdapterRegistration(
                AdapterRegistration.SCHEMA_VERSION,
                adapter.key().tenant(),
                adapter.key().name(),
                adapter.version(),
                adapter.digest(),
                current.baseDigest(),
                adapter.previous(),
                adapter.promoted(),
                canary == null
                        ? null
                        : new AdapterRegistration.Canary(
                                canary.digest(),
                                known(canary.digest(), versions).baseDigest(),
                                canary.percent()),
                current.jobId(),
                current.metrics(),
                adapter.changedAt());
    }

    private static AdapterVersion known(String digest, Map<String, AdapterVersion> versions) {
        AdapterVersion version = versions.get(digest);
        if (version == null) {
            throw new IllegalStateException("nothing is known of the adapter " + digest);
        }
        return version;
    }

    @Override
    public void stop() {
        Thread running = thread;
        thread = null;
        if (running != null) {
            running.interrupt();
        }
    }

    @Override
    public boolean isRunning() {
        return thread != null;
    }
}
