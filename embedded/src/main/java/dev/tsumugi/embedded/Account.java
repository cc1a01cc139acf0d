package dev.tsumugi.embedded;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * The operating-system account that PostgreSQL runs under: our own, or {@code nobody} when we are root, because PostgreSQL refuses to run
 * as root.
 *
 * @param prefix words to put before a command so that it runs under this account
 */
record Account(List<String> prefix, int uid, int gid) {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> OWNER_ONLY_FILE = PosixFilePermissions.fromString("rw-------");

    static Account forPostgres() {
        if (number("id", "-u") != 0) {
            return new Account(List.of(), -1, -1);
        }
        int uid = number("id", "-u", "nobody");
        int gid = number("id", "-g", "nobody");
        List<String> prefix = List.of("setpriv", "--reuid=" + uid, "--regid=" + gid, "--clear-groups");
        List<String> probe = new ArrayList<>(prefix);
        probe.add("true");
        if (!succeeds(probe)) {
            throw new EmbeddedStartException(
                    "PostgreSQL does not run as root, and setpriv, which would run it as nobody, is missing"
                            + " or not allowed. Install util-linux, or start Tsumugi as an ordinary user.");
        }
        return new Account(prefix, uid, gid);
    }

    boolean isOther() {
        return !prefix.isEmpty();
    }

    List<String> command(List<String> words) {
        List<String> whole = new ArrayList<>(prefix);
        whole.addAll(words);
        return whole;
    }

    /**
     * True when this account may run {@code program --version}: its folders can be entered and its libraries are there. The shell in between
     * matters: setpriv itself still has root's rights at the moment when it starts its command.
     */
    boolean canRun(Path program) {
        return Files.exists(program)
                && succeeds(command(List.of("sh", "-c", "exec \"$0\" --version", program.toString())));
    }

    /** True when this account may enter {@code folder}. */
    boolean canEnter(Path folder) {
        return succeeds(command(List.of("test", "-x", folder.toString())));
    }

    /** A folder that only this account may look into. */
    void createPrivateFolder(Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, OWNER_ONLY);
        own(folder);
    }

    /** A file that only this account may read. */
    void writePrivateFile(Path file, String content) throws IOException {
        Files.deleteIfExists(file);
        Files.createFile(file, PosixFilePermissions.asFileAttribute(OWNER_ONLY_FILE));
        Files.writeString(file, content);
        own(file);
    }

    private void own(Path path) throws IOException {
        if (isOther()) {
            Files.setAttribute(path, "unix:uid", uid);
            Files.setAttribute(path, "unix:gid", gid);
        }
    }

    private static boolean succeeds(List<String> command) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return process.waitFor(30, TimeUnit.SECONDS) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static int number(String... command) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return Integer.parseInt(answer.strip());
        } catch (IOException | NumberFormatException e) {
            throw new EmbeddedStartException(
                    "Cannot find out by '" + String.join(" ", command) + "' whom to run PostgreSQL as", e);
        }
    }
}
