package dev.tsumugi.launcher.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/** {@code TSUMUGI_HOME}: everything that must survive a restart. */
public record StateFolder(Path path) {
    private static final int KEY_BYTES = 24;

    /** The folder that {@code TSUMUGI_HOME} names, or the default of this account. */
    public static StateFolder fromEnvironment() {
        return fromEnvironment(
                System.getenv(), System.getProperty("user.name", ""), System.getProperty("user.home", "."));
    }

    static StateFolder fromEnvironment(Map<String, String> environment, String user, String userHome) {
        String own = environment.getOrDefault("TSUMUGI_HOME", "");
        if (!own.isBlank()) {
            return new StateFolder(Path.of(own).toAbsolutePath().normalize());
        }
        if (user.equals("root")) {
            // PostgreSQL then runs as nobody, who cannot enter root's home.
            return new StateFolder(Path.of("/var/lib/tsumugi"));
        }
        String data = environment.getOrDefault("XDG_DATA_HOME", "");
        Path base = data.isBlank() ? Path.of(userHome, ".local", "share") : Path.of(data);
        return new StateFolder(base.resolve("tsumugi").toAbsolutePath().normalize());
    }

    /** Makes what is missing. Root's folder can be entered by others, because PostgreSQL runs as another account; its secrets cannot be read. */
    public void create() {
        try {
            boolean fresh = !Files.exists(path);
            Files.createDirectories(path);
            if (fresh) {
                boolean root = Files.getOwner(path).getName().equals("root");
                setMode(path, root ? "rwxr-xr-x" : "rwx------");
            }
            for (Path folder : new Path[] {logs(), run(), blobs(), adapters(), training(), kafka()}) {
                if (!Files.exists(folder)) {
                    Files.createDirectories(folder);
                    setMode(folder, "rwx------");
                }
            }
        } catch (IOException e) {
            throw new LaunchException(
                    "Cannot write to the state folder " + path + " (" + e
                            + "). Give this account the right to write there, or set TSUMUGI_HOME to another folder.",
                    e);
        }
    }

    public Path logs() {
        return path.resolve("logs");
    }

    public Path run() {
        return path.resolve("run");
    }

    public Path blobs() {
        return path.resolve("blobs");
    }

    public Path adapters() {
        return path.resolve("adapters");
    }

    /** Checkpoints of training. */
    public Path training() {
        return path.resolve("training");
    }

    public Path kafka() {
        return path.resolve("kafka");
    }

    public Path postgres() {
        return path.resolve("postgres");
    }

    public Path adminKeyFile() {
        return path.resolve("admin.key");
    }

    /** The key that opens the REST API, if this folder has one that we may read. */
    public Optional<String> adminKey() {
        try {
            return Files.readString(adminKeyFile())
                    .lines()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty())
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /**
     * Writes a new key, unless there is one.
     *
     * @return true when the key is new
     */
    boolean createAdminKey() {
        if (Files.exists(adminKeyFile())) {
            return false;
        }
        writeSecret(adminKeyFile(), "tsu_" + newSecret());
        return true;
    }

    /** Of a start that did not get ready: the next one makes another, and shows it. */
    void withdrawAdminKey() {
        try {
            Files.deleteIfExists(adminKeyFile());
        } catch (IOException e) {
            throw new LaunchException("Cannot remove " + adminKeyFile() + ": " + e, e);
        }
    }

    /** What the services tell each other's calls and records by: the same at every start, for records outlive one. */
    String internalToken() {
        Path file = path.resolve("internal.token");
        if (!Files.exists(file)) {
            writeSecret(file, newSecret());
        }
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new LaunchException("Cannot read " + file + ": " + e, e);
        }
    }

    private static String newSecret() {
        byte[] random = new byte[KEY_BYTES];
        new SecureRandom().nextBytes(random);
        return HexFormat.of().formatHex(random);
    }

    /** Whole or not at all, and for its owner only. */
    private static void writeSecret(Path file, String secret) {
        try {
            Path unfinished = file.resolveSibling(file.getFileName() + ".new");
            Files.deleteIfExists(unfinished);
            Files.createFile(
                    unfinished, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(unfinished, secret + "\n");
            Files.move(unfinished, file);
        } catch (IOException e) {
            throw new LaunchException("Cannot write a secret to " + file + ": " + e, e);
        }
    }

    private static void setMode(Path folder, String mode) throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(mode));
    }
}
