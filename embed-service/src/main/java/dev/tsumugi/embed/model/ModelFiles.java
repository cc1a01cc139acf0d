package dev.tsumugi.embed.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * An embedding model on disk: one ONNX file and its {@code tokenizer.json}.
 *
 * @param name shown to users: the folder's name, or that of the bundled model
 */
public record ModelFiles(String name, Path onnx, Path tokenizer) {
    private static final String BUNDLED_NAME = "e5-small-v2";
    private static final List<Resource> BUNDLED = List.of(
            new Resource("e5-small-v2.onnx", "b2a43b66f7f9b6f29643a21340ad7c03d2d91e6bd5d43429a77799a9ee880eb0"),
            new Resource(
                    "e5-small-v2-tokenizer.json", "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"));

    private record Resource(String name, String sha256) {}

    /**
     * The model that ships with this service, e5-small-v2 in float32. ONNX Runtime wants files, so the resources are unpacked once
     * into {@code cache}; what lies there is used again when its SHA-256 is right.
     *
     * @throws UncheckedIOException when {@code cache} cannot be written
     */
    public static ModelFiles bundled(Path cache) {
        Path folder = cache.resolve("embedding").resolve(BUNDLED_NAME);
        try {
            Files.createDirectories(folder);
            for (Resource resource : BUNDLED) {
                unpack(resource, folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "cannot unpack the embedding model into " + folder + ": " + e.getMessage()
                            + "; set TSUMUGI_CACHE to a folder that can be written and has 200 MB free",
                    e);
        }
        return new ModelFiles(
                BUNDLED_NAME,
                folder.resolve(BUNDLED.get(0).name()),
                folder.resolve(BUNDLED.get(1).name()));
    }

    /**
     * A model of the user's own.
     *
     * @param folder holds {@code tokenizer.json} and exactly one {@code .onnx} file, or one that is called {@code model.onnx}, at its
     *     top or in a folder {@code onnx} as Hugging Face repositories keep it
     * @throws IllegalArgumentException when it does not
     */
    public static ModelFiles of(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new IllegalArgumentException("embedding model folder " + folder
                    + " does not exist; point TSUMUGI_EMBEDDING_MODEL to a folder with model.onnx and tokenizer.json, or leave it"
                    + " empty for the bundled " + BUNDLED_NAME);
        }
        Path tokenizer = folder.resolve("tokenizer.json");
        if (!Files.isRegularFile(tokenizer)) {
            throw new IllegalArgumentException("embedding model folder " + folder + " has no tokenizer.json");
        }
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return new ModelFiles(name == null ? folder.toString() : name.toString(), onnxFile(folder), tokenizer);
    }

    /** SHA-256 over both files: two models with the same vectors have the same one. */
    String sha256() {
        try {
            MessageDigest digest = newSha256();
            digest.update(HexFormat.of().parseHex(sha256(onnx)));
            digest.update(HexFormat.of().parseHex(sha256(tokenizer)));
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read embedding model " + onnx, e);
        }
    }

    private static Path onnxFile(Path folder) {
        for (Path candidate : List.of(folder.resolve("model.onnx"), folder.resolve("onnx/model.onnx"))) {
            if (Files.isRegularFile(candidate)) {
                return candidate;
            }
        }
        try (Stream<Path> entries = Files.list(folder)) {
            List<Path> found =
                    entries.filter(file -> file.toString().endsWith(".onnx")).toList();
            if (found.size() != 1) {
                throw new IllegalArgumentException("embedding model folder " + folder + " has " + found.size()
                        + " .onnx files; name the wanted one model.onnx");
            }
            return found.getFirst();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read embedding model folder " + folder, e);
        }
    }

    private static void unpack(Resource resource, Path folder) throws IOException {
        Path target = folder.resolve(resource.name());
        if (Files.isRegularFile(target) && sha256(target).equals(resource.sha256())) {
            return;
        }
        // Written aside and renamed: a second process, or a crash half way, never leaves a broken file under the final
        // name.
        Path partial = Files.createTempFile(folder, resource.name(), ".partial");
        try (InputStream in = ModelFiles.class.getClassLoader().getResourceAsStream(resource.name())) {
            if (in == null) {
                throw new IOException("resource " + resource.name() + " is not on the class path");
            }
            Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
            String actual = sha256(partial);
            if (!actual.equals(resource.sha256())) {
                throw new IOException("resource " + resource.name() + " has SHA-256 " + actual + " and not "
                        + resource.sha256() + "; fetch the artifact again");
            }
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    private static String sha256(Path file) throws IOException {
        MessageDigest digest = newSha256();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
                InputStream in = new DigestInputStream(Channels.newInputStream(channel), digest)) {
            byte[] buffer = new byte[1 << 20];
            while (in.read(buffer) >= 0) {
                // the digest stream counts what passes
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest newSha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }
}
