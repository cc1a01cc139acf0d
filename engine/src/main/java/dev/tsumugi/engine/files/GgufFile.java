package dev.tsumugi.engine.files;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One memory-mapped GGUF file, version 2 or 3: typed metadata (the vocabulary included) and tensors under the file's own names. Dimensions
 * are turned round on reading, so that a matrix is [N outputs, K inputs] as everywhere in the engine.
 *
 * <p>Source: the GGUF specification (ggml docs/gguf.md). Everything is checked before it is used; a file that contradicts itself is refused
 * with a {@link ModelFileException}.
 */
public final class GgufFile implements AutoCloseable {
    private static final int MAGIC = 0x46554747; // "GGUF", little-endian
    private static final int DEFAULT_ALIGNMENT = 32;
    private static final int MAX_ALIGNMENT = 1 << 20;
    private static final int MAX_RANK = 4;
    /** A name's length, a rank, one dimension, a type and an offset. */
    private static final int MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;
    /** A key's length, a type and the smallest value. */
    private static final int MIN_PAIR_BYTES = 8 + 4 + 1;

    private final MappedFile file;
    private final int version;
    private final GgufMetadata metadata;
    private final Map<String, Tensor> tensors;

    private GgufFile(MappedFile file, int version, GgufMetadata metadata, Map<String, Tensor> tensors) {
        this.file = file;
        this.version = version;
        this.metadata = metadata;
        this.tensors = tensors;
    }

    /** @throws ModelFileException when the file is missing, not a sound GGUF file, or holds a tensor type that is not supported */
    public static GgufFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return read(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static GgufFile read(MappedFile file) {
        Path path = file.path();
        GgufReader reader = new GgufReader(path, file.segment());
        if (reader.readInt("magic number") != MAGIC) {
            throw new ModelFileException(path, "is not a GGUF file", "Name a .gguf file, or a folder with safetensors");
        }
        int version = readVersion(path, reader);
        int tensorCount = reader.readCount("number of tensors", MIN_TENSOR_BYTES);
        int pairCount = reader.readCount("number of metadata pairs", MIN_PAIR_BYTES);
        GgufMetadata metadata = readMetadata(path, reader, pairCount);
        List<Info> infos = readInfos(path, reader, tensorCount);
        long alignment = metadata.integer("general.alignment").orElse(DEFAULT_ALIGNMENT);
        if (alignment < 8 || alignment > MAX_ALIGNMENT || Long.bitCount(alignment) != 1) {
            throw ModelFileException.damaged(
                    path,
                    "general.alignment is " + alignment + ", which is no power of two from 8 to " + MAX_ALIGNMENT);
        }
        long dataStart = (reader.position() + alignment - 1) & -alignment;
        checkLayout(path, infos, alignment, file.size() - dataStart);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (Info info : infos) {
            tensors.put(info.name(), file.tensor(info.dtype(), info.shape(), dataStart + info.offset()));
        }
        return new GgufFile(file, version, metadata, Collections.unmodifiableMap(tensors));
    }

    private static int readVersion(Path path, GgufReader reader) {
        int version = reader.readInt("version");
        if (version == 2 || version == 3) {
            return version;
        }
        if (version == 1) {
            throw new ModelFileException(path, "is GGUF version 1", "Convert it to version 3 with a current llama.cpp");
        }
        boolean bigEndian = version == 2 << 24 || version == 3 << 24;
        throw new ModelFileException(
                path,
                bigEndian
                        ? "is a big-endian GGUF file"
                        : "is GGUF version " + Integer.toUnsignedString(version) + ", which is unknown",
                "Use a little-endian file of version 2 or 3");
    }

    private static GgufMetadata readMetadata(Path path, GgufReader reader, int count) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String key = reader.readString("metadata key " + i);
            String what = "metadata '" + key + "'";
            Object value = reader.readValue(reader.readType("type of " + what), what);
            if (values.put(key, value) != null) {
                throw ModelFileException.damaged(path, what + " is there twice");
            }
        }
        return new GgufMetadata(path, values);
    }

    /** One tensor as described in the head. */
    private record Info(String name, DType dtype, Shape shape, long offset, long bytes) {
        long end() {
            return offset + bytes;
        }
    }

    private static List<Info> readInfos(Path path, GgufReader reader, int count) {
        Map<String, Info> infos = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String name = reader.readString("name of tensor " + i);
            Info info = readInfo(path, reader, name);
            if (infos.put(name, info) != null) {
                throw ModelFileException.damaged(path, "tensor '" + name + "' is there twice");
            }
        }
        return new ArrayList<>(infos.values());
    }

    private static Info readInfo(Path path, GgufReader reader, String name) {
        String what = "tensor '" + name + "'";
        int rank = reader.readInt("rank of " + what);
        if (rank < 1 || rank > MAX_RANK) {
            throw ModelFileException.damaged(
                    path, what + " has " + Integer.toUnsignedString(rank) + " dimensions, not 1 to " + MAX_RANK);
        }
        long[] dimensions = new long[rank];
        for (int d = 0; d < rank; d++) {
            // The file has the fastest-changing dimension first.
            dimensions[rank - 1 - d] = reader.readLong("dimension of " + what);
        }
        DType dtype = GgufTensorType.dtype(path, what, reader.readInt("type of " + what));
        long offset = reader.readLong("offset of " + what);
        for (long dimension : dimensions) {
            if (dimension < 1) {
                throw ModelFileException.damaged(
                        path, what + " has the impossible shape " + Arrays.toString(dimensions));
            }
        }
        if (dimensions[rank - 1] % dtype.blockElements() != 0) {
            throw ModelFileException.damaged(
                    path,
                    what + " has rows of " + dimensions[rank - 1] + " values, no whole number of " + dtype
                            + " blocks of " + dtype.blockElements());
        }
        try {
            Shape shape = new Shape(dimensions);
            long bytes = dtype.bytes(shape.elements());
            Math.addExact(offset, bytes);
            return new Info(name, dtype, shape, offset, bytes);
        } catch (ArithmeticException e) {
            throw ModelFileException.damaged(
                    path, what + " of shape " + Arrays.toString(dimensions) + " is impossibly large");
        }
    }

    /** Tensors must begin at multiples of the alignment, lie inside of the data, and not overlap, so that no weight aliases another. */
    private static void checkLayout(Path path, List<Info> infos, long alignment, long dataBytes) {
        List<Info> ordered = new ArrayList<>(infos);
        ordered.sort(Comparator.comparingLong(Info::offset));
        @Nullable Info previous = null;
        for (Info info : ordered) {
            String what = "tensor '" + info.name() + "'";
            if (info.offset() < 0 || info.end() > dataBytes) {
                throw ModelFileException.damaged(
                        path,
                        what + " needs " + info.bytes() + " bytes at " + Long.toUnsignedString(info.offset())
                                + " of data, but there are only " + Math.max(0, dataBytes));
            }
            if (info.offset() % alignment != 0) {
                throw ModelFileException.damaged(
                        path, what + " begins at " + info.offset() + ", no multiple of the alignment " + alignment);
            }
            if (previous != null && info.offset() < previous.end()) {
                throw ModelFileException.damaged(path, what + " overlaps tensor '" + previous.name() + "'");
            }
            previous = info;
        }
    }

    public Path path() {
        return file.path();
    }

    /** 2 or 3. */
    public int version() {
        return version;
    }

    /** Hyperparameters, vocabulary, chat template and whatever else the file says of itself. */
    public GgufMetadata metadata() {
        return metadata;
    }

    /** The file's own tensor names, in file order. */
    public Set<String> names() {
        return tensors.keySet();
    }

    /** The tensor of that name, pointing into the mapped file; empty when there is none. */
    public Optional<Tensor> tensor(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    /** Memory that lives as long as this file is open, for rows that must be put in another order. */
    MappedFile mapping() {
        return file;
    }

    void unload() {
        file.unload();
    }

    @Override
    public void close() {
        file.close();
    }
}
