package dev.tsumugi.engine.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.serve.Scheduler.Share;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class SchedulerTests {
    private static final int BLOCK = 4;

    private final BlockPool pool = new BlockPool(8);
    private final Scheduler scheduler = new Scheduler(pool, 8, 4);

    private static Sequence sequence(int firstToken, int length) {
        return new Sequence(IntStream.range(firstToken, firstToken + length).toArray(), BLOCK, "");
    }

    /** Computes one step and appends {@code token} to whoever is due. */
    private void step(List<Share> shares, int token) {
        for (Share share : shares) {
            boolean yields = share.yieldsToken();
            scheduler.computed(share);
            if (yields) {
                share.sequence().append(token);
            }
        }
    }

    @Test
    void a_long_prompt_is_computed_in_chunks_while_answers_in_progress_go_first() {
        Sequence answering = sequence(0, 3);
        scheduler.submit(answering);
        step(scheduler.plan(), 99);
        Sequence prompt = sequence(100, 17);
        scheduler.submit(prompt);

        assertThat(scheduler.plan()).containsExactly(new Share(answering, 1), new Share(prompt, 7));
    }

    @Test
    void older_prompts_and_their_answers_come_before_younger_ones() {
        Sequence older = sequence(0, 6);
        Sequence younger = sequence(100, 6);
        scheduler.submit(older);
        scheduler.submit(younger);
        List<Share> first = scheduler.plan();
        assertThat(first).containsExactly(new Share(older, 6), new Share(younger, 2));
        step(first, 50);
        assertThat(scheduler.plan()).containsExactly(new Share(older, 1), new Share(younger, 4));
    }

    @Test
    void the_youngest_gives_its_blocks_back_when_an_older_one_needs_them() {
        Sequence older = sequence(0, 8);
        Sequence younger = sequence(100, 16);
        scheduler.submit(older);
        step(scheduler.plan(), 1);
        scheduler.submit(younger);
        // Both grow by one token a step; 8 blocks hold 32.
        for (int steps = 0; younger.preemptions() == 0; steps++) {
            assertThat(steps).isLessThan(20);
            step(scheduler.plan(), 2);
        }
        assertThat(older.preemptions()).isZero();
        assertThat(younger.computed()).isZero();
        assertThat(scheduler.running()).isEqualTo(1);
        assertThat(scheduler.waiting()).isEqualTo(1);
        scheduler.remove(older);
        scheduler.remove(younger);
        assertThat(pool.available()).isEqualTo(pool.capacity());
    }

    @Test
    void a_prompt_that_shares_its_beginning_computes_only_the_rest() {
        Sequence first = sequence(0, 8);
        scheduler.submit(first);
        step(scheduler.plan(), 1);
        Sequence same = sequence(0, 8);
        Sequence other = new Sequence(new int[] {0, 1, 2, 3, 9, 9}, BLOCK, "");
        Sequence otherAdapter = new Sequence(new int[] {0, 1, 2, 3, 4}, BLOCK, "adapter");
        scheduler.submit(same);
        scheduler.submit(other);
        scheduler.submit(otherAdapter);
        List<Share> shares = scheduler.plan();
        // The last token is always computed: its logits are wanted.
        assertThat(same.computed()).isEqualTo(4);
        assertThat(other.computed()).isEqualTo(4);
        assertThat(otherAdapter.computed()).isZero();
        assertThat(shares)
                .containsExactly(
                        new Share(first, 1), new Share(same, 4), new Share(other, 2), new Share(otherAdapter, 1));
        assertThat(same.blockTable()[0])
                .isEqualTo(first.blockTable()[0])
                .isEqualTo(other.blockTable()[0])
                .isNotEqualTo(otherAdapter.blockTable()[0]);
    }

    @Test
    void a_step_becomes_a_ragged_batch() {
        Sequence one = sequence(0, 3);
        Sequence two = sequence(100, 7);
        scheduler.submit(one);
        scheduler.submit(two);
        Batch batch = Scheduler.batch(scheduler.plan());
        assertThat(batch.tokens()).containsExactly(0, 1, 2, 100, 101, 102, 103, 104);
        assertThat(batch.positions()).containsExactly(0, 1, 2, 0, 1, 2, 3, 4);
        assertThat(batch.sequences()).containsExactly(0, 0, 0, 1, 1, 1, 1, 1);
        assertThat(batch.outputs()).containsExactly(2);
        assertThat(batch.blockTables()[1]).hasSize(2);
    }

    @Test
    void a_budget_below_one_token_for_each_is_refused() {
        assertThatThrownBy(() -> new Scheduler(pool, 3, 4)).hasMessageContaining("at least one each");
    }

    /** A request: what its prompt begins with, how long it is, how many tokens follow, when it arrives, and after how many it is cancelled. */
    record Job(int family, int promptLength, int answerLength, int arrival, int cancelledAfter) {}

    @Provide
    Arbitrary<List<Job>> jobs() {
        Arbitrary<Job> job = Combinators.combine(
                        Arbitraries.integers().between(0, 2),
                        Arbitraries.integers().between(1, 30),
                        Arbitraries.integers().between(1, 12),
                        Arbitraries.integers().between(0, 20),
                        Arbitraries.integers().between(1, 40))
                .as(Job::new);
        return job.list().ofMinSize(1).ofMaxSize(14);
    }

    @Property(tries = 300)
    void everything_ends_with_the_right_tokens_and_no_block_is_lost(
            @ForAll("jobs") List<Job> jobs, @ForAll("poolSizes") int blocks, @ForAll("budgets") int budget) {
        int mostRunning = Math.min(budget, 5);
        BlockPool someBlocks = new BlockPool(blocks);
        Scheduler some = new Scheduler(someBlocks, budget, mostRunning);
        List<Job> pending = new ArrayList<>(jobs);
        List<Sequence> active = new ArrayList<>();
        List<Job> activeJobs = new ArrayList<>();
        long work = jobs.stream()
                .mapToLong(j -> j.promptLength() + j.answerLength())
                .sum();
        // Preemption makes work again, but never of the oldest: in the worst case each request runs alone after all
        // others were in vain.
        long mostSteps = 21 + work * (jobs.size() + 1);
        for (int step = 0; !pending.isEmpty() || !some.isIdle(); step++) {
            assertThat(step).as("steps until all is done").isLessThan((int) mostSteps);
            for (Job job : List.copyOf(pending)) {
                if (job.arrival() <= step) {
                    pending.remove(job);
                    Sequence sequence = new Sequence(prompt(job), BLOCK, "");
                    active.add(sequence);
                    activeJobs.add(job);
                    some.submit(sequence);
                }
            }
            List<Share> shares = some.plan();
            assertThat(shares.isEmpty()).as("a step without work").isEqualTo(some.isIdle());
            assertThat(shares.stream().mapToInt(Share::count).sum()).isLessThanOrEqualTo(budget);
            assertThat(some.running()).isLessThanOrEqualTo(mostRunning);
            blocksAreHeldRightly(shares, blocks);
            for (Share share : shares) {
                boolean yields = share.yieldsToken();
                some.computed(share);
                int index = active.indexOf(share.sequence());
                Job job = activeJobs.get(index);
                if (yields) {
                    share.sequence().append(7);
                }
                int generated = share.sequence().known() - job.promptLength();
                if (generated >= job.answerLength() || generated >= job.cancelledAfter()) {
                    some.remove(share.sequence());
                }
            }
        }
        assertThat(someBlocks.available()).isEqualTo(blocks);
    }

    private static void blocksAreHeldRightly(List<Share> shares, int blocks) {
        Set<Integer> written = new HashSet<>();
        for (Share share : shares) {
            int[] table = share.sequence().blockTable();
            assertThat(table).doesNotHaveDuplicates();
            for (int block : table) {
                assertThat(block).isBetween(0, blocks - 1);
            }
            int from = share.sequence().computed() / BLOCK;
            int to = Math.ceilDiv(share.sequence().computed() + share.count(), BLOCK);
            assertThat(to).isLessThanOrEqualTo(table.length);
            for (int b = from; b < to; b++) {
                assertThat(written.add(table[b])).as("a block written by two").isTrue();
            }
        }
    }

    private static int[] prompt(Job job) {
        return IntStream.range(0, job.promptLength())
                .map(i -> i < 8 ? i : i + job.family() * 1000)
                .toArray();
    }

    /** The longest request has 42 tokens: 11 blocks. */
    @Provide
    Arbitrary<Integer> poolSizes() {
        return Arbitraries.integers().between(11, 24);
    }

    @Provide
    Arbitrary<Integer> budgets() {
        return Arbitraries.integers().between(1, 40);
    }
}
