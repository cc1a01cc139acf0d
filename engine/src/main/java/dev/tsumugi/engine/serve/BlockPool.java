package dev.tsumugi.engine.serve;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Who uses which block of the key/value cache. A block is held by any number of sequences that share its content; one that nobody holds is
 * free, and keeps its content for a later hit until it is taken for something else, the longest unused first. Running out is a return
 * value. For one thread.
 */
final class BlockPool {
    /** {@link #take} and {@link #takeCached} found nothing. */
    static final int NONE = -1;

    private final int[] holders;
    private final @Nullable BlockHash[] content;
    private final Map<BlockHash, Integer> byContent = new HashMap<>();
    private final FreeList free;

    BlockPool(int blocks) {
        if (blocks < 1) {
            throw new IllegalArgumentException("a pool of " + blocks + " blocks; at least one is needed");
        }
        holders = new int[blocks];
        content = new BlockHash[blocks];
        free = new FreeList(blocks);
    }

    int capacity() {
        return holders.length;
    }

    /** Blocks that nobody holds. */
    int available() {
        return free.size();
    }

    /** @return a block for new content, now held once, or {@link #NONE} */
    int take() {
        int block = free.removeOldest();
        if (block != NONE) {
            BlockHash old = content[block];
            if (old != null) {
                byContent.remove(old);
                content[block] = null;
            }
            holders[block] = 1;
        }
        return block;
    }

    /** @return the block with this content, now held once more, or {@link #NONE} */
    int takeCached(BlockHash hash) {
        Integer block = byContent.get(hash);
        if (block == null) {
            return NONE;
        }
        if (holders[block]++ == 0) {
            free.remove(block);
        }
        return block;
    }

    /** Says that {@code block} is full and will not be written again; where another block has the same content already, that one stays known. */
    void publish(int block, BlockHash hash) {
        if (holders[block] == 0) {
            throw new IllegalStateException("block " + block + " is published by nobody who holds it");
        }
        if (content[block] == null && byContent.putIfAbsent(hash, block) == null) {
            content[block] = hash;
        }
    }

    /** Gives one hold back. */
    void release(int block) {
        if (holders[block] == 0) {
            throw new IllegalStateException("block " + block + " is released by nobody who holds it");
        }
        if (--holders[block] == 0) {
            if (content[block] == null) {
                free.addOldest(block);
            } else {
                free.addNewest(block);
            }
        }
    }

    /** A list of blocks, the longest unused first, with removal from anywhere. */
    private static final class FreeList {
        private final int[] next;
        private final int[] previous;
        private final int end;
        private int size;

        FreeList(int blocks) {
            end = blocks;
            next = new int[blocks + 1];
            previous = new int[blocks + 1];
            Arrays.fill(next, end);
            Arrays.fill(previous, end);
            for (int block = 0; block < blocks; block++) {
                addNewest(block);
            }
        }

        int size() {
            return size;
        }

        void addNewest(int block) {
            insert(previous[end], block, end);
        }

        void addOldest(int block) {
            insert(end, block, next[end]);
        }

        private void insert(int before, int block, int behind) {
            next[before] = block;
            previous[block] = before;
            next[block] = behind;
            previous[behind] = block;
            size++;
        }

        int removeOldest() {
            int block = next[end];
            if (block == end) {
                return NONE;
            }
            remove(block);
            return block;
        }

        void remove(int block) {
            next[previous[block]] = next[block];
            previous[next[block]] = previous[block];
            size--;
        }
    }
}
