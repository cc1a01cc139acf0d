package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.model.Batch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Decides which tokens the next step computes. There is no prefill phase and no decode phase: every sequence has computed tokens that catch
 * up with its known tokens, and each step hands a budget of tokens to the sequences that lag behind. A long prompt is computed in chunks, a
 * decoding sequence lags by one. When the pool has no block left for one that runs, the youngest gives its blocks back and is computed again
 * later. (The idea is that of vLLM's version 1 scheduler.)
 *
 * <p>Tenants get equal parts: the one that had least is admitted next and its prompts are computed first. A tenant of which nothing runs takes
 * the place of the youngest sequence of the tenant with most, so a long queue of one never blocks another.
 *
 * <p>The sequence that runs longest is never preempted, and any admissible sequence fits the pool alone, so it always moves on. For one
 * thread.
 */
final class Scheduler {
    private final BlockPool pool;
    private final int maxBatchTokens;
    private final int maxRunning;

    /** In order of admission. */
    private final List<Sequence> running = new ArrayList<>();

    private final TenantQueues waiting = new TenantQueues();
    private long preemptions;

    /** @throws IllegalArgumentException when the budget is below the number of sequences, which would starve some */
    Scheduler(BlockPool pool, int maxBatchTokens, int maxRunning) {
        if (maxRunning < 1 || maxBatchTokens < maxRunning) {
            throw new IllegalArgumentException("a budget of " + maxBatchTokens + " tokens a step for up to "
                    + maxRunning + " sequences; it must be at least one each");
        }
        this.pool = pool;
        this.maxBatchTokens = maxBatchTokens;
        this.maxRunning = maxRunning;
    }

    /** Part of a step: the next {@code count} tokens of {@code sequence}, and behind its last known one so many guessed tokens. */
    record Share(Sequence sequence, int count, int guesses) {
        Share(Sequence sequence, int count) {
            this(sequence, count, 0);
        }

        int rows() {
            return count + guesses;
        }

        /** Rows whose next token is chosen. */
        int outputs() {
            return yieldsToken() ? 1 + guesses : 0;
        }

        /** Whether it reaches the last known token, so that the next one can be chosen. */
        boolean yieldsToken() {
            return count == sequence.missing();
        }
    }

    void submit(Sequence sequence) {
        waiting.add(sequence);
    }

    boolean isIdle() {
        return running.isEmpty() && waiting.size() == 0;
    }

    int running() {
        return running.size();
    }

    int waiting() {
        return waiting.size();
    }

    long preemptions() {
        return preemptions;
    }

    /** Forgets {@code sequence} wherever it is, and frees its blocks. */
    void remove(Sequence sequence) {
        if (running.remove(sequence)) {
            sequence.releaseBlocks(pool);
            waiting.ended(sequence);
        } else {
            waiting.remove(sequence);
        }
    }

    /** Shares of the next step, whose blocks are allocated; empty only when there is nothing to do. */
    List<Share> plan() {
        List<Share> shares = new ArrayList<>();
        Set<Sequence> preempted = new HashSet<>();
        int budget = maxBatchTokens;
        // Those that lag by one first: they are answers in progress, and someone reads along.
        for (boolean decoding : new boolean[] {true, false}) {
            int reserved = decoding ? 0 : reservedForNewcomers(budget);
            for (Sequence sequence : decoding ? List.copyOf(running) : leastServedFirst()) {
                int room = budget - reserved;
                if ((sequence.missing() == 1) != decoding || preempted.contains(sequence) || room <= 0) {
                    continue;
                }
                int count = Math.min(sequence.missing(), room);
                while (!preempted.contains(sequence) && !allocate(sequence, count)) {
                    Sequence victim = running.getLast();
                    preempted.add(victim);
                    budget += preempt(victim, shares);
                }
                if (!preempted.contains(sequence)) {
                    shares.add(new Share(sequence, count));
                    budget -= count;
                }
            }
        }
        if (preempted.isEmpty()) {
            admit(shares, budget);
        }
        return shares;
    }

    /** Prompts in progress leave half of a step to a tenant of which nothing runs yet. */
    private int reservedForNewcomers(int budget) {
        Sequence next = waiting.first();
        if (next == null || waiting.running(next.tenant()) > 0) {
            return 0;
        }
        if (running.size() >= maxRunning && victimFor(next) == null) {
            return 0;
        }
        return Math.min(next.missing(), budget / 2);
    }

    private List<Sequence> leastServedFirst() {
        List<Sequence> sorted = new ArrayList<>(running);
        sorted.sort(Comparator.comparingLong(waiting::served));
        return sorted;
    }

    private void admit(List<Share> shares, int room) {
        int budget = room;
        boolean preempted = false;
        while (!preempted && budget > 0) {
            Sequence sequence = waiting.first();
            if (sequence == null) {
                return;
            }
            if (running.size() >= maxRunning) {
                Sequence victim = victimFor(sequence);
                if (victim == null) {
                    return;
                }
                budget += preempt(victim, shares);
                preempted = true;
            }
            sequence.adoptCached(pool);
            int count = Math.min(sequence.missing(), budget);
            while (!allocate(sequence, count)) {
                Sequence victim = victimFor(sequence);
                if (victim == null) {
                    sequence.releaseBlocks(pool);
                    return;
                }
                budget += preempt(victim, shares);
                preempted = true;
            }
            waiting.admit(sequence);
            running.add(sequence);
            shares.add(new Share(sequence, count));
            budget -= count;
        }
    }

    /** Whose place a sequence may take because nothing of its tenant runs: the youngest of the tenant with most, at least two; or null. */
    private @Nullable Sequence victimFor(Sequence sequence) {
        if (waiting.running(sequence.tenant()) > 0) {
            return null;
        }
        Sequence victim = null;
        int most = 1;
        for (Sequence candidate : running.reversed()) {
            int count = waiting.running(candidate.tenant());
            if (count > most) {
                most = count;
                victim = candidate;
            }
        }
        return victim;
    }

    /** All or nothing. */
    private boolean allocate(Sequence sequence, int count) {
        int needed = sequence.blocksNeeded(count);
        if (needed > pool.available()) {
            return false;
        }
        for (int i = 0; i < needed; i++) {
            sequence.addBlock(pool.take());
        }
        return true;
    }

    /** Returns how many tokens of the step in planning it takes back. */
    private int preempt(Sequence victim, List<Share> shares) {
        victim.preempt(pool);
        running.remove(victim);
        waiting.addPreempted(victim);
        preemptions++;
        int count = 0;
        for (Share share : shares) {
            count += share.sequence() == victim ? share.count() : 0;
        }
        shares.removeIf(share -> share.sequence() == victim);
        return count;
    }

    /** {@code share} with up to {@code guesses} guessed tokens behind it, as far as free blocks hold them: guessing preempts nobody. */
    Share withGuesses(Share share, int guesses) {
        int count = guesses;
        while (count > 0 && !allocate(share.sequence(), share.count() + count)) {
            count--;
        }
        return new Share(share.sequence(), share.count(), count);
    }

    /** Says that the known tokens of {@code share} have been computed. */
    void computed(Share share) {
        share.sequence().advance(share.count(), pool);
        waiting.charge(share.sequence(), share.rows());
    }

    /** Says that the last known token, once a guess, has been computed too. */
    void computedGuess(Share share) {
        share.sequence().advance(1, pool);
    }

    /** Frees what was allocated for guesses that were wrong. */
    void settle(Share share) {
        share.sequence().releaseSpareBlocks(pool);
    }

    /** The step as the model takes it; output rows are in the order of the shares, {@link Share#outputs} of each. */
    static Batch batch(List<Share> shares) {
        int size = shares.stream().mapToInt(Share::rows).sum();
        int[] tokens = new int[size];
        int[] positions = new int[size];
        int[] sequences = new int[size];
        int[][] tables = new int[shares.size()][];
        int[] outputs = new int[shares.stream().mapToInt(Share::outputs).sum()];
        int row = 0;
        int output = 0;
        for (int s = 0; s < shares.size(); s++) {
            Share share = shares.get(s);
            tables[s] = share.sequence().blockTable();
            for (int i = 0; i < share.rows(); i++) {
                positions[row] = share.sequence().computed() + i;
                tokens[row] = share.sequence().token(positions[row]);
                sequences[row++] = s;
            }
            for (int i = share.outputs(); i > 0; i--) {
                outputs[output++] = row - i;
            }
        }
        return new Batch(tokens, positions, sequences, tables, outputs);
    }
}
