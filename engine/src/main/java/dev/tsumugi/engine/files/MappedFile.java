package dev.tsumugi.engine.files;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A whole file mapped read-only; closing it unmaps every tensor that points into it. */
final class MappedFile implements AutoCloseable {
    private final Path path;
    private final Arena arena;
    private final HostMemory memory;

    private MappedFile(Path path, Arena arena, MemorySegment segment) {
        this.path = path;
        this.arena = arena;
        this.memory = new HostMemory(segment);
    }

    /** @throws ModelFileException when there is no such file, or it cannot be read or mapped */
    static MappedFile open(Path path) {
        if (Files.isDirectory(path)) {
            throw new ModelFileException(path, "this is a folder, not a file", "Name a file in it");
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return new MappedFile(path, arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (NoSuchFileException e) {
            arena.close();
            throw new ModelFileException(path, "no such file", "Check the path", e);
        } catch (IOException | UnsupportedOperationException e) {
            arena.close();
            throw new ModelFileException(
                    path, "cannot be read: " + e.getMessage(), "Check its permissions and the disk", e);
        }
    }

    Path path() {
        return path;
    }

    MemorySegment segment() {
        return memory.segment();
    }

    long size() {
        return memory.byteSize();
    }

    /**
     * A tensor over the bytes from {@code offset}. Kernels read whole elements, so bytes that lie askew in the file are copied once to
     * memory that is aligned.
     */
    Tensor tensor(DType dtype, Shape shape, long offset) {
        int alignment = dtype.isQuantized() ? 2 : dtype.blockBytes();
        if (offset % alignment == 0) {
            return new Tensor(dtype, shape, memory, offset);
        }
        long bytes = dtype.bytes(shape.elements());
        MemorySegment copy = arena.allocate(bytes, 64);
        copy.copyFrom(memory.segment().asSlice(offset, bytes));
        return new Tensor(dtype, shape, new HostMemory(copy), 0);
    }

    /** Gives the file's pages back to the system, which reads them again when they are used. */
    void unload() {
        memory.segment().unload();
    }

    /** Memory that lives as long as the mapping. */
    MemorySegment allocate(long bytes) {
        return arena.allocate(bytes, 64);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
