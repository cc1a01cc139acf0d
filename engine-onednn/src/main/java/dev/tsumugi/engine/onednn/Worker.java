package dev.tsumugi.engine.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_ba;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/** What one thread of the team needs to compute: a stream, the products it has compiled so far, and room for a block of output rows. */
final class Worker implements AutoCloseable {
    private final Descriptors descriptors;
    private final MemorySegment stream;
    private final Map<Product.Shape, Product> products = new HashMap<>();
    private final Map<Product.Plain, Product> plainProducts = new HashMap<>();
    private final Room room = new Room();
    private final Room scratch = new Room();

    Worker(Descriptors descriptors) {
        this.descriptors = descriptors;
        this.stream = descriptors.stream();
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
        OneDnnLibrary.call(descriptors.library().streamDestroy, stream);
        room.close();
        scratch.close();
    }
}
