package dev.tsumugi.engine.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class BlockPoolTests {
    private static final BlockHash ROOT = BlockHash.root("");
    private static final BlockHash FIRST = ROOT.next(new int[] {1, 2, 3}, 0, 2);
    private static final BlockHash SECOND = FIRST.next(new int[] {1, 2, 3}, 1, 3);

    @Test
    void running_out_is_a_return_value() {
        BlockPool pool = new BlockPool(2);
        assertThat(pool.take()).isNotEqualTo(pool.take());
        assertThat(pool.take()).isEqualTo(BlockPool.NONE);
        assertThat(pool.available()).isZero();
    }

    @Test
    void a_free_block_keeps_its_content_until_it_is_taken_for_something_else() {
        BlockPool pool = new BlockPool(2);
        int block = pool.take();
        pool.publish(block, FIRST);
        pool.release(block);
        assertThat(pool.available()).isEqualTo(2);
        assertThat(pool.takeCached(FIRST)).isEqualTo(block);
        assertThat(pool.available()).isEqualTo(1);
        pool.release(block);
        pool.take();
        pool.take();
        assertThat(pool.takeCached(FIRST)).isEqualTo(BlockPool.NONE);
    }

    @Test
    void a_shared_block_is_free_when_the_last_holder_gives_it_back() {
        BlockPool pool = new BlockPool(1);
        int block = pool.take();
        pool.publish(block, FIRST);
        assertThat(pool.takeCached(FIRST)).isEqualTo(block);
        pool.release(block);
        assertThat(pool.available()).isZero();
        pool.release(block);
        assertThat(pool.available()).isEqualTo(1);
        assertThatThrownBy(() -> pool.release(block)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void blocks_without_content_go_first_and_then_the_longest_unused() {
        BlockPool pool = new BlockPool(3);
        int older = pool.take();
        int newer = pool.take();
        int empty = pool.take();
        pool.publish(older, FIRST);
        pool.publish(newer, SECOND);
        pool.release(older);
        pool.release(newer);
        pool.release(empty);
        assertThat(pool.take()).isEqualTo(empty);
        assertThat(pool.take()).isEqualTo(older);
        assertThat(pool.takeCached(SECOND)).isEqualTo(newer);
    }

    @Test
    void the_same_content_twice_stays_known_once() {
        BlockPool pool = new BlockPool(2);
        int one = pool.take();
        int two = pool.take();
        pool.publish(one, FIRST);
        pool.publish(two, FIRST);
        pool.release(one);
        pool.release(two);
        assertThat(pool.take()).isEqualTo(two);
        assertThat(pool.takeCached(FIRST)).isEqualTo(one);
    }

    @Test
    void identity_depends_on_adapter_tokens_and_all_that_stands_before() {
        int[] tokens = {1, 2, 3, 4};
        assertThat(BlockHash.root("").next(tokens, 0, 2))
                .isEqualTo(BlockHash.root("").next(new int[] {1, 2}, 0, 2));
        assertThat(BlockHash.root("a").next(tokens, 0, 2))
                .isNotEqualTo(BlockHash.root("b").next(tokens, 0, 2));
        assertThat(ROOT.next(tokens, 0, 2).next(tokens, 2, 4))
                .isNotEqualTo(ROOT.next(new int[] {9, 2}, 0, 2).next(tokens, 2, 4));
        assertThat(ROOT.next(tokens, 0, 2)).isNotEqualTo(ROOT.next(new int[] {2, 1}, 0, 2));
    }
}
