package dev.tsumugi.gateway.access;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** The key that opens everything. Only its digest is kept, and comparing takes the same time whatever was given. */
final class AdminKey {
    private static final int MIN_LENGTH = 16;
    private static final long MAX_FILE_BYTES = 4096;

    private final byte[] digest;

    AdminKey(String key) {
        if (key.length() < MIN_LENGTH) {
            throw new IllegalStateException("the admin key must have at least " + MIN_LENGTH + " characters");
        }
        digest = sha256(key);
    }

    /** @throws IllegalStateException saying what to change when {@code file} holds no key */
    static AdminKey read(Path file) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw new IllegalStateException("the admin key file " + file + " is too large to be one");
            }
            return new AdminKey(
                    Files.readString(file).lines().findFirst().orElse("").strip());
        } catch (IOException e) {
            throw new IllegalStateException(
                    "cannot read the admin key file " + file
                            + "; write a secret of at least 16 characters into it, or point TSUMUGI_ADMIN_KEY_FILE at one",
                    e);
        }
    }

    boolean matches(String given) {
        return MessageDigest.isEqual(digest, sha256(given));
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
