package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.kernels.AttentionTile.Layer;
import org.jspecify.annotations.Nullable;

/**
 * Attention over a paged cache in one pass with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv
 * 2205.14135). A task is a tile of tokens and some of the query heads that share a key/value head; its rows read each cache block that they have
 * in common once.
 */
final class VectorAttention implements AutoCloseable {
    /** With fewer, threads would be idle in the end. */
    private static final int TASKS_PER_THREAD = 2;

    private final ThreadTeam team;
    private final @Nullable Member[] members;
    private @Nullable LongRunAttention longRuns;

    VectorAttention(ThreadTeam team) {
        this.team = team;
        members = new Member[team.size()];
    }

    /** What one thread of the team computes with. */
    private static final class Member implements AutoCloseable {
        private final Scratch commonScratch = new Scratch();
        private final Scratch ownScratch = new Scratch();
        /** Over the blocks that all of a tile's sequences share. */
        private final AttentionTile common;
        /** Over the blocks of one sequence. */
        private final AttentionTile own;

        Member(Layer first) {
            common = new AttentionTile(commonScratch, first);
            own = new AttentionTile(ownScratch, first);
        }

        void run(Layer layer, TokenTile tile, int head) {
            int shared = tile.sharedBlocks();
            if (shared > 0) {
                common.begin(layer, tile.tokens(), 0, tile.tokens().length, head);
                common.read(0, shared);
            }
            for (int i = 0; i < tile.sequences(); i++) {
                if (shared > 0) {
                    own.takeFrom(common, tile.parts()[i], tile.parts()[i + 1]);
                    own.readOn(shared);
                } else {
                    own.begin(layer, tile.tokens(), tile.parts()[i], tile.parts()[i + 1], head);
                    own.readAll();
                }
            }
        }

        @Override
        public void close() {
            commonScratch.close();
            ownScratch.close();
        }
    }

    void handLongRunsTo(LongRunAttention attention) {
        longRuns = attention;
    }

    void run(
            long out,
            long queries,
            VectorCache cache,
            int layer,
            HostBatchPlan plan,
            int heads,
            int window,
            float scale) {
        LongRunAttention others = longRuns;
        int leastTokens =
                others != null && cache.isBFloat16() ? others.leastTokens(plan.blockTokens) : Integer.MAX_VALUE;
        if (others != null && leastTokens < Integer.MAX_VALUE) {
            runLong(others, leastTokens, out, queries, cache, layer, plan, heads, window, scale);
        }
        // What is behind a window would have to be left out for some rows and not for others. Enough tasks must be left
        // for all threads.
        int together = window > 0 ? 0 : plan.tokens() * cache.keyValueHeads() / (TASKS_PER_THREAD * team.size());
        TokenTile[] tiles = plan.tiles(leastTokens, together);
        int groupHeads = heads / cache.keyValueHeads();
        // Few tasks, as in decoding one sequence, would leave threads idle in the end: then every head is a task.
        boolean split = tiles.length * cache.keyValueHeads() < TASKS_PER_THREAD * team.size();
        int taskHeads = split ? 1 : groupHeads;
        int parts = heads / taskHeads;
        Layer of = new Layer(cache, layer, plan, out, queries, heads, taskHeads, window, scale);
        team.run(tiles.length * parts, (task, member) -> {
            // Those of several sequences, and later ones of a prompt, take longer; begun first, they do not end last.
            TokenTile tile = tiles[tiles.length - 1 - task / parts];
            member(member, of).run(of, tile, task % parts * taskHeads);
        });
    }

    private Member member(int number, Layer of) {
        Member member = members[number];
        if (member == null) {
            member = new Member(of);
            members[number] = member;
        }
        return member;
    }

    private static void runLong(
            LongRunAttention attention,
            int leastTokens,
            long out,
            long queries,
            VectorCache cache,
            int layer,
            HostBatchPlan plan,
            int heads,
            int window,
            float scale) {
        for (int run = 0; run + 1 < plan.runStarts.length; run++) {
            int first = plan.runStarts[run];
            int tokens = plan.runStarts[run + 1] - first;
            if (tokens >= leastTokens) {
                long row = (long) first * heads * cache.headSize() * Lanes.FLOAT_BYTES;
                int[] table = plan.blockTables[plan.sequences[first]];
                attention.attend(new LongRunAttention.Run(
                        out + row,
                        queries + row,
                        tokens,
                        plan.positions[first],
                        heads,
                        cache.keyValueHeads(),
                        cache.headSize(),
                        window,
                        scale,
                        plan.blockTokens,
                        (head, block, keys, keyStride, values) ->
                                cache.copy(layer, table[block], head, keys, keyStride, values)));
            }
        }
    }

    @Override
    public void close() {
        for (Member member : members) {
            if (member != null) {
                member.close();
            }
        }
    }
}
