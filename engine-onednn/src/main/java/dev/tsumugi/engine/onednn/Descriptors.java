package dev.tsumugi.engine.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_data_type_undef;
import static org.bytedeco.dnnl.global.dnnl.dnnl_format_tag_any;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_weights_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_scratchpad_mode_user;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_default_flags;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/** The engine of the processor, and the packed layout oneDNN chose for each shape of weights. */
final class Descriptors implements AutoCloseable {
    /** Rows that the layout is asked for; it serves any number. */
    private static final int TYPICAL_ROWS = 256;

    private final OneDnnLibrary library;
    private final MemorySegment engine;
    private final MemorySegment attributes;
    /** Of products that add to what is there. */
    private final MemorySegment adding;

    private final Map<Shape, Layout> layouts = new HashMap<>();

    private record Shape(int inputs, int outputs, Element element) {}

    /**
     * How weights [outputs, inputs] lie in memory.
     *
     * @param descriptor owned by {@link Descriptors}
     * @param checksum CRC-32C of oneDNN's own description of the layout
     */
    record Layout(MemorySegment descriptor, long bytes, int checksum) {}

    Descriptors(OneDnnLibrary library) {
        this.library = library;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            OneDnnLibrary.call(library.engineCreate, out, dnnl_cpu, 0L);
            engine = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.attributesCreate, out);
            attributes = out.get(ADDRESS, 0);
            // Scratch memory of our own, one for each thread: that of the library must not be used by two threads.
            OneDnnLibrary.call(library.attributesScratchpad, attributes, dnnl_scratchpad_mode_user);
            OneDnnLibrary.call(library.attributesCreate, out);
            adding = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.attributesScratchpad, adding, dnnl_scratchpad_mode_user);
            OneDnnLibrary.call(library.followingCreate, out);
            MemorySegment following = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.followingSum, following, 1f, 0, dnnl_data_type_undef);
            OneDnnLibrary.call(library.attributesFollowing, adding, following);
            OneDnnLibrary.call(library.followingDestroy, following);
        }
    }

    OneDnnLibrary library() {
        return library;
    }

    MemorySegment engine() {
        return engine;
    }

    synchronized Layout layout(int inputs, int outputs, Element element) {
        return layouts.computeIfAbsent(new Shape(inputs, outputs, element), this::ask);
    }

    private Layout ask(Shape shape) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment weights =
                    tagged(arena, shape.inputs, shape.outputs, shape.element.weights(), dnnl_format_tag_any);
            MemorySegment source = strided(TYPICAL_ROWS, shape.inputs, shape.inputs, 1, shape.element.input());
            MemorySegment target = strided(TYPICAL_ROWS, shape.outputs, shape.outputs, 1, shape.element.output());
            MemorySegment product = product(arena, source, weights, target, false);
            MemorySegment descriptor = copy(library.query(product, dnnl_query_weights_md));
            OneDnnLibrary.call(library.primitiveDescriptorDestroy, product);
            OneDnnLibrary.call(library.descriptorDestroy, source);
            OneDnnLibrary.call(library.descriptorDestroy, target);
            OneDnnLibrary.call(library.descriptorDestroy, weights);
            return new Layout(descriptor, library.size(descriptor), checksum(arena, descriptor));
        }
    }

    private int checksum(SegmentAllocator arena, MemorySegment descriptor) {
        MemorySegment size = arena.allocate(JAVA_LONG);
        OneDnnLibrary.call(library.descriptorBlob, MemorySegment.NULL, size, descriptor);
        MemorySegment blob = arena.allocate(size.get(JAVA_LONG, 0));
        OneDnnLibrary.call(library.descriptorBlob, blob, size, descriptor);
        CRC32C crc = new CRC32C();
        crc.update(blob.asByteBuffer());
        return (int) crc.getValue();
    }

    /**
     * Describes {@code target = source * weights}, to be destroyed by the caller.
     *
     * @param add adds to the target instead of overwriting it
     */
    MemorySegment product(
            SegmentAllocator arena, MemorySegment source, MemorySegment weights, MemorySegment target, boolean add) {
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(
                library.matmulDescriptor,
                out,
                engine,
                source,
                weights,
                MemorySegment.NULL,
                target,
                add ? adding : attributes);
        return out.get(ADDRESS, 0);
    }

    /**
     * A matrix with rows {@code rowStride} elements apart and columns {@code columnStride}, to be destroyed by the caller.
     *
     * @param type {@code dnnl_data_type_t}
     */
    MemorySegment strided(long rows, long columns, long rowStride, long columnStride, int type) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            OneDnnLibrary.call(
                    library.descriptorWithStrides,
                    out,
                    2,
                    arena.allocateFrom(JAVA_LONG, rows, columns),
                    type,
                    arena.allocateFrom(JAVA_LONG, rowStride, columnStride));
            return out.get(ADDRESS, 0);
        }
    }

    /** To be destroyed by the caller. */
    MemorySegment copy(MemorySegment descriptor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            OneDnnLibrary.call(library.descriptorClone, out, descriptor);
            return out.get(ADDRESS, 0);
        }
    }

    /**
     * A matrix in one of oneDNN's named layouts, to be destroyed by the caller.
     *
     * @param type {@code dnnl_data_type_t}
     */
    MemorySegment tagged(SegmentAllocator arena, long rows, long columns, int type, int tag) {
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(library.descriptorWithTag, out, 2, arena.allocateFrom(JAVA_LONG, rows, columns), type, tag);
        return out.get(ADDRESS, 0);
    }

    MemorySegment stream() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            OneDnnLibrary.call(library.streamCreate, out, engine, dnnl_stream_default_flags);
            return out.get(ADDRESS, 0);
        }
    }

    @Override
    public void close() {
        layouts.values().forEach(layout -> OneDnnLibrary.call(library.descriptorDestroy, layout.descriptor()));
        OneDnnLibrary.call(library.attributesDestroy, attributes);
        OneDnnLibrary.call(library.attributesDestroy, adding);
        OneDnnLibrary.call(library.engineDestroy, engine);
    }
}
