package dev.tsumugi.engine.files;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One memory-mapped safetensors file: eight bytes of header length, a JSON header, then the bytes of all tensors without gaps.
 *
 * <p>Source: the format section of the safetensors README. Everything in the header is checked before it is used; a file that contradicts
 * itself is refused with a {@link ModelFileException}.
 */
public final class SafetensorsFile implements AutoCloseable {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Far above what published models need (a thousand tensors take 0.1 MB). */
    private static final long MAX_HEADER_BYTES = 32L << 20;

    private final MappedFile file;
    private final Map<String, SafetensorsHeader.Entry> entries;
    private final Map<String, String> metadata;
    private final long dataStart;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header, long dataStart) {
        this.file = file;
        this.entries = header.entries();
        this.metadata = header.metadata();
        this.dataStart = dataStart;
    }

    /** @throws ModelFileException when the file is missing or not a sound safetensors file */
    public static SafetensorsFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return read(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static SafetensorsFile read(MappedFile file) {
        Path path = file.path();
        if (file.size() < 8) {
            throw ModelFileException.damaged(path, "only " + file.size() + " bytes, too short for a safetensors file");
        }
        long headerBytes = file.segment().get(LONG, 0);
        if (headerBytes < 2 || headerBytes > file.size() - 8 || headerBytes > MAX_HEADER_BYTES) {
            throw ModelFileException.damaged(
                    path,
                    "header length " + Long.toUnsignedString(headerBytes) + " does not fit (file of " + file.size()
                            + " bytes, header limit " + MAX_HEADER_BYTES + ")");
        }
        byte[] json = file.segment().asSlice(8, headerBytes).toArray(ValueLayout.JAVA_BYTE);
        SafetensorsHeader header = SafetensorsHeader.parse(path, json);
        long dataStart = 8 + headerBytes;
        checkLayout(path, header, file.size() - dataStart);
        return new SafetensorsFile(file, header, dataStart);
    }

    /** Tensors must lie inside of the data, side by side: overlaps would let one weight alias another, gaps could hide content. */
    private static void checkLayout(Path path, SafetensorsHeader header, long dataBytes) {
        List<Map.Entry<String, SafetensorsHeader.Entry>> ordered =
                new ArrayList<>(header.entries().entrySet());
        ordered.sort(Comparator.comparingLong((Map.Entry<String, SafetensorsHeader.Entry> e) ->
                        e.getValue().begin())
                .thenComparingLong(e -> e.getValue().end()));
        long expected = 0;
        for (Map.Entry<String, SafetensorsHeader.Entry> e : ordered) {
            SafetensorsHeader.Entry entry = e.getValue();
            if (entry.end() > dataBytes) {
                throw ModelFileException.damaged(
                        path,
                        "tensor '" + e.getKey() + "' ends at byte " + entry.end() + " of data, but there are only "
                                + dataBytes);
            }
            if (entry.begin() != expected) {
                throw ModelFileException.damaged(
                        path,
                        "tensor '" + e.getKey() + "' begins at byte " + entry.begin() + " of data where " + expected
                                + " was due (overlap or gap)");
            }
            expected = entry.end();
        }
        if (expected != dataBytes) {
            throw ModelFileException.damaged(
                    path, "tensors end at byte " + expected + " of data, but there are " + dataBytes);
        }
    }

    public Path path() {
        return file.path();
    }

    /** The whole file as it is mapped, header included; valid until {@link #close}. */
    public MemorySegment content() {
        return file.segment();
    }

    /** What the header carries under {@code __metadata__}. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** Names of all tensors, in the order of the header. */
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    /**
     * The tensor of that name, pointing into the mapped file; empty when there is none.
     *
     * @throws ModelFileException when its element type is one that the engine does not compute with
     */
    public Optional<Tensor> tensor(String name) {
        SafetensorsHeader.@Nullable Entry entry = entries.get(name);
        if (entry == null) {
            return Optional.empty();
        }
        DType dtype = entry.type().dtype();
        if (dtype == null) {
            throw new ModelFileException(
                    file.path(),
                    "tensor '" + name + "' has element type " + entry.type() + ", which the engine does not read",
                    "Convert the weights to BF16, F16 or F32");
        }
        return Optional.of(file.tensor(dtype, new Shape(entry.shape()), dataStart + entry.begin()));
    }

    void unload() {
        file.unload();
    }

    @Override
    public void close() {
        file.close();
    }
}
