package dev.tsumugi.engine.serve;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the scheduler knows of one request: tokens known so far (prompt, then answer), how many of them are computed, and the cache blocks
 * that hold those. Behind the known tokens may stand guessed ones, which are never published.
 */
final class Sequence {
    private final String tenant;
    private final int promptLength;
    private final int mostTokens;
    private final int blockTokens;
    private final Acceptance acceptance = new Acceptance();
    private final List<BlockHash> hashes = new ArrayList<>();
    private int[] tokens;
    private int known;
    private int computed;
    private int[] blocks = new int[8];
    private int blockCount;
    private int published;
    private int preemptions;
    private int guessed;
    private int agreeing;
    private boolean hit;

    Sequence(int[] prompt, int blockTokens, String adapterDigest) {
        this(prompt, blockTokens, adapterDigest, "", Integer.MAX_VALUE);
    }

    /** @param mostTokens how long it may become */
    Sequence(int[] prompt, int blockTokens, String adapterDigest, String tenant, int mostTokens) {
        this.tenant = tenant;
        this.mostTokens = mostTokens;
        this.promptLength = prompt.length;
        this.blockTokens = blockTokens;
        tokens = Arrays.copyOf(prompt, prompt.length + 64);
        known = prompt.length;
        hashes.add(BlockHash.root(adapterDigest));
    }

    String tenant() {
        return tenant;
    }

    int promptLength() {
        return promptLength;
    }

    int known() {
        return known;
    }

    int computed() {
        return computed;
    }

    int missing() {
        return known - computed;
    }

    /** A known token, or behind those a guessed one. */
    int token(int position) {
        return tokens[position];
    }

    /** Guesses up to {@code most} tokens, no more than it may still get behind the next one, and returns how many. */
    int guess(int most) {
        int room = Math.min(most, mostTokens - known - 1);
        guessed = 0;
        if (room > 0) {
            makeRoom(room);
            agreeing = PromptLookup.guess(tokens, known, room);
            guessed = agreeing == 0 ? 0 : room;
        }
        return guessed;
    }

    /** Probability of guess {@code index}, when those before it are right. */
    double guessProbability(int index) {
        return acceptance.probability(agreeing + index);
    }

    /** Adds a generated token, which is known but not computed. */
    void append(int token) {
        hit = false;
        if (guessed > 0) {
            hit = tokens[known] == token;
            acceptance.count(agreeing, hit);
            guessed = hit ? guessed - 1 : 0;
            agreeing++;
        }
        makeRoom(1);
        tokens[known++] = token;
    }

    /** Whether the last token was guessed before it was generated. */
    boolean lastWasGuessed() {
        return hit;
    }

    private void makeRoom(int more) {
        if (known + more > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(known + more, known * 2));
        }
    }

    int[] generated() {
        return Arrays.copyOfRange(tokens, promptLength, known);
    }

    int blockCount() {
        return blockCount;
    }

    int[] blockTable() {
        return Arrays.copyOf(blocks, blockCount);
    }

    int preemptions() {
        return preemptions;
    }

    /** How many more blocks it takes to compute {@code more} tokens. */
    int blocksNeeded(int more) {
        return Math.ceilDiv(computed + more, blockTokens) - blockCount;
    }

    void addBlock(int block) {
        if (blockCount == blocks.length) {
            blocks = Arrays.copyOf(blocks, blockCount * 2);
        }
        blocks[blockCount++] = block;
    }

    /** Takes whatever leading blocks the pool has already; the last known token is always computed anew, because its logits are wanted. */
    void adoptCached(BlockPool pool) {
        while ((blockCount + 1) * blockTokens < known) {
            int block = pool.takeCached(hash(blockCount));
            if (block == BlockPool.NONE) {
                return;
            }
            addBlock(block);
            published = blockCount;
            computed = blockCount * blockTokens;
        }
    }

    /** Counts {@code more} tokens as computed and tells the pool of blocks that became full. */
    void advance(int more, BlockPool pool) {
        computed += more;
        while ((published + 1) * blockTokens <= computed) {
            pool.publish(blocks[published], hash(published));
            published++;
        }
    }

    /** Gives back what holds no computed token: room for guesses that were wrong. */
    void releaseSpareBlocks(BlockPool pool) {
        while (blockCount > Math.ceilDiv(computed, blockTokens)) {
            pool.release(blocks[--blockCount]);
        }
    }

    /** Gives all blocks back, the last one first, so that the beginning stays in the cache longest. */
    void releaseBlocks(BlockPool pool) {
        while (blockCount > 0) {
            pool.release(blocks[--blockCount]);
        }
        computed = 0;
        published = 0;
    }

    void preempt(BlockPool pool) {
        releaseBlocks(pool);
        preemptions++;
    }

    private BlockHash hash(int block) {
        while (hashes.size() <= block + 1) {
            int next = hashes.size() - 1;
            hashes.add(hashes.get(next).next(tokens, next * blockTokens, (next + 1) * blockTokens));
        }
        return hashes.get(block + 1);
    }
}
