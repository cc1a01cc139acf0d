package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Memory for the weights of a backend, side by side in slabs of huge pages: most matrices alone are smaller than a huge page, and through
 * small pages a processor that streams all weights for one token waits for address translation. A slab is freed with the last of its pieces.
 */
public final class Slabs {
    private static final long BYTES = 32L << 20;
    private static final long CACHE_LINE = 64;

    private @Nullable Slab current;
    private PackedWeights kept = PackedWeights.none();

    /**
     * Zeroed memory, aligned to a cache line; may be called and closed by any thread.
     *
     * @throws OutOfMemoryError when the system has no more
     */
    public synchronized OwnedMemory allocate(long bytes) {
        if (bytes > BYTES / 4) {
            return new ArenaMemory(bytes);
        }
        if (current == null || !current.hasRoom(bytes)) {
            Slab next = new Slab();
            if (current != null) {
                current.release();
            }
            current = next;
        }
        return current.piece(bytes);
    }

    /** From now on forms are taken from {@code kept}, and brought to it, until that is closed. */
    void keepIn(PackedWeights newKept) {
        kept = newKept;
    }

    /** Fills {@code form}, as {@link PackedWeights#fill} says; by one thread at a time. */
    public void fill(OwnedMemory form, Tensor source, String description, Runnable pack) {
        kept.fill(form, source, description, pack);
    }

    /** Gives the slab in use back once its pieces are closed; pieces that are still open keep it. */
    synchronized void close() {
        if (current != null) {
            current.release();
            current = null;
        }
    }

    private static final class Slab {
        private final ArenaMemory memory = new ArenaMemory(BYTES);
        private long used;
        /** Pieces that are open, and one for being the slab in use. */
        private int holders = 1;

        boolean hasRoom(long bytes) {
            return used + bytes <= BYTES;
        }

        synchronized OwnedMemory piece(long bytes) {
            long address = memory.segment().address() + used;
            used += bytes + CACHE_LINE - 1 & -CACHE_LINE;
            holders++;
            return new Piece(address, bytes, this::release);
        }

        synchronized void release() {
            if (--holders == 0) {
                memory.close();
            }
        }
    }

    private static final class Piece implements OwnedMemory {
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment;

        Piece(long address, long bytes, Runnable free) {
            segment = MemorySegment.ofAddress(address).reinterpret(bytes, arena, unused -> free.run());
        }

        @Override
        public long byteSize() {
            return segment.byteSize();
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public void close() {
            if (segment.scope().isAlive()) {
                arena.close();
            }
        }
    }
}
