package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.OwnedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Zeroed off-heap memory of its own, aligned to a cache line. From the C library's {@code calloc}, which takes large blocks from the system as
 * they are: a page costs nothing until it is written, while an arena would write them all at once.
 */
final class ArenaMemory implements OwnedMemory {
    private static final long ALIGNMENT = 64;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;

    /** @throws OutOfMemoryError when the system has no more */
    ArenaMemory(long bytes) {
        long address = CLibrary.calloc(Math.addExact(bytes, ALIGNMENT - 1));
        long aligned = address + ALIGNMENT - 1 & -ALIGNMENT;
        segment = MemorySegment.ofAddress(aligned).reinterpret(bytes, arena, unused -> CLibrary.free(address));
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

    private static final class CLibrary {
        private static final SymbolLookup SYMBOLS = Linker.nativeLinker().defaultLookup();
        private static final MethodHandle CALLOC = handle(
                "calloc", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
        private static final MethodHandle FREE = handle("free", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));

        private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
            return Linker.nativeLinker().downcallHandle(SYMBOLS.findOrThrow(name), descriptor);
        }

        static long calloc(long bytes) {
            try {
                long address = (long) CALLOC.invokeExact(bytes, 1L);
                if (address == 0) {
                    throw new OutOfMemoryError("the system gives no " + bytes + " bytes");
                }
                return address;
            } catch (Throwable e) {
                throw Separate.rethrown(e);
            }
        }

        static void free(long address) {
            try {
                FREE.invokeExact(address);
            } catch (Throwable e) {
                throw Separate.rethrown(e);
            }
        }
    }
}
