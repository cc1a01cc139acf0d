package dev.tsumugi.engine.kernels;

/**
 * Attention over a paged cache in one pass with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv
 * 2205.14135). A task is a tile of neighbouring tokens of one sequence and some of the query heads that share a key/value head; its rows read
 * each cache block once.
 */
final class VectorAttention implements AutoCloseable {
    private static final int TILE_TOKENS = 16;

    private final ThreadTeam team;
    private final Scratch[] scratch;

    VectorAttention(ThreadTeam team) {
        this.team = team;
        scratch = new Scratch[team.size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
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
        int[] tileStarts = plan.tileStarts(TILE_TOKENS);
        int tiles = tileStarts.length - 1;
        int groupHeads = heads / cache.keyValueHeads();
        // Few tasks, as in decoding one sequence, would leave threads idle in the end: then every head is a task.
        boolean split = tiles * cache.keyValueHeads() < 2 * team.size();
        int taskHeads = split ? 1 : groupHeads;
        int parts = heads / taskHeads;
        team.run(tiles * parts, (task, member) -> {
            // Later tiles see more and take longer; begun first, they do not end last.
            int tile = tiles - 1 - task / parts;
            int firstHead = task % parts * taskHeads;
            new AttentionTile(
                            cache,
                            layer,
                            plan,
                            tileStarts[tile],
                            tileStarts[tile + 1],
                            firstHead,
                            taskHeads,
                            firstHead / groupHeads,
                            heads,
                            window,
                            scratch[member])
                    .run(out, queries, scale);
        });
    }

    @Override
    public void close() {
        for (Scratch memory : scratch) {
            memory.close();
        }
    }
}
