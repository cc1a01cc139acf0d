package dev.tsumugi.ingest.blob;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Contents in a folder, each once, in a file named by its SHA-256 ({@code ab/abcd...}). A blob is complete and on the disk when
 * {@link #store} returns; a crash before leaves only a temporary file. Several processes may share the folder.
 */
public final class BlobStore {
    private static final Logger log = LoggerFactory.getLogger(BlobStore.class);
    private static final Pattern HASH = Pattern.compile("[0-9a-f]{64}");
    private static final String TEMPORARY = ".incoming";
    private static final String CONDEMNED = ".condemned";

    private final Path folder;
    private final Clock clock;

    /** Makes the folder if it is not there. */
    public BlobStore(Path folder, Clock clock) throws IOException {
        this.folder = folder.toAbsolutePath();
        this.clock = clock;
        Files.createDirectories(this.folder.resolve(TEMPORARY));
        Files.createDirectories(this.folder.resolve(CONDEMNED));
    }

    /** @param hash SHA-256 in hex */
    public record Blob(String hash, long size) {}

    /**
     * Stores what {@code content} gives, hashing on the way; storing what is there already renews its age.
     *
     * @throws BlobTooLargeException as soon as more than {@code maxBytes} came
     */
    public Blob store(InputStream content, long maxBytes) throws IOException {
        Path temporary = Files.createTempFile(folder.resolve(TEMPORARY), "blob", "");
        try {
            MessageDigest digest = sha256();
            long size = 0;
            try (FileChannel out = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                byte[] buffer = new byte[64 * 1024];
                for (int n = content.read(buffer); n >= 0; n = content.read(buffer)) {
                    size += n;
                    if (size > maxBytes) {
                        throw new BlobTooLargeException(maxBytes);
                    }
                    digest.update(buffer, 0, n);
                    for (ByteBuffer rest = ByteBuffer.wrap(buffer, 0, n); rest.hasRemaining(); ) {
                        out.write(rest);
                    }
                }
                out.force(true);
            }
            String hash = HexFormat.of().formatHex(digest.digest());
            publish(temporary, hash);
            return new Blob(hash, size);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private void publish(Path temporary, String hash) throws IOException {
        Path target = path(hash);
        if (renew(target)) {
            return;
        }
        Path directory = folder(hash);
        Files.createDirectories(directory);
        Files.setLastModifiedTime(temporary, FileTime.from(clock.instant()));
        move(temporary, target);
        sync(directory);
    }

    /** False when there is no such file, or another process has just taken it away. */
    private boolean renew(Path file) throws IOException {
        if (!Files.exists(file)) {
            return false;
        }
        try {
            Files.setLastModifiedTime(file, FileTime.from(clock.instant()));
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

    /** The file of a blob, to be read only; empty when there is none, or {@code hash} is no SHA-256 in hex. */
    public Optional<Path> find(String hash) throws IOException {
        if (!HASH.matcher(hash).matches()) {
            return Optional.empty();
        }
        Path path = path(hash);
        if (!Files.isRegularFile(path)) {
            putBack(hash);
        }
        return Files.isRegularFile(path) ? Optional.of(path) : Optional.empty();
    }

    /**
     * Deletes blobs that are older than {@code grace} and that nothing refers to, and leftovers of interrupted uploads. Whoever shares the
     * folder may store the same content, and write a reference to it down, at any moment in between. So a blob is first set aside, where
     * {@link #find} still finds it and {@link #store} does not take it for stored, and deleted after another {@code grace}, if nothing refers
     * to it then.
     *
     * @param grace time in which a new blob is safe, so that whoever stored it can write the reference down; longer than clocks differ
     * @return how many blobs were deleted
     */
    public int collect(Duration grace, Predicate<String> isReferenced) throws IOException {
        Instant limit = clock.instant().minus(grace);
        int deleted = 0;
        for (Path file : filesUnder(folder.resolve(CONDEMNED))) {
            String hash = file.getFileName().toString();
            if (isOlder(file, limit)) {
                if (isReferenced.test(hash)) {
                    putBack(hash);
                } else if (Files.deleteIfExists(file)) {
                    deleted++;
                }
            }
        }
        for (Path file : filesUnder(folder)) {
            String name = file.getFileName().toString();
            if (!isOlder(file, limit)) {
                continue;
            }
            if (file.startsWith(folder.resolve(TEMPORARY))) {
                Files.deleteIfExists(file);
            } else if (file.equals(folder.resolve(name.substring(0, 2)).resolve(name))
                    && HASH.matcher(name).matches()
                    && !isReferenced.test(name)) {
                setAside(name, limit);
            }
        }
        return deleted;
    }

    private static List<Path> filesUnder(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder, 2)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    private void setAside(String hash, Instant limit) throws IOException {
        Path aside = aside(hash);
        try {
            move(path(hash), aside);
            if (isOlder(aside, limit)) {
                Files.setLastModifiedTime(aside, FileTime.from(clock.instant()));
            } else {
                // Somebody stored it again just before the move.
                putBack(hash);
            }
        } catch (NoSuchFileException e) {
            log.debug("another process has moved blob {}", hash);
        }
    }

    private void putBack(String hash) throws IOException {
        Path aside = aside(hash);
        if (renew(aside)) {
            try {
                Files.createDirectories(folder(hash));
                move(aside, path(hash));
            } catch (NoSuchFileException e) {
                log.debug("another process has moved blob {}", hash);
            }
        }
    }

    private static boolean isOlder(Path file, Instant limit) throws IOException {
        try {
            return Files.getLastModifiedTime(file).toInstant().isBefore(limit);
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private Path path(String hash) {
        return folder(hash).resolve(hash);
    }

    private Path aside(String hash) {
        return folder.resolve(CONDEMNED).resolve(hash);
    }

    private Path folder(String hash) {
        return folder.resolve(hash.substring(0, 2));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }
}
