package dev.tsumugi.ingest.parse;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** Unpacks a zip-based document once, into nothing, to learn whether it stays within bounds before a parser holds it in memory. */
final class ZipGuard {
    private static final int MAX_ENTRIES = 20_000;
    private static final int MAX_RATIO = 200;
    /** Below this size a part may be as repetitive as it likes. */
    private static final long FREE_BYTES = 8L << 20;

    private ZipGuard() {}

    static void check(Path file, long maxUnpackedBytes) {
        try (ZipFile zip = new ZipFile(file.toFile())) {
            if (zip.size() > MAX_ENTRIES) {
                throw new UnparsableDocumentException("The document holds " + zip.size() + " parts; at most "
                        + MAX_ENTRIES + " are read. Save it anew from the program that made it.");
            }
            byte[] buffer = new byte[64 * 1024];
            long total = 0;
            for (Enumeration<? extends ZipEntry> entries = zip.entries(); entries.hasMoreElements(); ) {
                ZipEntry entry = entries.nextElement();
                long size = 0;
                try (InputStream in = zip.getInputStream(entry)) {
                    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                        size += n;
                        // The sizes in the directory may lie, so it is counted.
                        if (total + size > maxUnpackedBytes || isBomb(entry, size)) {
                            throw new UnparsableDocumentException(
                                    "The document unpacks to far more data than it should (a zip bomb). "
                                            + "If it is genuine, split it or save it as PDF.");
                        }
                        if (Thread.currentThread().isInterrupted()) {
                            throw new UnparsableDocumentException("interrupted");
                        }
                    }
                }
                total += size;
            }
        } catch (IOException e) {
            throw new UnparsableDocumentException(
                    "The document is damaged or incomplete: its zip container cannot be read. Send it again.", e);
        }
    }

    private static boolean isBomb(ZipEntry entry, long size) {
        return size > FREE_BYTES && size > Math.max(1, entry.getCompressedSize()) * MAX_RATIO;
    }
}
