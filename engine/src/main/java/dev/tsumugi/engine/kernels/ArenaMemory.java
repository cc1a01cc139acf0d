package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.OwnedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * Zeroed off-heap memory of its own, aligned to a cache line. From the C library's {@code calloc}, which takes large blocks from the system as
 * they are: a page costs nothing until it is written, while an arena would write them all at once.
 */
final class ArenaMemory implements OwnedMemory {
    private static final long CACHE_LINE = 64;
    /** Of Linux on x86-64 and, with pages of 4 KiB, on AArch64. */
    private static final long HUGE_PAGE = 2L << 20;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;

    /** @throws OutOfMemoryError when the system has no more */
    ArenaMemory(long bytes) {
        long alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
        long address = CLibrary.calloc(Math.addExact(bytes, alignment - 1));
        long aligned = address + alignment - 1 & -alignment;
        if (alignment == HUGE_PAGE) {
            CLibrary.preferHugePages(aligned, bytes & -HUGE_PAGE);
        }
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

        /** Linux only: elsewhere there is no such function, or its advice has another number. */
        private static final @Nullable MethodHandle MADVISE =
                System.getProperty("os.name").equals("Linux") ? madvise() : null;

        /** {@code MADV_HUGEPAGE} of Linux' madvise(2). */
        private static final int HUGE_PAGES = 14;

        private static @Nullable MethodHandle madvise() {
            return SYMBOLS.find("madvise")
                    .map(symbol -> Linker.nativeLinker()
                            .downcallHandle(
                                    symbol,
                                    FunctionDescriptor.of(
                                            ValueLayout.JAVA_INT,
                                            ValueLayout.JAVA_LONG,
                                            ValueLayout.JAVA_LONG,
                                            ValueLayout.JAVA_INT)))
                    .orElse(null);
        }

        /** Only advice: a system without huge pages goes on with small ones. */
        static void preferHugePages(long address, long bytes) {
            MethodHandle advise = MADVISE;
            if (advise == null) {
                return;
            }
            try {
                int unused = (int) advise.invokeExact(address, bytes, HUGE_PAGES);
            } catch (Throwable e) {
                throw Separate.rethrown(e);
            }
        }

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
