package dev.tsumugi.engine.kernels;

import org.jspecify.annotations.Nullable;

/** The plan of a batch whose backend computes in this process: its layout and the rope angles of each token. */
final class HostBatchPlan extends BatchLayout implements BatchPlan {
    /** [T, R/2]. */
    final float[] cosines;
    /** [T, R/2]. */
    final float[] sines;

    private TokenTile @Nullable [] tiles;
    private int tilesUntil;
    private int tilesTogether;

    HostBatchPlan(
            int[] tokens,
            int[] positions,
            int[] sequences,
            int[][] blockTables,
            int[] outputs,
            int blockTokens,
            float[] inverseFrequencies) {
        super(tokens, positions, sequences, blockTables, outputs, blockTokens, inverseFrequencies.length);
        cosines = new float[tokens.length * rotaryPairs];
        sines = new float[tokens.length * rotaryPairs];
        for (int t = 0; t < tokens.length; t++) {
            for (int i = 0; i < rotaryPairs; i++) {
                float angle = positions[t] * inverseFrequencies[i];
                cosines[t * rotaryPairs + i] = (float) Math.cos(angle);
                sines[t * rotaryPairs + i] = (float) Math.sin(angle);
            }
        }
    }

    /** {@link TokenTile#of}, for all layers of a pass. */
    TokenTile[] tiles(int longRun, int together) {
        TokenTile[] made = tiles;
        if (made == null || tilesUntil != longRun || tilesTogether != together) {
            made = TokenTile.of(this, longRun, together, AttentionTile.spanBlocks(blockTokens));
            tiles = made;
            tilesUntil = longRun;
            tilesTogether = together;
        }
        return made;
    }

    @Override
    public void close() {}

    static HostBatchPlan of(BatchPlan plan) {
        if (plan instanceof HostBatchPlan host) {
            return host;
        }
        throw new IllegalArgumentException("the plan is of another backend");
    }
}
