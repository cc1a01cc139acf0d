package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.tensor.DType;

/**
 * Keys and values as {@link VectorAttention} reads them. Per layer, block and head: keys [D][slots], so that a vector holds one element of
 * neighbouring positions, then values [blockTokens][D]; the inner dimensions are padded to whole vectors.
 */
final class VectorCache implements PagedCache {
    private final int layers;
    private final int blocks;
    private final int blockTokens;
    private final int keyValueHeads;
    private final int headSize;
    private final DType storage;
    private final ArenaMemory memory;
    private final long address;

    VectorCache(int layers, int blocks, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        Sizes.requireCacheSize(layers, blocks, blockTokens, keyValueHeads, headSize, storage);
        this.layers = layers;
        this.blocks = blocks;
        this.blockTokens = blockTokens;
        this.keyValueHeads = keyValueHeads;
        this.headSize = headSize;
        this.storage = storage;
        memory = new ArenaMemory(
                Math.multiplyExact(blockBytes(layers, blockTokens, keyValueHeads, headSize, storage), (long) blocks));
        address = memory.segment().address();
    }

    static long blockBytes(int layers, int blockTokens, int keyValueHeads, int headSize, DType storage) {
        return (long) layers * keyValueHeads * headElements(blockTokens, headSize) * storage.blockBytes();
    }

    private static long headElements(int blockTokens, int headSize) {
        return (long) headSize * padded(blockTokens) + (long) blockTokens * padded(headSize);
    }

    static int padded(int elements) {
        return (elements + Lanes.L - 1) / Lanes.L * Lanes.L;
    }

    static VectorCache of(PagedCache cache) {
        if (!(cache instanceof VectorCache vector)) {
            throw new IllegalArgumentException("the cache is of another backend");
        }
        if (!vector.memory.segment().scope().isAlive()) {
            throw new IllegalStateException("the cache is closed");
        }
        return vector;
    }

    /** Elements between the rows of {@link #keys}. */
    int slotStride() {
        return padded(blockTokens);
    }

    /** Elements between the rows of {@link #values}. */
    int valueStride() {
        return padded(headSize);
    }

    boolean isBFloat16() {
        return storage == DType.BF16;
    }

    long keyElements() {
        return (long) headSize * slotStride();
    }

    long valueElements() {
        return (long) blockTokens * valueStride();
    }

    long keys(int layer, int block, int head) {
        long index = ((long) layer * blocks + block) * keyValueHeads + head;
        return address + index * headElements(blockTokens, headSize) * storage.blockBytes();
    }

    long values(int layer, int block, int head) {
        return keys(layer, block, head) + keyElements() * storage.blockBytes();
    }

    /** As {@link LongRunAttention.Blocks#copy}, in bfloat16 only. */
    void copy(int layer, int block, int head, long keysTo, long keyStride, long valuesTo) {
        long keys = keys(layer, block, head);
        long values = values(layer, block, head);
        long rowBytes = blockTokens * (long) Short.BYTES;
        if (blockTokens == Lanes.L) {
            for (int d = 0; d < headSize; d++) {
                Lanes.copyHalf(keys + d * rowBytes, keysTo + d * keyStride * Short.BYTES);
            }
        } else {
            for (int d = 0; d < headSize; d++) {
                long from = keys + d * (long) slotStride() * Short.BYTES;
                Lanes.copy(from, keysTo + d * keyStride * Short.BYTES, rowBytes);
            }
        }
        long valueBytes = headSize * (long) Short.BYTES;
        if (valueStride() == headSize) {
            Lanes.copy(values, valuesTo, blockTokens * valueBytes);
            return;
        }
        for (int slot = 0; slot < blockTokens; slot++) {
            Lanes.copy(values + slot * (long) valueStride() * Short.BYTES, valuesTo + slot * valueBytes, valueBytes);
        }
    }

    /** Writes one position of one head from fp32 [D] each. */
    void store(int layer, int block, int slot, int head, long key, long value) {
        long keyTo = keys(layer, block, head);
        long valueTo = values(layer, block, head) + (long) slot * valueStride() * storage.blockBytes();
        if (isBFloat16()) {
            storeBFloat16(key, keyTo + slot * (long) Short.BYTES, value, valueTo);
            return;
        }
        long stride = slotStride() * Lanes.FLOAT_BYTES;
        Lanes.copy(value, valueTo, headSize * Lanes.FLOAT_BYTES);
        for (int d = 0; d < headSize; d++) {
            float k = Lanes.getFloat(key + d * Lanes.FLOAT_BYTES);
            Lanes.setFloat(keyTo + slot * Lanes.FLOAT_BYTES + d * stride, k);
        }
    }

    /** A value's elements lie side by side and are rounded by vectors; those of a key go to their places one by one. */
    private void storeBFloat16(long key, long keyTo, long value, long valueTo) {
        long stride = slotStride() * (long) Short.BYTES;
        for (int d = 0; d < headSize; d++) {
            Lanes.setShort(keyTo + d * stride, BFloat16.bits(Lanes.getFloat(key + d * Lanes.FLOAT_BYTES)));
        }
        BFloat16.round(value, valueTo, headSize);
    }

    @Override
    public int layers() {
        return layers;
    }

    @Override
    public int blocks() {
        return blocks;
    }

    @Override
    public int blockTokens() {
        return blockTokens;
    }

    @Override
    public int keyValueHeads() {
        return keyValueHeads;
    }

    @Override
    public int headSize() {
        return headSize;
    }

    @Override
    public DType storage() {
        return storage;
    }

    @Override
    public void close() {
        memory.close();
    }
}
