package dev.tsumugi.engine.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_impl_info_str;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_scratchpad_md;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** One compiled product of fixed shape, with the argument objects of the one thread that runs it. */
final class Product implements AutoCloseable {
    private static final int ARGUMENTS = 4;
    private static final long ARGUMENT_BYTES = 16;

    /** @param outStride elements from one row of the output to the next */
    record Shape(int rows, int inputs, int outputs, int outStride, Element element) {}

    /**
     * {@code c = a b} or {@code c += a b} in fp32, of bfloat16 [rows, inner] and [inner, columns] that are not packed, either way round.
     *
     * @param aRow elements from one row of {@code a} to the next; likewise the others
     */
    record Plain(
            int rows, int inner, int columns, int aRow, int aColumn, int bRow, int bColumn, int cRow, boolean add) {}

    private final OneDnnLibrary library;
    private final Worker worker;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment primitive;
    private final MemorySegment source;
    private final MemorySegment weights;
    private final MemorySegment target;
    private final MemorySegment scratch;
    private final MemorySegment arguments;
    private final long scratchBytes;
    private final String implementation;

    /** By weights in the layout that oneDNN chose for them. */
    Product(Descriptors descriptors, Worker worker, Shape shape) {
        this(
                descriptors,
                worker,
                descriptors.strided(
                        shape.rows(),
                        shape.inputs(),
                        shape.inputs(),
                        1,
                        shape.element().input()),
                descriptors.copy(descriptors
                        .layout(shape.inputs(), shape.outputs(), shape.element())
                        .descriptor()),
                descriptors.strided(
                        shape.rows(),
                        shape.outputs(),
                        shape.outStride(),
                        1,
                        shape.element().output()),
                false);
    }

    /** Of matrices as they lie. */
    Product(Descriptors descriptors, Worker worker, Plain shape) {
        this(
                descriptors,
                worker,
                descriptors.strided(shape.rows(), shape.inner(), shape.aRow(), shape.aColumn(), Element.BF16.input()),
                descriptors.strided(
                        shape.inner(), shape.columns(), shape.bRow(), shape.bColumn(), Element.BF16.weights()),
                descriptors.strided(shape.rows(), shape.columns(), shape.cRow(), 1, Element.BF16.output()),
                shape.add());
    }

    /** The three layouts are freed. */
    private Product(
            Descriptors descriptors,
            Worker worker,
            MemorySegment sourceLayout,
            MemorySegment weightsLayout,
            MemorySegment targetLayout,
            boolean add) {
        this.library = descriptors.library();
        this.worker = worker;
        MemorySegment descriptor = descriptors.product(arena, sourceLayout, weightsLayout, targetLayout, add);
        implementation = library.implementation(descriptor, dnnl_query_impl_info_str, arena.allocate(ADDRESS));
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(library.primitiveCreate, out, descriptor);
        primitive = out.get(ADDRESS, 0);
        MemorySegment scratchLayout = library.query(descriptor, dnnl_query_scratchpad_md);
        source = memory(descriptors, sourceLayout, MemorySegment.NULL);
        weights = memory(descriptors, weightsLayout, MemorySegment.NULL);
        target = memory(descriptors, targetLayout, MemorySegment.NULL);
        scratch = memory(descriptors, scratchLayout, MemorySegment.NULL);
        scratchBytes = library.size(scratchLayout);
        for (MemorySegment layout : new MemorySegment[] {sourceLayout, weightsLayout, targetLayout}) {
            OneDnnLibrary.call(library.descriptorDestroy, layout);
        }
        OneDnnLibrary.call(library.primitiveDescriptorDestroy, descriptor);
        arguments = arena.allocate(ARGUMENTS * ARGUMENT_BYTES, 8);
        argument(0, DNNL_ARG_SRC, source);
        argument(1, DNNL_ARG_WEIGHTS, weights);
        argument(2, DNNL_ARG_DST, target);
        argument(3, DNNL_ARG_SCRATCHPAD, scratch);
    }

    private MemorySegment memory(Descriptors descriptors, MemorySegment descriptor, MemorySegment handle) {
        MemorySegment out = arena.allocate(ADDRESS);
        OneDnnLibrary.call(library.memoryCreate, out, descriptor, descriptors.engine(), handle);
        return out.get(ADDRESS, 0);
    }

    private void argument(int index, int role, MemorySegment memory) {
        arguments.set(JAVA_INT, index * ARGUMENT_BYTES, role);
        arguments.set(ADDRESS, index * ARGUMENT_BYTES + 8, memory);
    }

    /** Which of oneDNN's implementations runs. */
    String implementation() {
        return implementation;
    }

    /**
     * Computes on the calling thread and returns when done.
     *
     * @param x address of [rows, inputs]
     * @param packed address of the weights in their layout
     * @param out address of the first element of the output
     */
    void run(long x, long packed, long out) {
        int status;
        try {
            status = (int) library.memorySetHandle.invokeExact(source, MemorySegment.ofAddress(x));
            status |= (int) library.memorySetHandle.invokeExact(weights, MemorySegment.ofAddress(packed));
            status |= (int) library.memorySetHandle.invokeExact(target, MemorySegment.ofAddress(out));
            status |= (int) library.memorySetHandle.invokeExact(scratch, worker.scratch(scratchBytes));
            status |= (int) library.primitiveExecute.invokeExact(primitive, worker.stream(), ARGUMENTS, arguments);
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN cannot be called", e);
        }
        OneDnnLibrary.check(status);
    }

    @Override
    public void close() {
        OneDnnLibrary.call(library.primitiveDestroy, primitive);
        for (MemorySegment memory : new MemorySegment[] {source, weights, target, scratch}) {
            OneDnnLibrary.call(library.memoryDestroy, memory);
        }
        arena.close();
    }
}
