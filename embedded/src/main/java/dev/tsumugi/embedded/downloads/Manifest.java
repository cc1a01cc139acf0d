package dev.tsumugi.embedded.downloads;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;

/**
 * Sizes of all files that belong to a download, kept beside it: tells cheaply, at every start, that none is missing or cut off. Lines of
 * {@code size path}; the path is empty when the download is a single file.
 */
final class Manifest {
    private Manifest() {}

    static void write(Path manifest, Path content) throws IOException {
        List<String> lines;
        try (Stream<Path> walk = Files.walk(content)) {
            lines = walk.filter(Files::isRegularFile)
                    .map(file -> size(file) + " " + content.relativize(file))
                    .sorted()
                    .toList();
        }
        Path complete = manifest.resolveSibling(manifest.getFileName() + ".new");
        Files.write(complete, lines);
        Files.move(complete, manifest, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    static boolean matches(Path manifest, Path content) {
        try {
            for (String line : Files.readAllLines(manifest)) {
                int space = line.indexOf(' ');
                if (space < 0) {
                    return false;
                }
                String relative = line.substring(space + 1);
                Path file = relative.isEmpty() ? content : content.resolve(relative);
                if (Files.size(file) != Long.parseLong(line.substring(0, space))) {
                    return false;
                }
            }
            return true;
        } catch (IOException | NumberFormatException e) {
            return false; // missing or damaged: it is fetched again
        }
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
