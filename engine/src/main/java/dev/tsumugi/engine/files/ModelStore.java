package dev.tsumugi.engine.files;

import dev.tsumugi.engine.model.ModelFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Finds models by reference, and fetches what is not there:
 *
 * <ul>
 *   <li>a GGUF file or a model folder on this machine;
 *   <li>a name of the catalogue ({@value #DEFAULT_MODEL});
 *   <li>a repository of the Hugging Face hub, {@code owner/name}, {@code owner/name@revision}, or {@code owner/name:file.gguf}.
 * </ul>
 */
public final class ModelStore {
    /** The small model that {@code ./tsumugi up} unpacks. */
    public static final String DEFAULT_MODEL = "smollm2-135m-instruct";

    /** Models that come with the platform, and where in the cache they are unpacked. */
    private static final Map<String, String> CATALOGUE =
            Map.of(DEFAULT_MODEL, "models/SmolLM2-135M-Instruct-Q4_1.gguf");

    private static final URI HUB = URI.create("https://huggingface.co");

    private final Path cache;
    private final HubClient hub;
    private final DownloadListener listener;

    ModelStore(Path cache, HubClient hub, DownloadListener listener) {
        this.cache = cache;
        this.hub = hub;
        this.listener = listener;
    }

    /** Hears how far a download has come, a few times a second, from the thread that fetches. */
    @FunctionalInterface
    public interface DownloadListener {
        void progressed(String file, long doneBytes, long totalBytes);
    }

    /**
     * The store in {@code TSUMUGI_CACHE} (default: the user's cache folder), on the hub that {@code HF_ENDPOINT} names, with {@code HF_TOKEN} for
     * repositories that ask for one.
     */
    public static ModelStore ofEnvironment(DownloadListener listener) {
        return new ModelStore(
                defaultCache(System::getenv),
                new HubClient(
                        URI.create(setting(System::getenv, "HF_ENDPOINT", HUB.toString())),
                        setting(System::getenv, "HF_TOKEN", ""),
                        Duration.ofSeconds(2)),
                listener);
    }

    static Path defaultCache(UnaryOperator<@Nullable String> environment) {
        String own = setting(environment, "TSUMUGI_CACHE", "");
        if (!own.isEmpty()) {
            return Path.of(own);
        }
        String base = setting(environment, "XDG_CACHE_HOME", "");
        return (base.isEmpty() ? Path.of(System.getProperty("user.home", "."), ".cache") : Path.of(base))
                .resolve("tsumugi");
    }

    private static String setting(UnaryOperator<@Nullable String> environment, String name, String fallback) {
        @Nullable String value = environment.apply(name);
        return value == null || value.isBlank() ? fallback : value.strip();
    }

    /**
     * The GGUF file or folder that {@code reference} means, fetched first where it is on the hub only.
     *
     * @throws ModelFileException when there is no such model, or it cannot be fetched; says what to do
     */
    public Path locate(String reference) {
        String wanted = reference.strip();
        if (wanted.isEmpty()) {
            throw new ModelFileException(
                    cache, "no model is named", "Set TSUMUGI_MODEL to a path, a name or a repository");
        }
        @Nullable String inCache = CATALOGUE.get(wanted);
        if (inCache != null) {
            Path file = cache.resolve(inCache);
            if (Files.isRegularFile(file)) {
                return file;
            }
            throw new ModelFileException(
                    file,
                    "the model '" + wanted + "' is not unpacked yet",
                    "Run './tsumugi up' once, or name a model file");
        }
        Path local = wanted.startsWith("~/")
                ? Path.of(System.getProperty("user.home", ".")).resolve(wanted.substring(2))
                : Path.of(wanted);
        if (Files.exists(local)) {
            return local;
        }
        @Nullable HubReference repository = HubReference.parse(wanted);
        if (repository == null) {
            throw new ModelFileException(
                    local,
                    "there is no such file or folder, and it is no name of the catalogue ("
                            + String.join(", ", CATALOGUE.keySet()) + ") nor a repository id (owner/name)",
                    "Check the reference");
        }
        return new HubDownload(hub, cache.resolve("models").resolve("hub"), listener).fetch(repository);
    }

    /** Where packed weights are kept between starts; may be missing, and may be deleted at any time. */
    public Path packedFolder() {
        return cache.resolve("packed");
    }

    /** {@link #locate}, then {@link #openPath}. */
    public ModelFiles open(String reference) {
        return openPath(locate(reference));
    }

    /**
     * Opens a GGUF file, a folder with {@code config.json} and safetensors, or a folder with one GGUF file.
     *
     * @throws ModelFileException when it is none of these, or unsound
     */
    public static ModelFiles openPath(Path path) {
        if (!Files.isDirectory(path)) {
            return GgufModelFiles.open(path);
        }
        if (Files.exists(path.resolve(SafetensorsModelFiles.CONFIG))) {
            return SafetensorsModelFiles.open(path);
        }
        List<Path> files;
        try (Stream<Path> listed = Files.list(path)) {
            files = listed.filter(p -> p.toString().endsWith(".gguf")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (files.size() == 1) {
            return GgufModelFiles.open(files.getFirst());
        }
        throw new ModelFileException(
                path,
                files.isEmpty()
                        ? "has neither config.json nor a GGUF file"
                        : "has " + files.size() + " GGUF files and no config.json",
                "Name a folder with one model, or a GGUF file");
    }
}
