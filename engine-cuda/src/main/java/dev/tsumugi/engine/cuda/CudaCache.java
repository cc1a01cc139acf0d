package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.PagedCache;
import dev.tsumugi.engine.tensor.DType;
import java.util.Locale;

/** Keys and values on the device; layout in cache.cuh. */
record CudaCache(
        int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage, DeviceMemory memory)
        implements PagedCache {

    /** Elements of a head with its padding. */
    static int padded(int headSize) {
        return headSize + 7 & -8;
    }

    /** Bytes of keys and values of one block in all layers. */
    static long blockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return 2L * layers * blockTokens * keyValueHeads * padded(headSize) * storage.blockBytes();
    }

    private long layerBytes() {
        return memory.byteSize() / layers;
    }

    long keys(int layer) {
        return memory.address() + layer * layerBytes();
    }

    long values(int layer) {
        return keys(layer) + layerBytes() / 2;
    }

    /** As kernels are called that read it. */
    String kernelSuffix() {
        return storage.name().toLowerCase(Locale.ROOT);
    }

    static CudaCache of(PagedCache cache) {
        if (cache instanceof CudaCache own) {
            return own;
        }
        throw new IllegalArgumentException("the cache is of another backend");
    }

    @Override
    public void close() {
        memory.close();
    }
}
