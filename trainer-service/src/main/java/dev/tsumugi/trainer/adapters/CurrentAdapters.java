package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;
import org.springframework.stereotype.Component;

/** What names stand for now, for those who want to do better. */
@Component
public class CurrentAdapters {
    private final AdapterRegistry registry;
    private final StoredAdapters store;

    CurrentAdapters(AdapterRegistry registry, StoredAdapters store) {
        this.registry = registry;
        this.store = store;
    }

    /**
     * @param baseDigest of the model that it was trained on
     * @param folder as PEFT writes it
     */
    public record Current(String name, String digest, String baseDigest, Path folder) {}

    /** Empty when there is no such name, or its files are gone. */
    public Optional<Current> find(String tenant, String name) {
        AdapterKey key = new AdapterKey(tenant, name);
        return registry.find(key).filter(adapter -> !adapter.deleted()).flatMap(adapter -> {
            Optional<AdapterVersion> version = registry.versions(key).stream()
                    .filter(known -> known.digest().equals(adapter.digest()))
                    .findFirst();
            try {
                return version.isEmpty()
                        ? Optional.empty()
                        : store.find(adapter.digest())
                                .map(folder -> new Current(
                                        name, adapter.digest(), version.get().baseDigest(), folder));
            } catch (IOException e) {
                throw new UncheckedIOException("cannot read the adapter " + adapter.digest(), e);
            }
        });
    }

    /** Name of the tenant's adapter that answers where none is asked for. */
    public Optional<String> promoted(String tenant) {
        return registry.visibleTo(tenant).stream()
                .filter(adapter -> adapter.promoted() && adapter.key().tenant().equals(tenant))
                .map(adapter -> adapter.key().name())
                .findFirst();
    }
}
