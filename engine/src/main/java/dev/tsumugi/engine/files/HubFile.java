package dev.tsumugi.engine.files;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * One file as the hub lists it.
 *
 * @param size in bytes; negative where the hub does not say
 * @param sha256 lower-case hexadecimal; empty where the hub does not say (small files)
 */
record HubFile(String name, long size, String sha256) {

    /** Deletes {@code received} and throws when it is not this file. */
    void verify(Path received) throws IOException {
        long bytes = Files.size(received);
        if (size >= 0 && bytes != size) {
            Files.delete(received);
            throw new ModelFileException(
                    received, "has " + bytes + " bytes where the hub announced " + size, "Start the download again");
        }
        if (!sha256.isEmpty() && !sha256.equals(digest(received))) {
            Files.delete(received);
            throw new ModelFileException(
                    received, "its SHA-256 is not the one that the hub announced", "Start the download again");
        }
    }

    private static String digest(Path file) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
