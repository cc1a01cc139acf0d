package dev.tsumugi.generator.model;

import dev.tsumugi.engine.adapter.AdapterLimitException;
import dev.tsumugi.engine.adapter.AdapterSlots;
import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.engine.files.ModelFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Names of adapters, each a pointer to the digest that it stands for now. An adapter called {@code x} is the PEFT folder {@code x} below the
 * configured one. Safe for use by many threads.
 */
public final class AdapterNames {
    private static final Logger log = LoggerFactory.getLogger(AdapterNames.class);
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");

    private final AdapterSlots slots;
    private final @Nullable Path folder;
    private final SortedMap<String, LoadedAdapter> adapters = new TreeMap<>();

    /** @param folder of adapter folders; null: there are none */
    AdapterNames(AdapterSlots slots, @Nullable Path folder) {
        this.slots = slots;
        this.folder = folder;
    }

    /** Loads all there are. One that cannot be loaded is logged and left out. */
    void loadAll() {
        if (folder == null || !Files.isDirectory(folder)) {
            return;
        }
        try (Stream<Path> folders = Files.list(folder)) {
            for (Path path : folders.filter(Files::isDirectory).sorted().toList()) {
                String name = String.valueOf(path.getFileName());
                try {
                    load(name);
                } catch (RuntimeException e) {
                    log.warn("The adapter {} is left out: {}", name, e.getMessage());
                }
            }
        } catch (IOException e) {
            log.warn("The folder of adapters {} cannot be listed: {}", folder, e.getMessage());
        }
    }

    /**
     * Loads the folder of this name as it is now, and then lets the name point to it. Requests in flight end on what they began with; when this
     * fails, the name stays where it was.
     *
     * @throws IllegalArgumentException for a name that no folder can have, or when no folder is configured
     * @throws ModelFileException when the folder is missing, or its adapter cannot be used
     * @throws AdapterLimitException when there is no room
     */
    public LoadedAdapter load(String name) {
        if (folder == null) {
            throw new IllegalArgumentException(
                    "No folder of adapters is configured; set tsumugi.generator.adapters (TSUMUGI_ADAPTERS)");
        }
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "An adapter's name has 1 to 128 letters, digits, dots, dashes and underscores");
        }
        LoadedAdapter loaded = slots.load(folder.resolve(name), null);
        synchronized (adapters) {
            LoadedAdapter before = adapters.put(name, loaded);
            if (before != null) {
                unloadIfUnnamed(before.digest());
            }
        }
        log.info("The adapter {} is {}: rank {}, {} bytes", name, loaded.digest(), loaded.rank(), loaded.bytes());
        return loaded;
    }

    /** Forgets a name. Returns whether it was known. */
    public boolean remove(String name) {
        synchronized (adapters) {
            LoadedAdapter removed = adapters.remove(name);
            if (removed != null) {
                unloadIfUnnamed(removed.digest());
            }
            return removed != null;
        }
    }

    private void unloadIfUnnamed(String digest) {
        if (adapters.values().stream().noneMatch(adapter -> adapter.digest().equals(digest))) {
            slots.unload(digest);
        }
    }

    /** What {@code name} stands for, or null. */
    public @Nullable LoadedAdapter find(String name) {
        synchronized (adapters) {
            return adapters.get(name);
        }
    }

    /** All by name. */
    public Map<String, LoadedAdapter> all() {
        synchronized (adapters) {
            return new TreeMap<>(adapters);
        }
    }
}
