package dev.tsumugi.trainer.adapters;

import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.adapters.AdapterTooLargeException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Takes the two files of a PEFT folder out of a zip file, in which they may lie in one folder. Words beside them are left; whatever else is in
 * there is refused by its name, and nothing but these two files is ever written.
 */
final class AdapterZip {
    private static final int MOST_ENTRIES = 100;
    private static final long LARGEST_CONFIG = 1 << 20;
    private static final List<String> WORDS = List.of(".md", ".txt", ".json", ".jinja", ".gitattributes");

    private AdapterZip() {}

    /**
     * @param target an empty folder
     * @param maxBytes of the unpacked files together
     * @throws InvalidAdapterZipException when it is no zip file, or holds what it should not
     * @throws AdapterTooLargeException when the files are larger
     */
    static void unpack(Path zip, Path target, long maxBytes) throws IOException {
        try {
            // Before the whole directory is read into memory.
            ZipDirectory.firstSpecialEntry(zip).ifPresent(name -> {
                throw refused(name, "is a link or another special file");
            });
            unpackChecked(zip, target, maxBytes);
        } catch (ZipException e) {
            throw new InvalidAdapterZipException("The content is no zip file, or a damaged one (" + e.getMessage()
                    + "). Zip the PEFT folder again.");
        }
    }

    private static void unpackChecked(Path zip, Path target, long maxBytes) throws IOException {
        try (ZipFile file = new ZipFile(zip.toFile())) {
            if (file.size() > MOST_ENTRIES) {
                throw new InvalidAdapterZipException("The zip file has " + file.size() + " entries; a PEFT folder has "
                        + "two files and some words, at most " + MOST_ENTRIES + " in all.");
            }
            Set<String> found = new HashSet<>();
            long room = maxBytes;
            for (Enumeration<? extends ZipEntry> entries = file.entries(); entries.hasMoreElements(); ) {
                ZipEntry entry = entries.nextElement();
                String name = checkedName(entry.getName());
                if (entry.isDirectory() || !AdapterStore.FILES.contains(name)) {
                    continue;
                }
                if (!found.add(name)) {
                    throw refused(entry.getName(), "is there more than once; send one adapter at a time");
                }
                long most = name.endsWith(".json") ? Math.min(room, LARGEST_CONFIG) : room;
                try (InputStream in = file.getInputStream(entry);
                        OutputStream out = Files.newOutputStream(target.resolve(name))) {
                    room -= copy(in, out, most, maxBytes);
                }
            }
            for (String needed : AdapterStore.FILES) {
                if (!found.contains(needed)) {
                    throw new InvalidAdapterZipException(
                            "The zip file holds no " + needed + ". Zip a folder that PEFT's"
                                    + " save_pretrained has written (with safe_serialization, which is its default).");
                }
            }
        }
    }

    /** The last part of a name that is what a PEFT folder may hold. */
    private static String checkedName(String path) {
        if (path.startsWith("/")
                || path.contains("\\")
                || path.contains(":")
                || List.of(path.split("/")).contains("..")) {
            throw refused(path, "points out of the folder");
        }
        String name = path.substring(path.lastIndexOf('/') + 1);
        boolean known = path.endsWith("/")
                || AdapterStore.FILES.contains(name)
                || WORDS.stream().anyMatch(name::endsWith);
        if (!known) {
            throw refused(
                    path,
                    name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".pth")
                            ? "is a pickle, which can run code; save the adapter as safetensors"
                            : "is no part of a PEFT adapter; leave it out");
        }
        return name;
    }

    private static InvalidAdapterZipException refused(String entry, String why) {
        String shown = entry.length() <= 100 ? entry : entry.substring(0, 100) + "...";
        return new InvalidAdapterZipException("The entry '" + shown + "' of the zip file " + why + ".");
    }

    /** Counts what comes out: the sizes in the directory may lie. */
    private static long copy(InputStream in, OutputStream out, long most, long maxBytes) throws IOException {
        byte[] buffer = new byte[64 * 1024];
        long copied = 0;
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            copied += n;
            if (copied > most) {
                throw new AdapterTooLargeException(maxBytes);
            }
            out.write(buffer, 0, n);
        }
        return copied;
    }
}
