package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.AttentionRows;
import dev.tsumugi.engine.kernels.BFloat16;
import dev.tsumugi.engine.kernels.LongRunAttention;
import dev.tsumugi.engine.kernels.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Attention of a prompt's tokens with factors in bfloat16 and sums and softmax in fp32. Keys and values of the sequence are copied out of the
 * cache's blocks once for all tokens; a tile is some tokens under the query heads that share a key/value head, against all keys that they see.
 * All tiles have as many rows, and columns come in whole grains, so that few shapes of products serve all lengths.
 */
final class PromptAttention implements LongRunAttention, AutoCloseable {
    /** Behind 400 tokens and more; behind none, 24 tokens take longer by what is hardly anything there. */
    private static final int LEAST_TOKENS = 24;

    private static final int GRAIN = 64;
    /** Rows of a tile, about. */
    private static final int ROWS = 96;
    /** Keys of a piece: as many as a tile's scores and weights fit the second-level cache with. */
    private static final int PIECE = 8 * GRAIN;
    /** Elements from one row of scores to the next: not a power of two, whose rows would share few lines of the cache. */
    private static final int SCORE_STRIDE = PIECE + 32;

    private static final long FLOAT = Float.BYTES;
    private static final long HALF = Short.BYTES;

    private final OneDnnLibrary library;
    private final ThreadTeam team;
    private final Worker[] workers;
    private final AttentionRows rows = new AttentionRows();
    private final Room copies = new Room();

    PromptAttention(OneDnnLibrary library, ThreadTeam team, Worker[] workers) {
        this.library = library;
        this.team = team;
        this.workers = workers;
    }

    @Override
    public int leastTokens(int blockTokens) {
        return PIECE % blockTokens == 0 ? LEAST_TOKENS : Integer.MAX_VALUE;
    }

    /**
     * Where a run's keys and values are copied to.
     *
     * @param keys of head 0: [pieces][D][PIECE]; those of the next head are {@code headBytes} behind
     * @param values of head 0: [pieces * PIECE][D]; likewise
     */
    private record Copies(long keys, long values, long headBytes) {}

    @Override
    public void attend(Run run) {
        int d = run.headSize();
        int pieces = Math.ceilDiv(run.positions(), PIECE);
        long headBytes = (long) pieces * PIECE * d * HALF;
        long keys = copies.of(2 * run.keyValueHeads() * headBytes).address();
        Copies to = new Copies(keys, keys + run.keyValueHeads() * headBytes, headBytes);
        int blocks = Math.ceilDiv(run.positions(), run.blockTokens());
        int blocksOfTask = Math.ceilDiv(PIECE, run.blockTokens());
        int parts = Math.ceilDiv(blocks, blocksOfTask);
        team.run(run.keyValueHeads() * parts, (task, member) -> {
            int head = task / parts;
            int first = task % parts * blocksOfTask;
            copy(run, to, head, first, Math.min(blocks, first + blocksOfTask));
        });
        int group = run.heads() / run.keyValueHeads();
        int tokens = Math.max(1, ROWS / group);
        int tiles = Math.ceilDiv(run.tokens(), tokens);
        team.run(tiles * run.keyValueHeads(), (task, member) -> {
            library.stayOnThisThread();
            // Later tiles see more and take longer; begun first, they do not end last.
            int tile = tiles - 1 - task / run.keyValueHeads();
            attendTile(run, to, tile * tokens, tokens, task % run.keyValueHeads(), workers[member]);
        });
    }

    private static void copy(Run run, Copies to, int head, int firstBlock, int endBlock) {
        int d = run.headSize();
        long keys = to.keys + head * to.headBytes;
        long values = to.values + head * to.headBytes;
        for (int block = firstBlock; block < endBlock; block++) {
            int position = block * run.blockTokens();
            long piece = keys + (long) (position / PIECE) * PIECE * d * HALF;
            run.blocks().copy(head, block, piece + position % PIECE * HALF, PIECE, values + (long) position * d * HALF);
        }
        // What is not yet written of the last block, and the rest of the grain, are multiplied with weights of 0.
        int written = run.positions();
        if (endBlock * run.blockTokens() >= written) {
            long rest = (long) grains(written) - written;
            AttentionRows.clear(values + (long) written * d * HALF, rest * d * HALF);
        }
    }

    private static int grains(int positions) {
        return Math.ceilDiv(positions, GRAIN) * GRAIN;
    }

    /** @param first token of the run */
    private void attendTile(Run run, Copies from, int first, int tileTokens, int head, Worker worker) {
        int d = run.headSize();
        int group = run.heads() / run.keyValueHeads();
        int tokens = Math.min(tileTokens, run.tokens() - first);
        int tileRows = tileTokens * group;
        int seen = run.firstPosition() + first + tokens;
        int padded = grains(seen);
        int firstPiece = lowest(run, first) / PIECE;
        int pieces = Math.ceilDiv(padded, PIECE) - firstPiece;
        long scoreBytes = (long) tileRows * SCORE_STRIDE * FLOAT;
        long weightBytes = (long) tileRows * SCORE_STRIDE * HALF;
        long scores = worker.room(pieces * (scoreBytes + weightBytes) + tileRows * (d * (FLOAT + HALF) + FLOAT))
                .address();
        long weights = scores + pieces * scoreBytes;
        long sums = weights + pieces * weightBytes;
        long totals = sums + tileRows * d * FLOAT;
        long queries = totals + tileRows * FLOAT;
        takeQueries(run, first, tokens, head, tileRows, queries);
        for (int p = 0; p < pieces; p++) {
            int columns = Math.min(PIECE, padded - (firstPiece + p) * PIECE);
            long keys = from.keys + head * from.headBytes + (long) (firstPiece + p) * PIECE * d * HALF;
            worker.product(new Product.Plain(tileRows, d, columns, d, 1, PIECE, 1, SCORE_STRIDE, false))
                    .run(queries, keys, scores + p * scoreBytes);
        }
        int behind = firstPiece * PIECE;
        for (int r = 0; r < tileRows; r++) {
            int token = first + r / group;
            int position = run.firstPosition() + Math.min(token, first + tokens - 1);
            float unused = rows.softmax(
                    scores + r * SCORE_STRIDE * FLOAT,
                    scoreBytes,
                    weights + r * SCORE_STRIDE * HALF,
                    weightBytes,
                    PIECE,
                    lowest(run, token) - behind,
                    position + 1 - behind,
                    padded - behind,
                    run.scale(),
                    totals + r * FLOAT);
        }
        for (int p = 0; p < pieces; p++) {
            int columns = Math.min(PIECE, padded - (firstPiece + p) * PIECE);
            long values = from.values + head * from.headBytes + (long) (firstPiece + p) * PIECE * d * HALF;
            worker.product(new Product.Plain(tileRows, columns, d, SCORE_STRIDE, 1, d, 1, d, p > 0))
                    .run(weights + p * weightBytes, values, sums);
        }
        for (int r = 0; r < tokens * group; r++) {
            long to = run.out() + row(run, first, head, r) * FLOAT;
            float total = MemorySegment.ofAddress(totals + r * FLOAT)
                    .reinterpret(FLOAT)
                    .get(ValueLayout.JAVA_FLOAT, 0);
            AttentionRows.scale(sums + (long) r * d * FLOAT, to, d, 1 / total);
        }
    }

    /** First position that a token sees. */
    private static int lowest(Run run, int token) {
        int position = run.firstPosition() + Math.min(token, run.tokens() - 1);
        return run.window() == 0 ? 0 : Math.max(0, position - run.window() + 1);
    }

    /** Element of a tile's row in [tokens, H, D]. */
    private static long row(Run run, int first, int head, int row) {
        int group = run.heads() / run.keyValueHeads();
        return ((long) (first + row / group) * run.heads() + (long) head * group + row % group) * run.headSize();
    }

    private static void takeQueries(Run run, int first, int tokens, int head, int tileRows, long to) {
        int d = run.headSize();
        int group = run.heads() / run.keyValueHeads();
        for (int t = 0; t < tokens; t++) {
            // The heads of a group lie side by side.
            BFloat16.round(
                    run.queries() + row(run, first, head, t * group) * FLOAT,
                    to + (long) t * group * d * HALF,
                    group * d);
        }
        AttentionRows.clear(to + (long) tokens * group * d * HALF, (long) (tileRows - tokens * group) * d * HALF);
    }

    @Override
    public void close() {
        copies.close();
    }
}
