package dev.tsumugi.engine.files;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * Which model it is, by its content: what an adapter was trained on, and may be used with. SHA-256 in lower-case hexadecimal; of a GGUF file,
 * over the file; of a folder, over {@code config.json} and all {@code *.safetensors} (or its one GGUF file) in ascending order of their names,
 * of each its name, a line feed, its SHA-256 in hexadecimal, and a line feed.
 */
public final class ModelDigest {
    private static final int BUFFER = 1 << 20;

    private ModelDigest() {}

    /**
     * Reads the whole model.
     *
     * @param path GGUF file or model folder, as {@link ModelStore#locate} gives it
     * @throws ModelFileException when there is nothing to read
     */
    public static String of(Path path) {
        try {
            if (!Files.isDirectory(path)) {
                return HexFormat.of().formatHex(contentOf(path));
            }
            MessageDigest all = sha256();
            List<Path> files;
            try (Stream<Path> listed = Files.list(path)) {
                files = listed.filter(ModelDigest::counts).sorted().toList();
            }
            if (files.isEmpty()) {
                throw new ModelFileException(path, "holds no model", "Name a GGUF file or a model folder");
            }
            for (Path file : files) {
                String line = file.getFileName() + "\n" + HexFormat.of().formatHex(contentOf(file)) + "\n";
                all.update(line.getBytes(StandardCharsets.UTF_8));
            }
            return HexFormat.of().formatHex(all.digest());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the model " + path, e);
        }
    }

    private static boolean counts(Path file) {
        String name = String.valueOf(file.getFileName());
        return name.equals(SafetensorsModelFiles.CONFIG) || name.endsWith(".safetensors") || name.endsWith(".gguf");
    }

    private static byte[] contentOf(Path file) throws IOException {
        MessageDigest digest = sha256();
        byte[] buffer = new byte[BUFFER];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
        }
        return digest.digest();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
