package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.model.Batch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Decides which tokens the next step computes. There is no prefill phase and no decode phase: every sequence has computed tokens that catch
 * up with its known tokens, and each step hands a budget of tokens to the sequences that lag behind. A long prompt is computed in chunks, a
 * decoding sequence lags by one. Sequences are admitted in order of arrival; when the pool has no block left for one that runs, the
 * youngest gives its blocks back and is computed again later. (The idea is that of vLLM's version 1 scheduler.)
 *
 * <p>The oldest running sequence is never preempted, and any admissible sequence fits the pool alone, so it always moves on. For one thread.
 */
final class Scheduler {
    private final BlockPool pool;
    private final int maxBatchTokens;
    private final int maxRunning;

    /** In order of admission. */
    private final List<Sequence> running = new ArrayList<>();

    private final Deque<Sequence> waiting = new ArrayDeque<>();
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

    /** Part of a step: the next {@code count} tokens of {@code sequence}. */
    record Share(Sequence sequence, int count) {
        /** Whether it reaches the last known token, so that the next one can be chosen. */
        boolean yieldsToken() {
            return count == sequence.missing();
        }
    }

    void submit(Sequence sequence) {
        waiting.addLast(sequence);
    }

    boolean isIdle() {
        return running.isEmpty() && waiting.isEmpty();
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
        if (running.remove(sequence) || waiting.remove(sequence)) {
            sequence.releaseBlocks(pool);
        }
    }

    /** Shares of the next step, whose blocks are allocated; empty only when there is nothing to do. */
    List<Share> plan() {
        List<Share> shares = new ArrayList<>();
        Set<Sequence> preempted = new HashSet<>();
        int budget = maxBatchTokens;
        // Those that lag by one first: they are answers in progress, and someone reads along.
        for (boolean decoding : new boolean[] {true, false}) {
            for (Sequence sequence : List.copyOf(running)) {
                if ((sequence.missing() == 1) != decoding || preempted.contains(sequence) || budget == 0) {
                    continue;
                }
                int count = Math.min(sequence.missing(), budget);
                while (!preempted.contains(sequence) && !allocate(sequence, count)) {
                    Sequence victim = running.getLast();
                    preempt(victim);
                    preempted.add(victim);
                    budget += takeBack(shares, victim);
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

    private void admit(List<Share> shares, int budget) {
        while (budget > 0 && running.size() < maxRunning && !waiting.isEmpty()) {
            Sequence sequence = waiting.getFirst();
            sequence.adoptCached(pool);
            int count = Math.min(sequence.missing(), budget);
            if (!allocate(sequence, count)) {
                sequence.releaseBlocks(pool);
                return;
            }
            waiting.removeFirst();
            running.add(sequence);
            shares.add(new Share(sequence, count));
            budget -= count;
        }
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

    private void preempt(Sequence victim) {
        victim.preempt(pool);
        running.remove(victim);
        waiting.addFirst(victim);
        preemptions++;
    }

    private static int takeBack(List<Share> shares, Sequence victim) {
        int count = 0;
        for (Share share : shares) {
            count += share.sequence() == victim ? share.count() : 0;
        }
        shares.removeIf(share -> share.sequence() == victim);
        return count;
    }

    /** Says that {@code share} has been computed. */
    void computed(Share share) {
        share.sequence().advance(share.count(), pool);
    }

    /** The step as the model takes it; output rows are in the order of the shares that yield a token. */
    static Batch batch(List<Share> shares) {
        int size = shares.stream().mapToInt(Share::count).sum();
        int[] tokens = new int[size];
        int[] positions = new int[size];
        int[] sequences = new int[size];
        int[][] tables = new int[shares.size()][];
        int[] outputs = new int[(int) shares.stream().filter(Share::yieldsToken).count()];
        int row = 0;
        int output = 0;
        for (int s = 0; s < shares.size(); s++) {
            Share share = shares.get(s);
            tables[s] = share.sequence().blockTable();
            for (int i = 0; i < share.count(); i++) {
                positions[row] = share.sequence().computed() + i;
                tokens[row] = share.sequence().token(positions[row]);
                sequences[row++] = s;
            }
            if (share.yieldsToken()) {
                outputs[output++] = row - 1;
            }
        }
        return new Batch(tokens, positions, sequences, tables, outputs);
    }
}
