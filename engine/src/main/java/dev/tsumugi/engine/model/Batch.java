package dev.tsumugi.engine.model;

/**
 * A ragged batch: tokens of any number of sequences, whole prompts, parts of prompts and single decode steps alike. Tokens of one sequence
 * stand together in ascending position, and every earlier position of that sequence is in the cache already or in this batch.
 *
 * @param tokens [T] ids
 * @param positions [T] position of each token in its sequence, from 0
 * @param sequences [T] which row of {@code blockTables} a token belongs to
 * @param blockTables [S][...] cache blocks of each sequence: position p lives in block {@code p / blockTokens}, slot {@code p % blockTokens}
 * @param outputs [R] indices into {@code tokens}, ascending, whose next-token logits are wanted
 */
public record Batch(int[] tokens, int[] positions, int[] sequences, int[][] blockTables, int[] outputs) {

    /** @throws IllegalArgumentException when the arrays do not fit together */
    public Batch {
        if (positions.length != tokens.length || sequences.length != tokens.length) {
            throw new IllegalArgumentException("tokens, positions and sequences differ in length: " + tokens.length
                    + ", " + positions.length + ", " + sequences.length);
        }
        for (int row : outputs) {
            if (row < 0 || row >= tokens.length) {
                throw new IllegalArgumentException("output row " + row + " is outside of " + tokens.length + " tokens");
            }
        }
    }

    public int size() {
        return tokens.length;
    }
}
