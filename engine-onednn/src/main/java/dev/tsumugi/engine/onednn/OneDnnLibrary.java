package dev.tsumugi.engine.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;

/**
 * The C interface of oneDNN, called directly: its handles are plain addresses that we free ourselves, where the generated Java classes
 * would leave hundreds of small objects to the garbage collector. Of JavaCPP only the loader is used, which unpacks the library from its
 * Maven artifact into a cache.
 *
 * <p>Source: oneDNN 3.11, {@code dnnl.h}.
 */
final class OneDnnLibrary {
    private static final int OK = 0;

    private final SymbolLookup symbols;
    private final Linker linker = Linker.nativeLinker();
    private final Optional<MethodHandle> setOpenMpThreads;

    final MethodHandle engineCreate;
    final MethodHandle streamCreate;
    final MethodHandle streamDestroy;
    final MethodHandle engineDestroy;
    final MethodHandle descriptorWithTag;
    final MethodHandle descriptorWithStrides;
    final MethodHandle descriptorClone;
    final MethodHandle descriptorDestroy;
    final MethodHandle descriptorBlob;
    final MethodHandle memoryCreate;
    final MethodHandle memorySetHandle;
    final MethodHandle memoryDestroy;
    final MethodHandle attributesCreate;
    final MethodHandle attributesScratchpad;
    final MethodHandle attributesDestroy;
    /** What follows a product: oneDNN's "post-ops". */
    final MethodHandle followingCreate;

    final MethodHandle followingSum;
    final MethodHandle followingDestroy;
    final MethodHandle attributesFollowing;
    final MethodHandle matmulDescriptor;
    final MethodHandle reorderDescriptor;
    final MethodHandle primitiveDescriptorDestroy;
    final MethodHandle primitiveCreate;
    final MethodHandle primitiveDestroy;
    final MethodHandle primitiveExecute;
    private final MethodHandle descriptorSize;
    private final MethodHandle queryDescriptor;
    private final MethodHandle queryText;
    private final MethodHandle effectiveIsa;

    private OneDnnLibrary(SymbolLookup symbols) {
        this.symbols = symbols;
        FunctionDescriptor one = FunctionDescriptor.of(JAVA_INT, ADDRESS);
        FunctionDescriptor two = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS);
        engineCreate = function("dnnl_engine_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG));
        engineDestroy = function("dnnl_engine_destroy", one);
        streamCreate = function("dnnl_stream_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
        streamDestroy = function("dnnl_stream_destroy", one);
        descriptorWithTag = function(
                "dnnl_memory_desc_create_with_tag",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
        descriptorWithStrides = function(
                "dnnl_memory_desc_create_with_strides",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS));
        descriptorClone = function("dnnl_memory_desc_clone", two);
        descriptorDestroy = function("dnnl_memory_desc_destroy", one);
        descriptorSize = function("dnnl_memory_desc_get_size", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
        descriptorBlob =
                function("dnnl_memory_desc_get_blob", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS));
        memoryCreate =
                function("dnnl_memory_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        memorySetHandle = function("dnnl_memory_set_data_handle", two);
        memoryDestroy = function("dnnl_memory_destroy", one);
        attributesCreate = function("dnnl_primitive_attr_create", one);
        attributesScratchpad =
                function("dnnl_primitive_attr_set_scratchpad_mode", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
        attributesDestroy = function("dnnl_primitive_attr_destroy", one);
        followingCreate = function("dnnl_post_ops_create", one);
        followingSum = function(
                "dnnl_post_ops_append_sum", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_FLOAT, JAVA_INT, JAVA_INT));
        followingDestroy = function("dnnl_post_ops_destroy", one);
        attributesFollowing = function("dnnl_primitive_attr_set_post_ops", two);
        matmulDescriptor = function(
                "dnnl_matmul_primitive_desc_create",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        reorderDescriptor = function(
                "dnnl_reorder_primitive_desc_create",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        primitiveDescriptorDestroy = function("dnnl_primitive_desc_destroy", one);
        primitiveCreate = function("dnnl_primitive_create", two);
        primitiveDestroy = function("dnnl_primitive_destroy", one);
        primitiveExecute = function(
                "dnnl_primitive_execute", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT, ADDRESS));
        queryDescriptor =
                function("dnnl_primitive_desc_query_md", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
        queryText = function(
                "dnnl_primitive_desc_query", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
        effectiveIsa = function("dnnl_get_effective_cpu_isa", FunctionDescriptor.of(JAVA_INT));
        setOpenMpThreads = symbols.find("omp_set_num_threads")
                .map(address -> linker.downcallHandle(address, FunctionDescriptor.ofVoid(JAVA_INT)));
    }

    private static String folder() {
        return "/org/bytedeco/dnnl/" + Loader.getPlatform() + "/";
    }

    /** Whether the class path has the native library for this platform; loads nothing. */
    static boolean isPresent() {
        return OneDnnLibrary.class.getResource(folder() + "libdnnl.so.3") != null;
    }

    /** @throws UnsatisfiedLinkError when there is no native library for this platform, or it cannot be loaded */
    static OneDnnLibrary load() {
        return Holder.LIBRARY;
    }

    private static final class Holder {
        static final OneDnnLibrary LIBRARY = loadNow();

        private static OneDnnLibrary loadNow() {
            // libdnnl needs libgomp, and finds the one that is loaded already.
            System.load(unpack("libgomp.so.1"));
            System.load(unpack("libdnnl.so.3"));
            return new OneDnnLibrary(SymbolLookup.loaderLookup());
        }

        private static String unpack(String name) {
            String resource = folder() + name;
            try {
                File file = Loader.cacheResource(OneDnnLibrary.class, resource);
                if (file == null) {
                    throw new UnsatisfiedLinkError("there is no " + resource + " on the class path");
                }
                return file.getAbsolutePath();
            } catch (IOException e) {
                throw new UnsatisfiedLinkError(resource + " cannot be unpacked: " + e);
            }
        }
    }

    private MethodHandle function(String name, FunctionDescriptor descriptor) {
        MemorySegment address =
                symbols.find(name).orElseThrow(() -> new UnsatisfiedLinkError("oneDNN lacks the function " + name));
        return linker.downcallHandle(address, descriptor);
    }

    /** Calls {@code function} and fails unless it returns success. */
    static void call(MethodHandle function, Object... arguments) {
        int status;
        try {
            status = (int) function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN cannot be called", e);
        }
        check(status);
    }

    static void check(int status) {
        if (status != OK) {
            throw new IllegalStateException("oneDNN failed with status " + status
                    + (status == 1 ? " (out of memory)" : status == 3 ? " (not implemented on this processor)" : ""));
        }
    }

    long size(MemorySegment descriptor) {
        try {
            return (long) descriptorSize.invokeExact(descriptor);
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN cannot be called", e);
        }
    }

    /** A memory descriptor inside of a primitive descriptor, valid as long as that. */
    MemorySegment query(MemorySegment primitiveDescriptor, int what) {
        try {
            return (MemorySegment) queryDescriptor.invokeExact(primitiveDescriptor, what, 0);
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN cannot be called", e);
        }
    }

    /** Name of the implementation that a primitive descriptor chose, such as {@code brg_matmul:avx512_core_bf16}. */
    String implementation(MemorySegment primitiveDescriptor, int query, MemorySegment room) {
        call(queryText, primitiveDescriptor, query, 0, room);
        return room.get(ADDRESS, 0).reinterpret(256).getString(0);
    }

    /** {@code dnnl_cpu_isa_t} that oneDNN generates code for. */
    int effectiveIsa() {
        try {
            return (int) effectiveIsa.invokeExact();
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN cannot be called", e);
        }
    }

    /** Keeps oneDNN on the calling thread: our own team shares work out, and OpenMP's threads would spin beside it. */
    void stayOnThisThread() {
        if (setOpenMpThreads.isPresent()) {
            try {
                setOpenMpThreads.get().invokeExact(1);
            } catch (Throwable e) {
                throw new IllegalStateException("OpenMP cannot be called", e);
            }
        }
    }
}
