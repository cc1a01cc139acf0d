package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SharedBlocksTests {
    private static final int BLOCK = 16;
    /** Two spans and some. */
    private static final int SHARED = 20;

    private static final int TOGETHER = 16;
    private static final int SPAN = AttentionTile.spanBlocks(BLOCK);

    private static BatchLayout layout(int[] positions, int[] sequences, int[]... tables) {
        return new BatchLayout(new int[positions.length], positions, sequences, tables, new int[0], BLOCK, 0);
    }

    /** {@code shared} blocks that are numbered alike for all, then those of {@code sequence} alone. */
    private static int[] table(int sequence, int shared) {
        int[] blocks = new int[SHARED + 2];
        Arrays.setAll(blocks, i -> i < shared ? i : 100 * (sequence + 1) + i);
        return blocks;
    }

    @Test
    void sequences_that_share_blocks_come_into_one_tile_wherever_they_stand() {
        int position = SHARED * BLOCK + 3;
        TokenTile[] tiles = TokenTile.of(
                layout(
                        new int[] {position, 5, position, position, position + 1, position},
                        new int[] {0, 1, 2, 3, 3, 4},
                        table(0, SHARED),
                        table(1, 0),
                        table(2, 0),
                        table(3, SHARED - 1),
                        table(4, SHARED)),
                Integer.MAX_VALUE,
                TOGETHER,
                SPAN);

        assertThat(tiles).hasSize(3);
        assertThat(tiles[0].tokens()).containsExactly(1);
        TokenTile common = tiles[1];
        assertThat(common.sharedBlocks()).isEqualTo(2 * SPAN);
        assertThat(common.tokens()).containsExactlyInAnyOrder(0, 3, 4, 5);
        assertThat(common.sequences()).isEqualTo(3);
        assertThat(tiles[2].tokens()).containsExactly(2);
        assertThat(tiles[2].sharedBlocks()).isZero();
    }

    @Test
    void those_that_share_more_among_themselves_do_not_wait_for_others() {
        int position = SHARED * BLOCK + 3;
        TokenTile[] tiles = TokenTile.of(
                layout(
                        new int[] {position, position, position},
                        new int[] {0, 1, 2},
                        table(0, 2 * SPAN),
                        table(0, 2 * SPAN),
                        table(1, SPAN)),
                Integer.MAX_VALUE,
                TOGETHER,
                SPAN);

        assertThat(tiles).extracting(TokenTile::sharedBlocks).containsExactly(2 * SPAN, 0);
    }

    @Test
    void a_tile_leaves_tokens_for_the_other_threads() {
        int position = SHARED * BLOCK;
        int[][] tables = new int[9][];
        Arrays.setAll(tables, s -> table(s, SHARED));
        int[] positions = new int[9];
        Arrays.fill(positions, position);
        BatchLayout layout = layout(positions, new int[] {0, 1, 2, 3, 4, 5, 6, 7, 8}, tables);

        assertThat(TokenTile.of(layout, Integer.MAX_VALUE, 4, SPAN))
                .extracting(TokenTile::sequences)
                .containsExactly(4, 4, 1);
        assertThat(TokenTile.of(layout, Integer.MAX_VALUE, 1, SPAN)).hasSize(9);
    }

    @Test
    void a_block_that_is_not_whole_yet_is_not_shared() {
        int position = SPAN * BLOCK - 1;
        TokenTile[] tiles = TokenTile.of(
                layout(new int[] {position, position}, new int[] {0, 1}, table(0, SHARED), table(1, SHARED)),
                Integer.MAX_VALUE,
                TOGETHER,
                SPAN);

        assertThat(tiles).extracting(TokenTile::sharedBlocks).containsExactly(0, 0);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16"})
    void a_sequence_gets_the_same_bits_alone_and_beside_those_it_shares_blocks_with(DType storage) {
        int sequences = 19;
        int heads = 9;
        int keyValueHeads = 3;
        int headSize = 32;
        Random random = new Random(5);
        int[][] tables = new int[sequences][];
        for (int s = 0; s < sequences; s++) {
            tables[s] = new int[SHARED + 2];
            for (int i = 0; i < SHARED + 2; i++) {
                tables[s][i] = i < SHARED ? i : SHARED + 2 * s + i - SHARED;
            }
        }
        int[] positions = new int[sequences];
        int[] all = new int[sequences];
        Arrays.setAll(positions, s -> SHARED * BLOCK + s);
        Arrays.setAll(all, s -> s);
        try (Backend backend = new VectorBackend(2, Precision.FAST);
                PagedCache cache =
                        backend.newCache(1, SHARED + 2 * sequences, BLOCK, keyValueHeads, headSize, storage)) {
            Kernels k = backend.kernels();
            for (int s = 0; s < sequences; s++) {
                int first = s == 0 ? 0 : SHARED * BLOCK;
                int[] range = new int[SHARED * BLOCK + s + 1 - first];
                Arrays.setAll(range, i -> first + i);
                Tensor values = backend.upload(values(range.length * keyValueHeads * headSize, random));
                BatchPlan plan = plan(k, range, new int[range.length], tables[s]);
                k.storeKeysValues(cache, 0, plan, values, values);
            }
            float[] queries = values(sequences * heads * headSize, random);
            float[] together = attention(backend, cache, plan(k, positions, all, tables), queries, heads, headSize);
            int width = heads * headSize;
            for (int s = 0; s < sequences; s++) {
                BatchPlan plan = plan(k, new int[] {positions[s]}, new int[1], tables[s]);
                float[] query = Arrays.copyOfRange(queries, s * width, (s + 1) * width);
                assertThat(attention(backend, cache, plan, query, heads, headSize))
                        .as("sequence " + s)
                        .containsExactly(Arrays.copyOfRange(together, s * width, (s + 1) * width));
            }
        }
    }

    private static BatchPlan plan(Kernels k, int[] positions, int[] sequences, int[]... tables) {
        return k.plan(new int[positions.length], positions, sequences, tables, new int[0], BLOCK, new float[0]);
    }

    private static float[] attention(
            Backend backend, PagedCache cache, BatchPlan plan, float[] queries, int heads, int headSize) {
        Tensor out = backend.allocate(DType.F32, queries.length);
        backend.kernels().attention(out, backend.upload(queries), cache, 0, plan, heads, 0, 0.2f);
        float[] result = new float[queries.length];
        backend.download(out, result, result.length);
        return result;
    }

    private static float[] values(int count, Random random) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
