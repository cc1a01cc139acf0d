package dev.tsumugi.engine.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.dnnl_ba;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/** What one thread of the team needs to compute: a stream, the products it has compiled so far, and room for a block of output rows. */
final class Worker implements AutoCloseable {
    /** Most values that {@link #round} takes. */
    static final int SPAN = 1 << 13;

    private final Descriptors descriptors;
    private final MemorySegment stream;
    private final Map<Product.Shape, Product> products = new HashMap<>();
    private final float[] values = new float[SPAN];
    private final short[] rounded = new short[SPAN];
    private Arena arena = Arena.ofShared();
    private MemorySegment room = MemorySegment.NULL;

    Worker(Descriptors descriptors) {
        this.descriptors = descriptors;
        this.stream = descriptors.stream();
    }

    Product product(Product.Shape shape) {
        Product product = products.get(shape);
        if (product == null) {
            product = new Product(descriptors, stream, shape);
            products.put(shape, product);
        }
        return product;
    }

    /** Address of scratch memory, valid until the next call. */
    MemorySegment room(long bytes) {
        if (room.byteSize() < bytes) {
            arena.close();
            arena = Arena.ofShared();
            room = arena.allocate(bytes, 64);
        }
        return room;
    }

    /** Writes elements {@code from} until {@code from + count} of fp32 {@code x} to the same places of bfloat16 {@code out}. */
    void round(MemorySegment x, long from, MemorySegment out, int count) {
        MemorySegment.copy(x, JAVA_FLOAT_UNALIGNED, 4 * from, values, 0, count);
        Rounding.toBfloat16(values, rounded, count);
        MemorySegment.copy(rounded, 0, out, JAVA_SHORT, 2 * from, count);
    }

    /**
     * Puts rows [outputs, inputs] in the packed layout.
     *
     * @param rows of {@code element}, row-major
     * @param packed room for {@link Descriptors.Layout#bytes}
     */
    void pack(MemorySegment rows, MemorySegment packed, int inputs, int outputs, Element element) {
        OneDnnLibrary library = descriptors.library();
        library.stayOnThisThread();
        try (Arena local = Arena.ofConfined()) {
            // Row-major [outputs, inputs] is column-major for the [inputs, outputs] matrix of the product.
            MemorySegment plain = descriptors.tagged(local, inputs, outputs, element, dnnl_ba);
            MemorySegment layout = descriptors.layout(inputs, outputs, element).descriptor();
            MemorySegment out = local.allocate(ADDRESS);
            MemorySegment engine = descriptors.engine();
            OneDnnLibrary.call(library.reorderDescriptor, out, plain, engine, layout, engine, MemorySegment.NULL);
            MemorySegment descriptor = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.primitiveCreate, out, descriptor);
            MemorySegment primitive = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.memoryCreate, out, plain, engine, rows);
            MemorySegment from = out.get(ADDRESS, 0);
            OneDnnLibrary.call(library.memoryCreate, out, layout, engine, packed);
            MemorySegment to = out.get(ADDRESS, 0);
            MemorySegment arguments = local.allocate(32, 8);
            arguments.set(JAVA_INT, 0, DNNL_ARG_FROM);
            arguments.set(ADDRESS, 8, from);
            arguments.set(JAVA_INT, 16, DNNL_ARG_TO);
            arguments.set(ADDRESS, 24, to);
            OneDnnLibrary.call(library.primitiveExecute, primitive, stream, 2, arguments);
            OneDnnLibrary.call(library.memoryDestroy, from);
            OneDnnLibrary.call(library.memoryDestroy, to);
            OneDnnLibrary.call(library.primitiveDestroy, primitive);
            OneDnnLibrary.call(library.primitiveDescriptorDestroy, descriptor);
            OneDnnLibrary.call(library.descriptorDestroy, plain);
        }
    }

    @Override
    public void close() {
        products.values().forEach(Product::close);
        OneDnnLibrary.call(descriptors.library().streamDestroy, stream);
        arena.close();
    }
}
