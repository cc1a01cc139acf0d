package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.LowRankUpdates;
import org.jspecify.annotations.Nullable;

/**
 * A ragged batch: tokens of any number of sequences, whole prompts, parts of prompts and single decode steps alike. Tokens of one sequence
 * stand together in ascending position, and every earlier position of that sequence is in the cache already or in this batch.
 *
 * @param tokens [T] ids
 * @param positions [T] position of each token in its sequence, from 0
 * @param sequences [T] which row of {@code blockTables} a token belongs to
 * @param blockTables [S][...] cache blocks of each sequence: position p lives in block {@code p / blockTokens}, slot {@code p % blockTokens}
 * @param outputs [R] indices into {@code tokens}, ascending, whose next-token logits are wanted
 * @param adapters [S] what {@link LanguageModel#prepareAdapter} made for the adapter of each sequence, null: none; empty when no sequence has
 *     one. Sequences with the same adapter cost least side by side.
 */
public record Batch(
        int[] tokens,
        int[] positions,
        int[] sequences,
        int[][] blockTables,
        int[] outputs,
        @Nullable LowRankUpdates[] adapters) {

    private static final @Nullable LowRankUpdates[] NO_ADAPTERS = {};

    /** A batch without adapters. */
    public Batch(int[] tokens, int[] positions, int[] sequences, int[][] blockTables, int[] outputs) {
        this(tokens, positions, sequences, blockTables, outputs, NO_ADAPTERS);
    }

    /** @throws IllegalArgumentException when the arrays do not fit together */
    public Batch {
        if (positions.length != tokens.length || sequences.length != tokens.length) {
            throw new IllegalArgumentException("tokens, positions and sequences differ in length: " + tokens.length
                    + ", " + positions.length + ", " + sequences.length);
        }
        if (adapters.length != 0 && adapters.length != blockTables.length) {
            throw new IllegalArgumentException(
                    adapters.length + " adapters do not fit " + blockTables.length + " sequences");
        }
        for (int row : outputs) {
            if (row < 0 || row >= tokens.length) {
                throw new IllegalArgumentException("output row " + row + " is outside of " + tokens.length + " tokens");
            }
        }
    }

    /** The same with these adapters. */
    public Batch withAdapters(@Nullable LowRankUpdates[] ofSequences) {
        return new Batch(tokens, positions, sequences, blockTables, outputs, ofSequences);
    }

    public int size() {
        return tokens.length;
    }
}
