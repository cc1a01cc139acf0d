package dev.tsumugi.generator.adapter;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.contracts.event.AdapterReport;
import dev.tsumugi.generator.model.AdapterNames;
import dev.tsumugi.generator.model.CanaryHealth;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the names of this replica to what is registered. A step that fails leaves a name as it is, says why in the report, and is tried
 * again: a store that was away comes back, and an adapter that was damaged is stored again. For one thread.
 */
final class AdapterSwaps {
    private static final Logger log = LoggerFactory.getLogger(AdapterSwaps.class);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
    /** Until an adapter that is refused is looked at again. */
    private static final Duration REFUSED_PAUSE = Duration.ofMinutes(5);

    private final AdapterNames names;
    private final AdapterStaging staging;
    private final LongSupplier nanos;
    private final Map<AdapterKey, Wanted> wanted = new HashMap<>();

    /** @param nanos a clock, as {@link System#nanoTime} */
    AdapterSwaps(AdapterNames names, AdapterStaging staging, LongSupplier nanos) {
        this.names = names;
        this.staging = staging;
        this.nanos = nanos;
    }

    /** What a name is to stand for, and how far that is. */
    private static final class Wanted {
        private final AdapterRegistration registration;
        private boolean done;
        private int failures;
        private long nextAttempt;
        private @Nullable String refused;
        private @Nullable String error;
        /** Whether time may mend it, without anybody doing anything about the adapter. */
        private boolean outage;
        /** A canary that failed here is not tried again. */
        private boolean canaryFailed;

        Wanted(AdapterRegistration registration, long now) {
            this.registration = registration;
            nextAttempt = now;
        }
    }

    /** Takes note of a registration; null: the name is deleted. An older version than the one that is known changes nothing. */
    void register(AdapterKey key, @Nullable AdapterRegistration registration) {
        if (registration == null) {
            wanted.remove(key);
            names.remove(key);
            return;
        }
        Wanted known = wanted.get(key);
        if (known == null || known.registration.version() < registration.version()) {
            wanted.put(key, new Wanted(registration, nanos.getAsLong()));
        }
    }

    /** Does what is due. Returns whether anything changed that others want to know. */
    boolean run() {
        boolean changed = false;
        for (Map.Entry<AdapterKey, Wanted> entry : wanted.entrySet()) {
            Wanted one = entry.getValue();
            changed |= takeFailedCanary(entry.getKey(), one);
            if (!one.done && nanos.getAsLong() - one.nextAttempt >= 0) {
                attempt(entry.getKey(), one);
                changed = true;
            }
        }
        return changed;
    }

    private void attempt(AdapterKey key, Wanted one) {
        AdapterRegistration registration = one.registration;
        long begin = nanos.getAsLong();
        one.refused = registration.digest();
        try {
            try (AdapterNames.Hold _ = staging.stage(registration.digest(), registration.baseDigest())) {
                names.put(named(key, registration, null));
            }
            AdapterRegistration.Canary canary = registration.canary();
            if (canary != null && !one.canaryFailed) {
                one.refused = canary.digest();
                try (AdapterNames.Hold _ = staging.stage(canary.digest(), canary.baseDigest())) {
                    names.put(named(
                            key,
                            registration,
                            new AdapterNames.Canary(canary.digest(), canary.percent(), new CanaryHealth())));
                }
            }
            one.done = true;
            one.refused = null;
            one.error = null;
            log.info(
                    "The adapter {} is {} (version {}{}), after {} ms",
                    key,
                    registration.digest(),
                    registration.version(),
                    registration.promoted() ? ", promoted" : "",
                    Duration.ofNanos(nanos.getAsLong() - begin).toMillis());
        } catch (AdapterRefusedException e) {
            failed(key, one, e, false);
        } catch (IOException | RuntimeException | Error e) {
            // An adapter for which the memory does not suffice, say, must not end the thread that brings the others.
            failed(key, one, e, true);
        }
    }

    private static AdapterNames.Named named(
            AdapterKey key, AdapterRegistration registration, AdapterNames.@Nullable Canary canary) {
        return new AdapterNames.Named(
                key, registration.version(), registration.digest(), canary, registration.promoted(), registration.at());
    }

    private void failed(AdapterKey key, Wanted one, Throwable e, boolean outage) {
        one.outage = outage;
        one.error = e instanceof AdapterRefusedException || e instanceof IOException
                ? String.valueOf(e.getMessage())
                : e.toString();
        long pause = outage
                ? Math.min(FIRST_PAUSE.toNanos() << Math.min(one.failures, 20), LONGEST_PAUSE.toNanos())
                : REFUSED_PAUSE.toNanos();
        one.failures++;
        one.nextAttempt = nanos.getAsLong() + pause;
        AdapterNames.Named still = names.get(key);
        log.warn(
                "The adapter {} does not become {}, it stays {}; next attempt in {} ms: {}",
                key,
                one.refused,
                still == null ? "unknown" : still.digest(),
                Duration.ofNanos(pause).toMillis(),
                one.error);
    }

    /** A canary with which too many answers broke off answers no more. */
    private boolean takeFailedCanary(AdapterKey key, Wanted one) {
        AdapterNames.Named named = names.get(key);
        AdapterNames.Canary canary = named == null ? null : named.canary();
        if (canary == null || !canary.health().hasFailed()) {
            return false;
        }
        names.dropCanary(key, canary.digest());
        one.canaryFailed = true;
        one.refused = canary.digest();
        one.error = "Taken back as a canary: " + canary.health() + ".";
        log.warn("The canary {} of {} was taken back: {}", canary.digest(), key, canary.health());
        return true;
    }

    /** Whether everything that is registered has been brought here, or cannot be. */
    boolean isSettled() {
        return wanted.values().stream().allMatch(one -> one.done || one.failures > 0 && !one.outage);
    }

    /** How far every name is. */
    List<AdapterReport.Served> report() {
        List<AdapterReport.Served> served = new ArrayList<>();
        wanted.forEach((key, one) -> {
            AdapterNames.Named named = names.get(key);
            AdapterNames.Canary canary = named == null ? null : named.canary();
            served.add(new AdapterReport.Served(
                    key.tenant(),
                    key.name(),
                    one.registration.version(),
                    named == null ? null : named.digest(),
                    canary == null ? null : canary.digest(),
                    one.refused,
                    one.error));
        });
        return served;
    }
}
