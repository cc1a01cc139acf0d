package dev.tsumugi.trainer.adapters;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.zip.ZipException;

/**
 * What {@link java.util.zip.ZipFile} does not tell of a zip file before it reads the directory into memory: how long that is, and which
 * entries are symbolic links. A file whose directory two readers could look for in two places is refused. Source: APPNOTE.TXT of PKWARE,
 * 4.3.12, 4.3.15, 4.3.16 and 4.4.15, and the modes of Unix that Info-ZIP keeps in the upper half of the external attributes.
 */
final class ZipDirectory {
    private static final int END_SIGNATURE = 0x06054b50;
    private static final int ENTRY_SIGNATURE = 0x02014b50;
    private static final int END_LENGTH = 22;
    private static final int ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
    private static final int ZIP64_LOCATOR_LENGTH = 20;
    private static final int ENTRY_LENGTH = 46;
    private static final int LONGEST_COMMENT = 0xffff;
    private static final int MADE_ON_UNIX = 3;
    private static final int KIND = 0xf000;
    private static final int REGULAR = 0x8000;
    private static final int FOLDER = 0x4000;
    private static final int MOST_BYTES = 1 << 20;

    private ZipDirectory() {}

    /**
     * The first entry that is neither a file nor a folder, but a link or a device.
     *
     * @throws ZipException when it is no zip file, its directory is too large, or not plainly where it should be
     * @throws InvalidAdapterZipException when it has a second directory, that of zip64
     */
    static Optional<String> firstSpecialEntry(Path zip) throws IOException {
        try (FileChannel channel = FileChannel.open(zip)) {
            long begin = Math.max(0, channel.size() - END_LENGTH - LONGEST_COMMENT);
            ByteBuffer end = read(channel, begin, channel.size());
            int at = end.limit() - END_LENGTH;
            while (at >= 0 && end.getInt(at) != END_SIGNATURE) {
                at--;
            }
            if (at < 0) {
                throw new ZipException("it has no directory");
            }
            if (at >= ZIP64_LOCATOR_LENGTH && end.getInt(at - ZIP64_LOCATOR_LENGTH) == ZIP64_LOCATOR_SIGNATURE) {
                throw new InvalidAdapterZipException(
                        "The zip file is of the kind zip64, for files of 4 GiB and more, which is not taken."
                                + " Zip the PEFT folder with a program that writes zip64 only where it must; zip -r does, unless it reads from a"
                                + " pipe.");
            }
            long length = Integer.toUnsignedLong(end.getInt(at + 12));
            long offset = Integer.toUnsignedLong(end.getInt(at + 16));
            if (length > MOST_BYTES) {
                throw new ZipException("its directory has more than " + MOST_BYTES + " bytes");
            }
            int comment = Short.toUnsignedInt(end.getShort(at + 20));
            if (offset + length != begin + at || at + END_LENGTH + comment != end.limit()) {
                throw new ZipException("its directory is damaged");
            }
            return firstSpecialEntry(read(channel, offset, offset + length));
        }
    }

    private static Optional<String> firstSpecialEntry(ByteBuffer directory) throws IOException {
        for (int at = 0; at + ENTRY_LENGTH <= directory.limit(); ) {
            if (directory.getInt(at) != ENTRY_SIGNATURE) {
                throw new ZipException("its directory is damaged");
            }
            int name = Short.toUnsignedInt(directory.getShort(at + 28));
            int rest =
                    Short.toUnsignedInt(directory.getShort(at + 30)) + Short.toUnsignedInt(directory.getShort(at + 32));
            int kind = directory.getInt(at + 38) >>> 16 & KIND;
            if (directory.get(at + 5) == MADE_ON_UNIX && kind != 0 && kind != REGULAR && kind != FOLDER) {
                byte[] bytes = new byte[Math.min(name, directory.limit() - at - ENTRY_LENGTH)];
                directory.get(at + ENTRY_LENGTH, bytes);
                return Optional.of(new String(bytes, StandardCharsets.UTF_8));
            }
            at += ENTRY_LENGTH + name + rest;
        }
        return Optional.empty();
    }

    private static ByteBuffer read(FileChannel channel, long from, long to) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate((int) (to - from)).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, from + buffer.position()) < 0) {
                throw new IOException("it became shorter while it was read");
            }
        }
        return buffer.flip();
    }
}
