package dev.tsumugi.engine.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_ba;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/** What one thread of the team needs to compute: a stream, the products it has compiled so far, and room for a block of output rows. */
final class Worker implements AutoCloseable {
    /** Values that one run of {@link #round} takes at a time. */
    private static final int SPAN = 1 << 10;

    private final Descriptors descriptors;
    private final MemorySegment stream;
    private final Map<Product.Shape, Product> products = new HashMap<>();
    private final Map<Product.Plain, Product> plainProducts = new HashMap<>();
    private final Reorder rounding;
    private final MemorySegment tail;
    private final Arena own = Arena.ofShared();
    private final Room room = new Room();
    private final Room scratch = new Room();

    Worker(Descriptors descriptors) {
        this.descriptors = descriptors;
        this.stream = descriptors.stream();
        this.tail = own.allocate(SPAN * (Element.F32.bytes() + Element.BF16.bytes()), 64);
        MemorySegment from = descriptors.strided(1, SPAN, SPAN, 1, Element.F32.input());
        MemorySegment to = descriptors.strided(1, SPAN, SPAN, 1, Element.BF16.input());
        rounding = new Reorder(descriptors, stream, from, to);
        OneDnnLibrary.call(descriptors.library().descriptorDestroy, from);
        OneDnnLibrary.call(descriptors.library().descriptorDestroy, to);
    }

    Product product(Product.Shape shape) {
        Product product = products.get(shape);
        if (product == null) {
            product = new Product(descriptors, this, shape);
            products.put(shape, product);
        }
        return product;
    }

    Product product(Product.Plain shape) {
        Product product = plainProducts.get(shape);
        if (product == null) {
            product = new Product(descriptors, this, shape);
            plainProducts.put(shape, product);
        }
        return product;
    }

    /** Scratch memory, valid until the next call. */
    MemorySegment room(long bytes) {
        return room.of(bytes);
    }

    /** What products compute in, valid until the next call. */
    MemorySegment scratch(long bytes) {
        return scratch.of(bytes);
    }

    MemorySegment stream() {
        return stream;
    }

    /** Writes elements {@code from} until {@code from + count} of fp32 {@code x} to the same places of bfloat16 {@code out}. */
    void round(MemorySegment x, long from, MemorySegment out, int count) {
        descriptors.library().stayOnThisThread();
        MemorySegment source = x.asSlice(Element.F32.bytes() * from, (long) Element.F32.bytes() * count);
        MemorySegment target = out.asSlice(Element.BF16.bytes() * from, (long) Element.BF16.bytes() * count);
        int done = 0;
        for (; done + SPAN <= count; done += SPAN) {
            rounding.run(
                    source.address() + (long) done * Element.F32.bytes(),
                    target.address() + (long) done * Element.BF16.bytes());
        }
        if (done < count) {
            long values = (long) (count - done) * Element.F32.bytes();
            long rounded = (long) (count - done) * Element.BF16.bytes();
            MemorySegment result = tail.asSlice((long) SPAN * Element.F32.bytes());
            MemorySegment.copy(source, (long) done * Element.F32.bytes(), tail, 0, values);
            rounding.run(tail.address(), result.address());
            MemorySegment.copy(result, 0, target, (long) done * Element.BF16.bytes(), rounded);
        }
    }

    /**
     * Puts rows [outputs, inputs] in the packed layout, rounded to {@code element} where that is a float.
     *
     * @param rows row-major; fp32, or what {@link Element#INT8} has for weights
     * @param packed room for {@link Descriptors.Layout#bytes}
     */
    void pack(MemorySegment rows, MemorySegment packed, int inputs, int outputs, Element element) {
        OneDnnLibrary library = descriptors.library();
        library.stayOnThisThread();
        try (Arena local = Arena.ofConfined()) {
            // Row-major [outputs, inputs] is column-major for the [inputs, outputs] matrix of the product.
            MemorySegment plain = descriptors.tagged(
                    local, inputs, outputs, (element == Element.INT8 ? element : Element.F32).weights(), dnnl_ba);
            MemorySegment layout = descriptors.layout(inputs, outputs, element).descriptor();
            try (Reorder reorder = new Reorder(descriptors, stream, plain, layout)) {
                reorder.run(rows.address(), packed.address());
            }
            OneDnnLibrary.call(library.descriptorDestroy, plain);
        }
    }

    @Override
    public void close() {
        products.values().forEach(Product::close);
        plainProducts.values().forEach(Product::close);
        rounding.close();
        OneDnnLibrary.call(descriptors.library().streamDestroy, stream);
        room.close();
        scratch.close();
        own.close();
    }
}
