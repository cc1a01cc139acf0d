package dev.tsumugi.generator;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.files.ModelDigest;
import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.kafka.EventPublisher;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the trainer does: stores adapters and registers names for them. Forgets its names when it is closed. */
final class AdapterPublications implements AutoCloseable {
    static final Path MODEL = Path.of("src/test/resources/tiny-llama").toAbsolutePath();
    static final Path R8 = Path.of("src/test/resources/lora/llama-r8");
    static final Path R4 = Path.of("src/test/resources/lora/llama-r4-rslora");
    static final String BASE = ModelDigest.of(MODEL);

    private final Path folder;
    private final AdapterStore store;
    private final EventPublisher events;
    private final Map<AdapterKey, Long> versions = new HashMap<>();

    AdapterPublications(Path folder, EventPublisher events) throws IOException {
        this.folder = folder;
        this.store = new AdapterStore(folder, PeftAdapter::digestOf, Clock.systemUTC());
        this.events = events;
    }

    String store(Path peft) throws IOException {
        return store.put(peft, 1 << 20).digest();
    }

    /** Puts an unsound folder where the adapter of a digest belongs. */
    void plant(Path peft, String digest) throws IOException {
        Path place =
                Files.createDirectories(folder.resolve(digest.substring(0, 2)).resolve(digest));
        for (String file : AdapterStore.FILES) {
            Files.write(place.resolve(file), Files.readAllBytes(peft.resolve(file)));
        }
    }

    AdapterRegistration registration(AdapterKey key, String digest) {
        return new AdapterRegistration(
                AdapterRegistration.SCHEMA_VERSION,
                key.tenant(),
                key.name(),
                versions.merge(key, 1L, Long::sum),
                digest,
                BASE,
                List.of(),
                false,
                null,
                null,
                Map.of(),
                Instant.now());
    }

    long register(AdapterKey key, String digest) {
        return send(key, registration(key, digest));
    }

    long promote(AdapterKey key, String digest) {
        AdapterRegistration r = registration(key, digest);
        return send(
                key,
                new AdapterRegistration(
                        r.schemaVersion(),
                        r.tenant(),
                        r.name(),
                        r.version(),
                        digest,
                        BASE,
                        r.previous(),
                        true,
                        null,
                        null,
                        r.metrics(),
                        r.at()));
    }

    long registerForBase(AdapterKey key, String digest, String base) {
        AdapterRegistration r = registration(key, digest);
        return send(
                key,
                new AdapterRegistration(
                        r.schemaVersion(),
                        r.tenant(),
                        r.name(),
                        r.version(),
                        digest,
                        base,
                        r.previous(),
                        false,
                        null,
                        null,
                        r.metrics(),
                        r.at()));
    }

    long registerWithCanary(AdapterKey key, String digest, String canary, int percent) {
        AdapterRegistration r = registration(key, digest);
        return send(
                key,
                new AdapterRegistration(
                        r.schemaVersion(),
                        r.tenant(),
                        r.name(),
                        r.version(),
                        digest,
                        BASE,
                        r.previous(),
                        false,
                        new AdapterRegistration.Canary(canary, BASE, percent),
                        null,
                        r.metrics(),
                        r.at()));
    }

    private long send(AdapterKey key, AdapterRegistration registration) {
        events.sendSigned(Topics.ADAPTER_REGISTRY, key.toString(), registration);
        return registration.version();
    }

    void delete(AdapterKey key) {
        events.sendSigned(Topics.ADAPTER_REGISTRY, key.toString(), null);
    }

    @Override
    public void close() {
        versions.keySet().forEach(this::delete);
    }

    /** A copy of R8 whose values all have this one, as 32-bit floats. */
    static Path withValues(Path target, float value) throws IOException {
        Files.createDirectories(target);
        Files.write(target.resolve("adapter_config.json"), Files.readAllBytes(R8.resolve("adapter_config.json")));
        byte[] weights = Files.readAllBytes(R8.resolve("adapter_model.safetensors"));
        ByteBuffer buffer = ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN);
        int header = (int) buffer.getLong(0);
        if (!new String(weights, 8, header, StandardCharsets.UTF_8).contains("\"F32\"")) {
            throw new IllegalStateException("the golden adapter is not of 32-bit floats");
        }
        for (int at = 8 + header; at < weights.length; at += 4) {
            buffer.putFloat(at, value);
        }
        Files.write(target.resolve("adapter_model.safetensors"), weights);
        return target;
    }
}
