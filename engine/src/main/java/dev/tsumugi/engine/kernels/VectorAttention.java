package dev.tsumugi.engine.kernels;

import dev.tsumugi.engine.kernels.AttentionTile.Layer;
import org.jspecify.annotations.Nullable;

/**
 * Attention over a paged cache in one pass with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv
 * 2205.14135). A task is a tile of neighbouring tokens of one sequence and some of the query heads that share a key/value head; its rows read
 * each cache block once.
 */
final class VectorAttention implements AutoCloseable {
    private static final int TILE_TOKENS = 16;

    private final ThreadTeam team;
    private final Scratch[] scratch;
    private final @Nullable AttentionTile[] memberTiles;
    private @Nullable LongRunAttention longRuns;

    VectorAttention(ThreadTeam team) {
        this.team = team;
        scratch = new Scratch[team.size()];
        memberTiles = new AttentionTile[team.size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
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
        int[] tileStarts = plan.tileStarts(TILE_TOKENS, leastTokens);
        int tiles = tileStarts.length / 2;
        int groupHeads = heads / cache.keyValueHeads();
        // Few tasks, as in decoding one sequence, would leave threads idle in the end: then every head is a task.
        boolean split = tiles * cache.keyValueHeads() < 2 * team.size();
        int taskHeads = split ? 1 : groupHeads;
        int parts = heads / taskHeads;
        Layer of = new Layer(cache, layer, plan, out, queries, heads, taskHeads, window, scale);
        team.run(tiles * parts, (task, member) -> {
            // Later tiles see more and take longer; begun first, they do not end last.
            int tile = tiles - 1 - task / parts;
            int head = task % parts * taskHeads;
            tile(member, of).run(of, tileStarts[2 * tile], tileStarts[2 * tile + 1], head);
        });
    }

    private AttentionTile tile(int member, Layer of) {
        AttentionTile tile = memberTiles[member];
        if (tile == null) {
            tile = new AttentionTile(scratch[member], of);
            memberTiles[member] = tile;
        }
        return tile;
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
        for (Scratch memory : scratch) {
            memory.close();
        }
    }
}
