package dev.tsumugi.embedded;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A folder for one temporary server, removed with everything in it when the server is closed. */
record TemporaryFolder(Path path) implements AutoCloseable {
    /** Other accounts may enter it (PostgreSQL may run as one); what is private in it has a mode of its own. */
    static TemporaryFolder create(String name) {
        try {
            Path path = Files.createTempDirectory("tsumugi-" + name + "-");
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
            return new TemporaryFolder(path);
        } catch (IOException e) {
            throw new EmbeddedStartException(
                    "Cannot create a temporary folder in " + System.getProperty("java.io.tmpdir"), e);
        }
    }

    @Override
    public void close() {
        try {
            delete(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void delete(Path root) throws IOException {
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
