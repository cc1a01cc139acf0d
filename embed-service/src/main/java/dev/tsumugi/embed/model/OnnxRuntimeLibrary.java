package dev.tsumugi.embed.model;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.jar.JarEntry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Unpacks ONNX Runtime's native libraries once into the cache. Left to itself it copies them to the temporary folder at every start, and
 * a killed process leaves its copy there.
 */
final class OnnxRuntimeLibrary {
    private static final Logger log = LoggerFactory.getLogger(OnnxRuntimeLibrary.class);
    private static final String PATH_PROPERTY = "onnxruntime.native.path";
    private static final List<String> NAMES = List.of("onnxruntime", "onnxruntime4j_jni");

    private OnnxRuntimeLibrary() {}

    /** Must be called before the first touch of ONNX Runtime; leaves everything to it where that is not possible. */
    static void unpack(Path nativeCache) {
        if (System.getProperty(PATH_PROPERTY) != null) {
            return;
        }
        try {
            Path folder = null;
            for (String name : NAMES) {
                String file = System.mapLibraryName(name);
                URL resource = OnnxRuntimeLibrary.class
                        .getClassLoader()
                        .getResource("ai/onnxruntime/native/" + platform() + "/" + file);
                JarEntry entry = entry(resource);
                if (resource == null || entry == null) {
                    return;
                }
                if (folder == null) {
                    // Named after the content: another version never meets the files of this one.
                    folder = nativeCache.resolve("onnxruntime-" + Long.toHexString(entry.getCrc()));
                    Files.createDirectories(folder);
                }
                copy(resource, entry.getSize(), folder.resolve(file));
            }
            System.setProperty(PATH_PROPERTY, String.valueOf(folder));
        } catch (IOException e) {
            log.warn("cannot unpack ONNX Runtime into {}; it goes to the temporary folder instead", nativeCache, e);
        }
    }

    private static void copy(URL resource, long size, Path target) throws IOException {
        if (Files.isRegularFile(target) && Files.size(target) == size) {
            return;
        }
        Path folder = target.toAbsolutePath().getParent();
        Path partial = Files.createTempFile(folder, "native", ".partial");
        try (InputStream in = resource.openStream()) {
            Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    private static @Nullable JarEntry entry(@Nullable URL resource) throws IOException {
        return resource != null && resource.openConnection() instanceof JarURLConnection connection
                ? connection.getJarEntry()
                : null;
    }

    private static String platform() {
        String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
        String system = os.contains("win") ? "win" : os.contains("mac") ? "osx" : "linux";
        String processor = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        return system + "-" + (processor.equals("amd64") || processor.equals("x86_64") ? "x64" : processor);
    }
}
