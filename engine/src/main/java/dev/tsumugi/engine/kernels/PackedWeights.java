package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The packed forms of one model's weights, kept in a file: packing is the longest part of a start, because HotSpot has compiled nothing of it
 * yet, and reading what an earlier start has packed takes a fifth of the time. A form is only taken when all that it was made from and for is
 * the same as then; otherwise everything is packed anew. Without a place to keep them, and for models that are very large or large beside the
 * disk's free space, weights are packed at each start.
 *
 * <p>The file holds the forms one after another, then an index as lines of text (what the model's files were, and of each form its length,
 * CRC-32C and description), then the index's length and CRC-32C as little-endian ints, and {@link #MAGIC}. It appears under its name when it is
 * whole.
 */
public final class PackedWeights implements AutoCloseable {
    /** To be raised when a form is packed in another way under the same description. */
    private static final int LAYOUT = 2;

    private static final Logger log = LoggerFactory.getLogger(PackedWeights.class);
    private static final String MAGIC = "TSUMUGI" + (char) ('0' + LAYOUT);
    private static final int TAIL = 2 * Integer.BYTES + MAGIC.length();
    /** Larger models take seconds to read from most disks too. */
    static final long LARGEST_MODEL = 1L << 30;
    /** Packed forms take up to five times the bytes of a 4-bit file; as much again stays free. */
    private static final int FREE_PARTS = 10;

    private static final int LARGEST_INDEX = 16 << 20;
    /** A start that writes takes seconds; what is older was left by one that was killed. */
    private static final Duration ABANDONED = Duration.ofMinutes(10);

    /** After this long without a start that reads a file, its model is taken to be gone. */
    private static final Duration UNUSED = Duration.ofDays(30);

    private static final String SUFFIX = ".packed";

    private static final int SAMPLE = 256;

    private enum State {
        READING,
        WRITING,
        OFF
    }

    /** One form as the index says it. */
    private record Entry(long bytes, int checksum, String description) {}

    private final Path file;
    private final Path part;
    private final String stamp;
    private State state;
    private @Nullable FileChannel channel;
    private List<Entry> entries = new ArrayList<>();
    private int taken;
    /** Whether {@link #part} was begun here, and is not in place yet. */
    private boolean begun;

    private long position;

    private PackedWeights(Path file, String stamp) {
        this.file = file;
        part = file.resolveSibling(file.getFileName() + ".part");
        this.stamp = stamp;
        state = State.OFF;
    }

    /** Keeps nothing: weights are packed. */
    public static PackedWeights none() {
        return new PackedWeights(Path.of("none"), "");
    }

    /**
     * @param folder where forms are kept, made when it is missing
     * @param name of the file in it, without {@value #SUFFIX}
     * @param stamp what tells that the model's files are still the same, a line of text
     * @param modelBytes of the model's files
     */
    public static PackedWeights in(Path folder, String name, String stamp, long modelBytes) {
        PackedWeights kept = new PackedWeights(folder.resolve(name + SUFFIX), stamp.replace('\n', ' '));
        if (modelBytes <= LARGEST_MODEL) {
            try {
                kept.open(folder, modelBytes);
            } catch (IOException | UncheckedIOException e) {
                kept.giveUp("cannot be used", e);
            }
        }
        return kept;
    }

    private void open(Path folder, long modelBytes) throws IOException {
        Files.createDirectories(folder);
        if (Files.exists(file)) {
            FileChannel existing = FileChannel.open(file, StandardOpenOption.READ);
            channel = existing;
            List<Entry> index = readIndex(existing);
            if (index != null) {
                entries = index;
                state = State.READING;
                Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
                return;
            }
            existing.close();
            channel = null;
        }
        removeUnused(folder);
        if (Files.getFileStore(folder).getUsableSpace() / FREE_PARTS < modelBytes) {
            return;
        }
        if (Files.exists(part)
                && Files.getLastModifiedTime(part)
                        .toInstant()
                        .isBefore(Instant.now().minus(ABANDONED))) {
            Files.delete(part);
        }
        try {
            channel = FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            state = State.WRITING;
            begun = true;
        } catch (FileAlreadyExistsException e) {
            log.debug("Another start is writing {}", part);
        }
    }

    /** What models that were moved or deleted have left behind. */
    private static void removeUnused(Path folder) throws IOException {
        Instant cutoff = Instant.now().minus(UNUSED);
        try (DirectoryStream<Path> kept = Files.newDirectoryStream(folder, "*" + SUFFIX)) {
            for (Path other : kept) {
                if (Files.getLastModifiedTime(other).toInstant().isBefore(cutoff)) {
                    Files.deleteIfExists(other);
                }
            }
        }
    }

    /** @return null when the file is of other files, of another layout, or damaged */
    private @Nullable List<Entry> readIndex(FileChannel from) throws IOException {
        long size = from.size();
        if (size < TAIL) {
            return null;
        }
        ByteBuffer tail = read(from, size - TAIL, ByteBuffer.allocate(TAIL));
        int length = tail.getInt();
        int checksum = tail.getInt();
        if (!StandardCharsets.US_ASCII.decode(tail).toString().equals(MAGIC)
                || length < 0
                || length > Math.min(LARGEST_INDEX, size - TAIL)) {
            return null;
        }
        ByteBuffer index = read(from, size - TAIL - length, ByteBuffer.allocate(length));
        if (checksum(index.duplicate()) != checksum) {
            return null;
        }
        List<String> lines =
                StandardCharsets.UTF_8.decode(index).toString().lines().toList();
        if (lines.isEmpty() || !lines.getFirst().equals(stamp)) {
            return null;
        }
        List<Entry> found = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            String[] fields = line.split(" ", 3);
            found.add(new Entry(Long.parseLong(fields[0]), Integer.parseInt(fields[1]), fields[2]));
        }
        return found;
    }

    /**
     * Fills {@code form}: from the file where it has this form at this place, otherwise by {@code pack}.
     *
     * @param source that is packed; a part of it is held against what was packed then
     * @param description of the form, without line feeds: all that its bytes hang on beside the source
     */
    void fill(OwnedMemory form, Tensor source, String description, Runnable pack) {
        if (state == State.OFF) {
            pack.run();
            return;
        }
        String whole = description + " of " + source.dtype() + " " + source.shape() + " "
                + Integer.toHexString(sample(source.segment()));
        if (state == State.READING && restore(form.segment(), whole)) {
            return;
        }
        pack.run();
        if (state == State.WRITING) {
            keep(form.segment(), whole);
        }
    }

    /** A checksum of what stands at the beginning and in the middle, which tells matrices of one model apart. */
    private static int sample(MemorySegment source) {
        CRC32C crc = new CRC32C();
        long bytes = source.byteSize();
        long count = Math.min(SAMPLE, bytes);
        crc.update(source.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE));
        crc.update(source.asSlice((bytes - count) / 2, count).toArray(ValueLayout.JAVA_BYTE));
        return (int) crc.getValue();
    }

    private boolean restore(MemorySegment form, String description) {
        try {
            Entry entry = taken < entries.size() ? entries.get(taken) : null;
            if (entry == null || entry.bytes != form.byteSize() || !entry.description.equals(description)) {
                giveUp("was made for other weights or another machine", null);
                return false;
            }
            ByteBuffer read = read(open(), position, form.asByteBuffer());
            if (checksum(read) != entry.checksum) {
                giveUp("is damaged", null);
                // Packing counts on zeros where it writes nothing.
                form.fill((byte) 0);
                return false;
            }
            taken++;
            position += entry.bytes;
            return true;
        } catch (IOException e) {
            giveUp("cannot be read", e);
            form.fill((byte) 0);
            return false;
        }
    }

    private void keep(MemorySegment form, String description) {
        try {
            ByteBuffer bytes = form.asByteBuffer();
            entries.add(new Entry(form.byteSize(), checksum(bytes.duplicate()), description));
            write(bytes);
        } catch (IOException | UnsupportedOperationException e) {
            giveUp("cannot be written", e);
        }
    }

    /** All weights are prepared: what was packed is kept from now on. */
    public void complete() {
        if (state == State.WRITING) {
            try {
                finish();
            } catch (IOException e) {
                giveUp("cannot be written", e);
            }
        } else if (state == State.READING && taken < entries.size()) {
            giveUp("was made for more weights", null);
        }
        close();
    }

    private void finish() throws IOException {
        StringBuilder lines = new StringBuilder(stamp).append('\n');
        entries.forEach(entry -> lines.append(entry.bytes)
                .append(' ')
                .append(entry.checksum)
                .append(' ')
                .append(entry.description)
                .append('\n'));
        ByteBuffer index = StandardCharsets.UTF_8.encode(lines.toString());
        ByteBuffer tail = ByteBuffer.allocate(TAIL).order(ByteOrder.LITTLE_ENDIAN);
        tail.putInt(index.remaining()).putInt(checksum(index.duplicate()));
        tail.put(MAGIC.getBytes(StandardCharsets.US_ASCII)).flip();
        write(index);
        write(tail);
        open().close();
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        begun = false;
        log.info("Kept packed weights in {}, for the next start", file);
    }

    private FileChannel open() throws IOException {
        if (channel == null) {
            throw new IOException("closed");
        }
        return channel;
    }

    private void write(ByteBuffer bytes) throws IOException {
        FileChannel to = open();
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }

    /** @return {@code into}, full and from its beginning, little-endian */
    private static ByteBuffer read(FileChannel from, long at, ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            if (from.read(into, at + into.position()) < 0) {
                throw new EOFException("the file is too short");
            }
        }
        return into.flip().order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int checksum(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /** Packs from here on; a file that is of no use is removed, so that the next start writes it anew. */
    private void giveUp(String why, @Nullable Exception cause) {
        log.info("{} {}{}; weights are packed", file, why, cause == null ? "" : " (" + cause + ")");
        boolean useless = state == State.READING;
        close();
        if (useless) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                log.debug("{} cannot be removed", file, e);
            }
        }
    }

    /** Forgets what is not {@link #complete}. */
    @Override
    public void close() {
        state = State.OFF;
        try {
            if (channel != null) {
                channel.close();
            }
            if (begun) {
                begun = false;
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            log.debug("{} cannot be closed", file, e);
        }
        channel = null;
    }
}
