package dev.tsumugi.platform.adapters;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * PEFT folders below one folder, each once, named by the digest of what it holds ({@code ab/abcd.../}). An adapter is complete and on the
 * disk when {@link #put} returns; a crash before leaves only a temporary folder. Several processes may share the store, on one machine or
 * over a file system whose renames are atomic.
 */
public final class AdapterStore {
    /** What an adapter consists of; nothing else is stored. */
    public static final List<String> FILES = List.of("adapter_config.json", "adapter_model.safetensors");

    private static final Logger log = LoggerFactory.getLogger(AdapterStore.class);
    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");
    private static final String TEMPORARY = ".incoming";
    private static final String CONDEMNED = ".condemned";

    private final Path folder;
    private final Function<Path, String> digestOf;
    private final Clock clock;

    /**
     * Makes the folder if it is not there.
     *
     * @param digestOf the digest of a PEFT folder, 64 lower-case hexadecimal digits; throws an unchecked exception when the folder is unsound
     */
    public AdapterStore(Path folder, Function<Path, String> digestOf, Clock clock) throws IOException {
        this.folder = folder.toAbsolutePath();
        this.digestOf = digestOf;
        this.clock = clock;
        Files.createDirectories(this.folder.resolve(TEMPORARY));
        Files.createDirectories(this.folder.resolve(CONDEMNED));
    }

    /** @param bytes of all its files */
    public record Stored(String digest, Path folder, long bytes) {}

    /**
     * Copies the adapter of a PEFT folder. Storing what is there already renews its age, and replaces it if it has been damaged.
     *
     * @throws AdapterTooLargeException when it has more than {@code maxBytes}
     * @throws RuntimeException of the digest when the folder is unsound; nothing is stored then
     */
    public Stored put(Path source, long maxBytes) throws IOException {
        Path temporary = Files.createTempDirectory(folder.resolve(TEMPORARY), "adapter");
        try {
            long bytes = 0;
            for (String file : FILES) {
                bytes += copy(source.resolve(file), temporary.resolve(file), maxBytes - bytes, maxBytes);
            }
            sync(temporary);
            String digest = digestOf.apply(temporary);
            publish(temporary, digest);
            return new Stored(digest, path(digest), bytes);
        } finally {
            delete(temporary);
        }
    }

    private static long copy(Path from, Path to, long room, long maxBytes) throws IOException {
        if (!Files.isRegularFile(from, LinkOption.NOFOLLOW_LINKS)) {
            throw new NoSuchFileException(from.toString(), null, "a PEFT folder holds " + String.join(" and ", FILES));
        }
        try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
                FileChannel out = FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            long size = in.size();
            if (size > room) {
                throw new AdapterTooLargeException(maxBytes);
            }
            for (long at = 0; at < size; ) {
                long n = in.transferTo(at, size - at, out);
                if (n <= 0) {
                    throw new IOException(from + " became shorter while it was read");
                }
                at += n;
            }
            out.force(true);
            return size;
        }
    }

    private void publish(Path temporary, String digest) throws IOException {
        if (!DIGEST.matcher(digest).matches()) {
            throw new IllegalStateException("no digest: " + digest);
        }
        Path target = path(digest);
        putBack(digest);
        if (Files.isDirectory(target)) {
            if (isSound(target, digest) && renew(target)) {
                return;
            }
            log.warn("The stored adapter {} was damaged and is replaced", digest);
            setAside(
                    target,
                    Files.createTempDirectory(folder.resolve(TEMPORARY), "damaged")
                            .resolve(digest));
        }
        Path parent = Objects.requireNonNull(target.getParent());
        Files.createDirectories(parent);
        Files.setLastModifiedTime(temporary, FileTime.from(clock.instant()));
        try {
            move(temporary, target);
        } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
            // Another process has just stored the same.
            renew(target);
        }
        sync(parent);
    }

    private boolean isSound(Path adapter, String digest) {
        try {
            return digestOf.apply(adapter).equals(digest);
        } catch (RuntimeException e) {
            log.debug("cannot read {}", adapter, e);
            return false;
        }
    }

    /**
     * The PEFT folder of an adapter, to be read only, or empty when there is none, or {@code digest} is no digest. Whoever reads it holds it
     * against the digest: disks fail.
     */
    public Optional<Path> find(String digest) throws IOException {
        if (!DIGEST.matcher(digest).matches()) {
            return Optional.empty();
        }
        Path path = path(digest);
        if (!Files.isDirectory(path)) {
            putBack(digest);
        }
        return Files.isDirectory(path) ? Optional.of(path) : Optional.empty();
    }

    /**
     * Deletes adapters that are older than {@code grace} and that nothing refers to, and leftovers of interrupted writes. Somebody may store
     * the same adapter, and write a reference to it down, at any moment in between. So an adapter is first set aside, where {@link #find} and
     * {@link #put} still find it, and deleted after another {@code grace}, if nothing refers to it then.
     *
     * @param grace time in which a new adapter is safe, so that whoever stored it can write the reference down; longer than clocks differ
     * @return how many adapters were deleted
     */
    public int collect(Duration grace, Predicate<String> isReferenced) throws IOException {
        Instant limit = clock.instant().minus(grace);
        int deleted = 0;
        for (Path aside : foldersIn(folder.resolve(CONDEMNED))) {
            String digest = aside.getFileName().toString();
            if (isReferenced.test(digest)) {
                putBack(digest);
            } else if (isOlder(aside, limit)) {
                delete(aside);
                deleted++;
            }
        }
        for (Path leftover : foldersIn(folder.resolve(TEMPORARY))) {
            if (isOlder(leftover, limit)) {
                delete(leftover);
            }
        }
        for (Path group : foldersIn(folder)) {
            for (Path adapter : foldersIn(group)) {
                String digest = adapter.getFileName().toString();
                if (DIGEST.matcher(digest).matches() && isOlder(adapter, limit) && !isReferenced.test(digest)) {
                    Path aside = aside(digest);
                    setAside(adapter, aside);
                    renew(aside);
                }
            }
        }
        return deleted;
    }

    /** Of all adapters that are here now, but for those set aside. */
    public List<String> digests() throws IOException {
        List<String> digests = new ArrayList<>();
        for (Path group : foldersIn(folder)) {
            for (Path adapter : foldersIn(group)) {
                String digest = adapter.getFileName().toString();
                if (DIGEST.matcher(digest).matches()) {
                    digests.add(digest);
                }
            }
        }
        return digests;
    }

    private static List<Path> foldersIn(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(Files::isDirectory).toList();
        }
    }

    private void setAside(Path adapter, Path to) throws IOException {
        try {
            move(adapter, to);
        } catch (NoSuchFileException e) {
            log.debug("another process has moved {}", adapter);
        } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
            delete(adapter);
        }
    }

    private void putBack(String digest) throws IOException {
        Path aside = aside(digest);
        if (!Files.isDirectory(aside)) {
            return;
        }
        try {
            Files.createDirectories(path(digest).getParent());
            move(aside, path(digest));
            renew(path(digest));
        } catch (NoSuchFileException | FileAlreadyExistsException | DirectoryNotEmptyException e) {
            log.debug("another process has moved or stored {}", digest);
        }
    }

    private boolean renew(Path adapter) throws IOException {
        try {
            Files.setLastModifiedTime(adapter, FileTime.from(clock.instant()));
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IOException("the file system of " + folder + " cannot rename atomically; use a local one", e);
        }
    }

    /** The rename itself must survive a power failure; where a folder cannot be synced (Windows), the system does it by itself. */
    private static void sync(Path directory) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            log.debug("cannot sync {}", directory, e);
        }
    }

    private static boolean isOlder(Path file, Instant limit) throws IOException {
        try {
            return Files.getLastModifiedTime(file).toInstant().isBefore(limit);
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static void delete(Path adapter) throws IOException {
        if (!Files.exists(adapter, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        List<Path> files;
        try (Stream<Path> all = Files.walk(adapter)) {
            files = all.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
    }

    private Path path(String digest) {
        return folder.resolve(digest.substring(0, 2)).resolve(digest);
    }

    private Path aside(String digest) {
        return folder.resolve(CONDEMNED).resolve(digest);
    }
}
