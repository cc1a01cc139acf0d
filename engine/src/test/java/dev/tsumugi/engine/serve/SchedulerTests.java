package dev.tsumugi.engine.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.serve.Scheduler.Share;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
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

    private static Sequence sequenceOf(String tenant, int firstToken, int length) {
        return new Sequence(
                IntStream.range(firstToken, firstToken + length).toArray(), BLOCK, "", tenant, Integer.MAX_VALUE);
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
    void a_tenant_with_one_request_takes_the_place_of_one_of_many_of_another_at_once() {
        BlockPool large = new BlockPool(200);
        Scheduler fair = new Scheduler(large, 8, 4);
        List<Sequence> crowd = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            crowd.add(sequenceOf("crowd", 1000 * i, 4));
            fair.submit(crowd.get(i));
        }
        for (int i = 0; i < 3; i++) {
            List<Share> shares = fair.plan();
            shares.forEach(fair::computed);
            shares.forEach(share -> share.sequence().append(1));
        }
        Sequence one = sequenceOf("one", 900_000, 5);
        fair.submit(one);
        List<Share> shares = fair.plan();
        assertThat(shares.stream().map(Share::sequence)).contains(one);
        assertThat(fair.running()).isEqualTo(4);
        assertThat(crowd.stream().filter(s -> s.preemptions() > 0)).hasSize(1);
        assertThat(crowd.getFirst().preemptions()).isZero();
    }

    @Test
    void prompts_of_a_crowd_leave_room_in_a_step_for_who_comes_from_elsewhere() {
        BlockPool large = new BlockPool(400);
        Scheduler fair = new Scheduler(large, 8, 4);
        fair.submit(sequenceOf("crowd", 0, 300));
        fair.submit(sequenceOf("crowd", 1000, 300));
        fair.plan().forEach(fair::computed);
        Sequence one = sequenceOf("one", 5000, 6);
        fair.submit(one);
        int steps = 0;
        while (one.missing() > 0) {
            fair.plan().forEach(fair::computed);
            assertThat(++steps).isLessThan(4);
        }
    }

    @Test
    void nothing_is_left_for_who_cannot_come_in_anyway() {
        for (int i = 0; i < 3; i++) {
            scheduler.submit(sequenceOf("tenant " + i, 100 * i, 1));
        }
        Sequence prompt = sequenceOf("last", 500, 16);
        scheduler.submit(prompt);
        step(scheduler.plan(), 99);
        scheduler.submit(sequenceOf("waiting", 600, 6));

        assertThat(scheduler.plan()).hasSize(4).last().isEqualTo(new Share(prompt, 5));
    }

    @Test
    void tenants_that_compete_get_equal_parts_whatever_they_ask_for() {
        BlockPool large = new BlockPool(4000);
        Scheduler fair = new Scheduler(large, 32, 4);
        Map<String, Integer> computed = new HashMap<>();
        for (int i = 0; i < 400; i++) {
            fair.submit(sequenceOf("short", 2000 * i, 10));
            fair.submit(sequenceOf("long", 2000 * i + 1000, 90));
        }
        for (int step = 0; step < 300; step++) {
            for (Share share : fair.plan()) {
                boolean yields = share.yieldsToken();
                fair.computed(share);
                computed.merge(share.sequence().tenant(), share.rows(), Integer::sum);
                if (yields) {
                    share.sequence().append(1);
                }
                if (share.sequence().generated().length > 8) {
                    fair.remove(share.sequence());
                }
            }
        }
        assertThat((double) computed.get("short") / computed.get("long")).isBetween(0.8, 1.25);
    }

    @Test
    void a_tenant_that_was_away_comes_back_as_the_others_stand() {
        TenantQueues queues = new TenantQueues();
        Sequence early = sequenceOf("early", 0, 5);
        queues.add(early);
        queues.admit(early);
        queues.charge(early, 100);
        Sequence late = sequenceOf("late", 0, 5);
        queues.add(late);
        assertThat(queues.served(late)).isEqualTo(100);
        queues.admit(late);
        queues.charge(late, 50);
        queues.ended(late);
        queues.ended(early);
        queues.add(late);
        assertThat(queues.served(late)).as("nobody else is there").isZero();
    }

    @Test
    void what_a_tenant_had_of_an_idle_engine_does_not_shut_it_out_later() {
        TenantQueues queues = new TenantQueues();
        Sequence busy = sequenceOf("busy", 0, 5);
        Sequence modest = sequenceOf("modest", 0, 5);
        for (Sequence sequence : List.of(busy, modest)) {
            queues.add(sequence);
            queues.admit(sequence);
        }
        queues.charge(busy, 1_000_000);
        queues.add(sequenceOf("busy", 100, 5));
        queues.add(sequenceOf("modest", 100, 5));
        int before = 0;
        for (Sequence next = queues.first(); next.tenant().equals("modest"); next = queues.first()) {
            queues.charge(next, 100);
            before += 100;
        }
        assertThat(before).isBetween(100, 5000);
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

    /**
     * A request: what its prompt begins with and whose it is, how long it is, how many tokens follow, when it arrives, and after how many it is
     * cancelled.
     */
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
        // Places taken for another tenant make work again once more.
        long mostSteps = 21 + 2 * work * (jobs.size() + 1);
        for (int step = 0; !pending.isEmpty() || !some.isIdle(); step++) {
            assertThat(step).as("steps until all is done").isLessThan((int) mostSteps);
            for (Job job : List.copyOf(pending)) {
                if (job.arrival() <= step) {
                    pending.remove(job);
                    Sequence sequence = new Sequence(
                            prompt(job), BLOCK, "", "tenant " + job.family(), job.promptLength() + job.answerLength());
                    active.add(sequence);
                    activeJobs.add(job);
                    some.submit(sequence);
                }
            }
            List<Share> planned = some.plan();
            assertThat(planned.isEmpty()).as("a step without work").isEqualTo(some.isIdle());
            assertThat(planned.stream().mapToInt(Share::count).sum()).isLessThanOrEqualTo(budget);
            List<Share> shares = new ArrayList<>();
            for (Share share : planned) {
                int guesses = share.yieldsToken() ? share.sequence().guess(step % 5) : 0;
                shares.add(some.withGuesses(share, guesses));
            }
            assertThat(some.running()).isLessThanOrEqualTo(mostRunning);
            blocksAreHeldRightly(shares, blocks);
            for (Share share : shares) {
                boolean yields = share.yieldsToken();
                some.computed(share);
                int index = active.indexOf(share.sequence());
                Job job = activeJobs.get(index);
                for (int i = 0; yields && i <= share.guesses(); i++) {
                    share.sequence().append(answer(share.sequence().known()));
                    if (i == share.guesses() || !share.sequence().lastWasGuessed()) {
                        break;
                    }
                    some.computedGuess(share);
                }
                some.settle(share);
                Sequence sequence = share.sequence();
                assertThat(sequence.missing()).isLessThanOrEqualTo(Math.max(1, sequence.known()));
                assertThat(sequence.blockCount()).isEqualTo(Math.ceilDiv(sequence.computed(), BLOCK));
                int generated = sequence.known() - job.promptLength();
                if (generated >= job.answerLength() || generated >= job.cancelledAfter()) {
                    for (int i = job.promptLength(); i < sequence.known(); i++) {
                        assertThat(sequence.token(i)).isEqualTo(answer(i));
                    }
                    some.remove(sequence);
                }
            }
        }
        assertThat(someBlocks.available()).isEqualTo(blocks);
    }

    /** Guesses of repetitions are right often, but not always. */
    private static int answer(int position) {
        return position % 5 == 0 ? position : 7;
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
            int to = Math.ceilDiv(share.sequence().computed() + share.rows(), BLOCK);
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
