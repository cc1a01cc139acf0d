package dev.tsumugi.engine.kernels;

/**
 * The arrays of {@link Kernels#plan}, checked against each other, and what a backend of any kind derives from them.
 */
public class BatchLayout {
    final int[] tokens;
    final int[] positions;
    final int[] sequences;
    final int[][] blockTables;
    final int[] outputs;
    final int blockTokens;
    final int rotaryPairs;
    /** Runs of tokens of one sequence: run i is tokens {@code runStarts[i]} until {@code runStarts[i + 1]}. */
    final int[] runStarts;

    /**
     * As {@link Kernels#plan}.
     *
     * @throws IllegalArgumentException when the arrays do not fit together
     */
    public BatchLayout(
            int[] tokens,
            int[] positions,
            int[] sequences,
            int[][] blockTables,
            int[] outputs,
            int blockTokens,
            int rotaryPairs) {
        if (positions.length != tokens.length || sequences.length != tokens.length) {
            throw new IllegalArgumentException("tokens, positions and sequences differ in length: " + tokens.length
                    + ", " + positions.length + ", " + sequences.length);
        }
        this.tokens = tokens;
        this.positions = positions;
        this.sequences = sequences;
        this.blockTables = blockTables;
        this.outputs = outputs;
        this.blockTokens = blockTokens;
        this.rotaryPairs = rotaryPairs;
        int runs = 0;
        for (int t = 0; t < tokens.length; t++) {
            check(t);
            if (t == 0 || sequences[t] != sequences[t - 1]) {
                runs++;
            }
        }
        for (int row : outputs) {
            if (row < 0 || row >= tokens.length) {
                throw new IllegalArgumentException("output row " + row + " is outside of " + tokens.length + " tokens");
            }
        }
        runStarts = new int[runs + 1];
        runStarts[runs] = tokens.length;
        for (int t = 0, run = 0; t < tokens.length; t++) {
            if (t == 0 || sequences[t] != sequences[t - 1]) {
                runStarts[run++] = t;
            }
        }
    }

    private void check(int t) {
        int sequence = sequences[t];
        if (sequence < 0 || sequence >= blockTables.length) {
            throw new IllegalArgumentException(
                    "token " + t + " is of sequence " + sequence + ", but there are " + blockTables.length);
        }
        int position = positions[t];
        if (position < 0 || position / blockTokens >= blockTables[sequence].length) {
            throw new IllegalArgumentException("position " + position + " is outside of the "
                    + blockTables[sequence].length + " blocks of sequence " + sequence);
        }
        if (t > 0 && sequence == sequences[t - 1] && position != positions[t - 1] + 1) {
            throw new IllegalArgumentException(
                    "positions of sequence " + sequence + " jump from " + positions[t - 1] + " to " + position);
        }
    }

    /** Cache block of a position. */
    int block(int sequence, int position) {
        return blockTables[sequence][position / blockTokens];
    }

    int slot(int position) {
        return position % blockTokens;
    }

    /** [T] ids. */
    public int[] tokenIds() {
        return tokens;
    }

    /** [T] position of each token in its sequence. */
    public int[] positions() {
        return positions;
    }

    /** [T] row of {@link #blockTables}. */
    public int[] sequences() {
        return sequences;
    }

    /** [S][...] cache blocks. */
    public int[][] blockTables() {
        return blockTables;
    }

    /** [R] rows whose logits are wanted. */
    public int[] outputRows() {
        return outputs;
    }

    /** Runs of tokens of one sequence: run i is tokens {@code [i]} until {@code [i + 1]}. */
    public int[] runStarts() {
        return runStarts;
    }

    /** T. */
    public int tokens() {
        return tokens.length;
    }

    /** R. */
    public int outputs() {
        return outputs.length;
    }

    /** Fails unless the plan was made for blocks of this cache and names only blocks that it has. */
    public void checkAgainst(PagedCache cache) {
        if (cache.blockTokens() != blockTokens) {
            throw new IllegalArgumentException(
                    "plan has blocks of " + blockTokens + " tokens, cache of " + cache.blockTokens());
        }
        for (int run = 0; run + 1 < runStarts.length; run++) {
            int last = runStarts[run + 1] - 1;
            int[] table = blockTables[sequences[last]];
            for (int i = 0; i <= positions[last] / blockTokens; i++) {
                if (table[i] < 0 || table[i] >= cache.blocks()) {
                    throw new IllegalArgumentException(
                            "block " + table[i] + " is outside of a cache of " + cache.blocks());
                }
            }
        }
    }
}
