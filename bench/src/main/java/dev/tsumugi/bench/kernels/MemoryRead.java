package dev.tsumugi.bench.kernels;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.tensor.OwnedMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The memory bandwidth of this machine: each thread sums up memory of its own, far more than caches hold. The memory is the engine's, which asks
 * for huge pages: read through small ones, it would seem slower than the engine reads its weights.
 */
@State(Scope.Thread)
public class MemoryRead {
    /** That one call in one thread reads. */
    public static final long BYTES = 256L << 20;

    private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;
    private static final int VECTOR_BYTES = LONGS.vectorByteSize();

    private Backend backend;
    private OwnedMemory owned;
    private MemorySegment memory;

    /** Fills the memory with 0, 1, 2 ..., and checks their sum. */
    @Setup
    public void fill() {
        backend = Backends.open(VectorBackend.NAME, 1, Precision.FAST);
        owned = backend.allocate(BYTES);
        memory = owned.segment();
        long count = BYTES / Long.BYTES;
        for (long i = 0; i < count; i++) {
            memory.setAtIndex(ValueLayout.JAVA_LONG, i, i);
        }
        if (read() != count * (count - 1) / 2) {
            throw new IllegalStateException("wrong sum of the memory read");
        }
    }

    /** Four sums, so that no addition waits for the one before it. */
    @Benchmark
    public long read() {
        LongVector a = LongVector.zero(LONGS);
        LongVector b = a;
        LongVector c = a;
        LongVector d = a;
        for (long at = 0; at < BYTES; at += 4 * VECTOR_BYTES) {
            a = a.add(load(at));
            b = b.add(load(at + VECTOR_BYTES));
            c = c.add(load(at + 2 * VECTOR_BYTES));
            d = d.add(load(at + 3 * VECTOR_BYTES));
        }
        return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
    }

    private LongVector load(long at) {
        return LongVector.fromMemorySegment(LONGS, memory, at, ByteOrder.nativeOrder());
    }

    @TearDown
    public void close() {
        owned.close();
        backend.close();
    }
}
