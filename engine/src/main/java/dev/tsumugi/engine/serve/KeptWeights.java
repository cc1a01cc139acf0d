package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.kernels.PackedWeights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the packed weights of a model are kept, and by what they are known again: its path, and each file's name, size and times. */
final class KeptWeights {
    /** Smaller ones are packed in no time. */
    private static final long SMALLEST_MODEL = 16L << 20;

    private static final Logger log = LoggerFactory.getLogger(KeptWeights.class);

    private KeptWeights() {}

    /** @param model a GGUF file, or a folder */
    static PackedWeights of(Path folder, Path model) {
        try {
            Path path = model.toRealPath();
            StringBuilder stamp = new StringBuilder();
            long bytes = 0;
            for (Path file : files(path)) {
                BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
                bytes += attributes.size();
                stamp.append(file.getFileName())
                        .append(' ')
                        .append(attributes.size())
                        .append(' ')
                        .append(attributes.lastModifiedTime().toInstant())
                        .append(' ')
                        .append(changed(file))
                        .append("; ");
            }
            if (bytes < SMALLEST_MODEL) {
                return PackedWeights.none();
            }
            CRC32C crc = new CRC32C();
            crc.update(path.toString().getBytes(StandardCharsets.UTF_8));
            String name = path.getFileName() + "-" + Long.toHexString(crc.getValue());
            return PackedWeights.in(folder, name, stamp.toString(), bytes);
        } catch (IOException | UncheckedIOException e) {
            log.info("The weights of {} are packed: {}", model, e.toString());
            return PackedWeights.none();
        }
    }

    /** When the file's entry was written, which copying with times does not take over; empty where the system does not say. */
    private static String changed(Path file) throws IOException {
        return file.getFileSystem().supportedFileAttributeViews().contains("unix")
                ? String.valueOf(Files.getAttribute(file, "unix:ctime"))
                : "";
    }

    private static List<Path> files(Path model) throws IOException {
        if (!Files.isDirectory(model)) {
            return List.of(model);
        }
        try (Stream<Path> listed = Files.list(model)) {
            return listed.filter(Files::isRegularFile).sorted().toList();
        }
    }
}
