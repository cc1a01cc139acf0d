package dev.tsumugi.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;

/** Passwords of one server, made at its first start and kept in a file that only its owner may read: one line each. */
record PostgresPasswords(String superuser, String owner) {
    private static final String FILE = "passwords";

    static PostgresPasswords createIn(Path folder) throws IOException {
        PostgresPasswords passwords = new PostgresPasswords(random(), random());
        Path unfinished = folder.resolve(FILE + ".new");
        Files.deleteIfExists(unfinished);
        Files.createFile(
                unfinished, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(unfinished, List.of(passwords.superuser, passwords.owner));
        Files.move(
                unfinished, folder.resolve(FILE), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return passwords;
    }

    static PostgresPasswords readFrom(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            throw new EmbeddedStartException("The database in " + folder + " has lost its file of passwords, " + file
                    + ". Restore it from a backup, or move the folder away to begin with an empty database.");
        }
        List<String> lines = Files.readAllLines(file);
        if (lines.size() != 2) {
            throw new EmbeddedStartException(file + " is damaged: it should have two lines. Restore it from a backup.");
        }
        return new PostgresPasswords(lines.get(0), lines.get(1));
    }

    private static String random() {
        byte[] bytes = new byte[24];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    @Override
    public String toString() {
        return "PostgresPasswords[hidden]";
    }
}
