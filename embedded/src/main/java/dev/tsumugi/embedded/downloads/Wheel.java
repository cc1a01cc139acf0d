package dev.tsumugi.embedded.downloads;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A wheel file: a zip whose entries carry Unix modes. */
final class Wheel {
    private static final Set<PosixFilePermission> FOLDER_OR_PROGRAM = PosixFilePermissions.fromString("rwxr-xr-x");
    private static final Set<PosixFilePermission> PLAIN_FILE = PosixFilePermissions.fromString("rw-r--r--");

    private Wheel() {}

    static String sha256(Path file) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
                in.transferTo(java.io.OutputStream.nullOutputStream());
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /**
     * Unpacks what {@code placement} keeps. Modes are set explicitly, whatever the umask: PostgreSQL may have to run as another user than
     * the one who unpacks.
     *
     * @throws DownloadException when an entry would land outside {@code folder}
     */
    static void unpack(Path wheel, Artifact.Placement placement, Path folder) throws IOException {
        createFolder(folder);
        try (FileSystem zip = FileSystems.newFileSystem(wheel, Map.of("enablePosixFileAttributes", "true"))) {
            Path root = zip.getPath("/");
            List<Path> entries;
            try (Stream<Path> walk = Files.walk(root)) {
                entries = walk.filter(Files::isRegularFile).toList();
            }
            for (Path entry : entries) {
                String relative = placement.place(root.relativize(entry).toString());
                if (relative != null) {
                    unpack(entry, folder, relative);
                }
            }
        }
    }

    private static void unpack(Path entry, Path folder, String relative) throws IOException {
        Path file = folder.resolve(relative).normalize();
        if (!file.startsWith(folder) || file.equals(folder)) {
            throw new DownloadException("The wheel wants to write outside its folder: " + relative);
        }
        createFolder(file.getParent());
        Files.copy(entry, file);
        boolean program = Files.getPosixFilePermissions(entry).contains(PosixFilePermission.OWNER_EXECUTE);
        Files.setPosixFilePermissions(file, program ? FOLDER_OR_PROGRAM : PLAIN_FILE);
    }

    private static void createFolder(@Nullable Path folder) throws IOException {
        if (folder != null && !Files.isDirectory(folder)) {
            createFolder(folder.getParent());
            Files.createDirectory(folder);
            Files.setPosixFilePermissions(folder, FOLDER_OR_PROGRAM);
        }
    }
}
