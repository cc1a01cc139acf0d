package dev.tsumugi.engine.kernels;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Tokens of a batch that attend together: neighbours of one sequence, or tokens of several sequences whose first cache blocks are the same ones, as
 * where many requests begin with one prompt. Those blocks are then read once for all of them (Juravsky et al., arXiv 2402.05099).
 *
 * @param tokens rows of the batch
 * @param parts where each sequence's tokens begin in {@code tokens}, and the number of tokens
 * @param sharedBlocks first blocks that all see whole and have in common, a whole number of spans; 0 where there is one sequence
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record TokenTile(int[] tokens, int[] parts, int sharedBlocks) {
    /** Tokens of a tile at most. */
    private static final int MOST = 16;

    int sequences() {
        return parts.length - 1;
    }

    /** A run of neighbouring tokens of one sequence. */
    private record Run(int first, int end, int[] table, int spans) {
        int length() {
            return end - first;
        }

        /** Whole spans that both see and have in common. */
        int spansSharedWith(Run other, int spanBlocks) {
            int most = Math.min(spans, other.spans) * spanBlocks;
            int mismatch = Arrays.mismatch(table, 0, most, other.table, 0, most);
            return (mismatch < 0 ? most : mismatch) / spanBlocks;
        }
    }

    /**
     * The tiles of the runs of less than {@code longRun} tokens.
     *
     * @param together tokens of several sequences in a tile at most; below 2, each has tiles of its own
     * @param spanBlocks blocks that a tile reads at a time
     */
    static TokenTile[] of(BatchLayout plan, int longRun, int together, int spanBlocks) {
        List<TokenTile> tiles = new ArrayList<>();
        List<Run> mayShare = new ArrayList<>();
        for (int i = 0; i + 1 < plan.runStarts.length; i++) {
            int first = plan.runStarts[i];
            int end = plan.runStarts[i + 1];
            int spans = plan.positions[first] / plan.blockTokens / spanBlocks;
            Run run = new Run(first, end, plan.blockTables[plan.sequences[first]], spans);
            if (run.length() >= longRun) {
                continue;
            }
            if (spans > 0 && run.length() < Math.min(together, MOST)) {
                mayShare.add(run);
            } else {
                cut(run, tiles);
            }
        }
        gather(mayShare, Math.min(together, MOST), spanBlocks, tiles);
        return tiles.toArray(TokenTile[]::new);
    }

    private static void cut(Run run, List<TokenTile> tiles) {
        for (int t = run.first; t < run.end; t += MOST) {
            int[] tokens = range(t, Math.min(run.end, t + MOST));
            tiles.add(new TokenTile(tokens, new int[] {0, tokens.length}, 0));
        }
    }

    /** Sequences that share most come to stand together by the order of their blocks; a tile's first two say how much its others must share. */
    private static void gather(List<Run> runs, int most, int spanBlocks, List<TokenTile> tiles) {
        runs.sort(Comparator.comparing(Run::table, Arrays::compare));
        for (int i = 0; i < runs.size(); ) {
            Run first = runs.get(i);
            int tokens = first.length();
            int spans = first.spans;
            int end = i + 1;
            while (end < runs.size() && tokens + runs.get(end).length() <= most) {
                int shared = first.spansSharedWith(runs.get(end), spanBlocks);
                if (shared == 0 || end > i + 1 && shared < spans) {
                    break;
                }
                spans = Math.min(spans, shared);
                tokens += runs.get(end++).length();
            }
            tiles.add(tile(runs.subList(i, end), tokens, end > i + 1 ? spans * spanBlocks : 0));
            i = end;
        }
    }

    private static TokenTile tile(List<Run> runs, int count, int sharedBlocks) {
        int[] tokens = new int[count];
        int[] parts = new int[runs.size() + 1];
        for (int i = 0, at = 0; i < runs.size(); i++) {
            Run run = runs.get(i);
            for (int t = run.first; t < run.end; t++) {
                tokens[at++] = t;
            }
            parts[i + 1] = at;
        }
        return new TokenTile(tokens, parts, sharedBlocks);
    }

    private static int[] range(int from, int end) {
        int[] values = new int[end - from];
        Arrays.setAll(values, i -> from + i);
        return values;
    }
}
