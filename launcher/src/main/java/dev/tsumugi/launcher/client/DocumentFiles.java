package dev.tsumugi.launcher.client;

import dev.tsumugi.launcher.runtime.LaunchException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.text.Normalizer;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Files to upload and the document id of each: the path from {@code base} where the file lies below it, else the absolute path. So the same
 * file has the same id next time, and two files never share one.
 */
public final class DocumentFiles {
    private DocumentFiles() {}

    /**
     * @param paths files, and folders that are read with all below them except hidden files
     * @return files by document id
     * @throws LaunchException naming a path that is not there
     */
    public static SortedMap<String, Path> find(List<Path> paths, Path base) {
        SortedMap<String, Path> files = new TreeMap<>();
        for (Path path : paths) {
            if (!Files.isReadable(path)) {
                throw new LaunchException(path + (Files.exists(path) ? " cannot be read." : " does not exist.")
                        + " Nothing was ingested.");
            }
            try {
                Files.walkFileTree(path.toAbsolutePath().normalize(), new Collector(files, base, path));
            } catch (IOException e) {
                throw new LaunchException("Cannot read " + path + ": " + e, e);
            }
        }
        return files;
    }

    private static final class Collector extends SimpleFileVisitor<Path> {
        private final SortedMap<String, Path> files;
        private final Path base;
        private final Path start;

        Collector(SortedMap<String, Path> files, Path base, Path start) {
            this.files = files;
            this.base = base.toAbsolutePath().normalize();
            this.start = start.toAbsolutePath().normalize();
        }

        @Override
        public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
            return isHidden(folder) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            if (Files.isRegularFile(file) && !isHidden(file)) {
                files.put(id(file), file);
            }
            return FileVisitResult.CONTINUE;
        }

        private boolean isHidden(Path path) {
            return !path.equals(start) && path.getFileName().toString().startsWith(".");
        }

        private String id(Path file) {
            Path named = file.startsWith(base)
                    ? base.relativize(file)
                    : file.getRoot().relativize(file);
            // macOS stores accents and kana marks apart; the id is the same from every machine.
            return Normalizer.normalize(named.toString().replace('\\', '/'), Normalizer.Form.NFC);
        }
    }
}
