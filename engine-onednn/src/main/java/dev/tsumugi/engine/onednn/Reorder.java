package dev.tsumugi.engine.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A compiled copy from one layout and element type to another, rounding to the nearest; for the one thread that runs it. */
final class Reorder implements AutoCloseable {
    private static final int ARGUMENTS = 2;
    private static final long ARGUMENT_BYTES = 16;

    private final OneDnnLibrary library;
    private final MemorySegment stream;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment primitive;
    private final MemorySegment source;
    private final MemorySegment target;
    private final MemorySegment arguments;

    /** @param from and {@code to} stay the caller's */
    Reorder(Descriptors descriptors, MemorySegment stream, MemorySegment from, MemorySegment to) {
        this.library = descriptors.library();
        this.stream = stream;
        MemorySegment engine = descriptors.engine();
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(library.reorderDescriptor, out, from, engine, to, engine, MemorySegment.NULL);
        MemorySegment descriptor = out.get(ADDRESS, 0);
        OneDnnLibrary.call(library.primitiveCreate, out, descriptor);
        primitive = out.get(ADDRESS, 0);
        OneDnnLibrary.call(library.primitiveDescriptorDestroy, descriptor);
        OneDnnLibrary.call(library.memoryCreate, out, from, engine, MemorySegment.NULL);
        source = out.get(ADDRESS, 0);
        OneDnnLibrary.call(library.memoryCreate, out, to, engine, MemorySegment.NULL);
        target = out.get(ADDRESS, 0);
        arguments = arena.allocate(ARGUMENTS * ARGUMENT_BYTES, 8);
        arguments.set(JAVA_INT, 0, DNNL_ARG_FROM);
        arguments.set(ADDRESS, 8, source);
        arguments.set(JAVA_INT, ARGUMENT_BYTES, DNNL_ARG_TO);
        arguments.set(ADDRESS, ARGUMENT_BYTES + 8, target);
    }

    /** Copies between two addresses on the calling thread. */
    void run(long from, long to) {
        int status;
        try {
            status = (int) library.memorySetHandle.invokeExact(source, MemorySegment.ofAddress(from));
            status |= (int) library.memorySetHandle.invokeExact(target, MemorySegment.ofAddress(to));
            status |= (int) library.primitiveExecute.invokeExact(primitive, stream, ARGUMENTS, arguments);
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN cannot be called", e);
        }
        OneDnnLibrary.check(status);
    }

    @Override
    public void close() {
        OneDnnLibrary.call(library.primitiveDestroy, primitive);
        OneDnnLibrary.call(library.memoryDestroy, source);
        OneDnnLibrary.call(library.memoryDestroy, target);
        arena.close();
    }
}
