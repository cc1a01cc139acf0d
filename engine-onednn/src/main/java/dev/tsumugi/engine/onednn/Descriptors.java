package dev.tsumugi.engine.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_format_tag_any;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_weights_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_scratchpad_mode_user;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_default_flags;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.HashMap;
import java.util.Map;

/** The engine of the processor, and the packed layout oneDNN chose for each shape of weights. */
final class Descriptors implements AutoCloseable {
    /** Rows that the layout is asked for; it serves any number. */
    private static final int TYPICAL_ROWS = 256;

    private final OneDnnLibrary library;
    private final MemorySegment engine;
    private final MemorySegment attributes;
    private final Map<Shape, Layout> layouts = new HashMap<>();

    private record Shape(int inputs, int outputs, Element element) {}

    /**
     * How weights [outputs, inputs] lie in memory.
     *
     * @param descriptor owned by {@link Descriptors}
     */
    record Layout(MemorySegment descriptor, long bytes) {}

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
            MemorySegment product =
                    product(arena, TYPICAL_ROWS, shape.inputs, shape.outputs, shape.outputs, shape.element, weights);
            MemorySegment chosen = library.query(product, dnnl_query_weights_md);
            MemorySegment out = arena.allocate(ADDRESS);
            OneDnnLibrary.call(library.descriptorClone, out, chosen);
            MemorySegment descriptor = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.primitiveDescriptorDestroy, product);
            OneDnnLibrary.call(library.descriptorDestroy, weights);
            return new Layout(descriptor, library.size(descriptor));
        }
    }

    /**
     * Describes {@code out[rows, outputs] = x[rows, inputs] * weights}, to be destroyed by the caller.
     *
     * @param outStride elements from one row of {@code out} to the next
     */
    MemorySegment product(
            SegmentAllocator arena,
            int rows,
            int inputs,
            int outputs,
            int outStride,
            Element element,
            MemorySegment weights) {
        MemorySegment source = strided(arena, rows, inputs, inputs, element.input());
        MemorySegment target = strided(arena, rows, outputs, outStride, element.output());
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(
                library.matmulDescriptor, out, engine, source, weights, MemorySegment.NULL, target, attributes);
        OneDnnLibrary.call(library.descriptorDestroy, source);
        OneDnnLibrary.call(library.descriptorDestroy, target);
        return out.get(ADDRESS, 0);
    }

    /**
     * A matrix with rows {@code stride} elements apart, to be destroyed by the caller.
     *
     * @param type {@code dnnl_data_type_t}
     */
    MemorySegment strided(SegmentAllocator arena, long rows, long columns, long stride, int type) {
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(
                library.descriptorWithStrides,
                out,
                2,
                arena.allocateFrom(JAVA_LONG, rows, columns),
                type,
                arena.allocateFrom(JAVA_LONG, stride, 1));
        return out.get(ADDRESS, 0);
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
        OneDnnLibrary.call(library.engineDestroy, engine);
    }
}
