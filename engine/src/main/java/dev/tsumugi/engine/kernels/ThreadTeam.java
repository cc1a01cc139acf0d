package dev.tsumugi.engine.kernels;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A fixed team of threads, the caller's among them, that shares out numbered tasks. Between jobs its threads spin for a moment, because the
 * next operation of a forward pass follows at once, and then park.
 */
public final class ThreadTeam implements AutoCloseable {
    private static final long SPIN_NANOS = 200_000;
    private static final int SPINS_PER_CLOCK = 32;

    /** One numbered piece of work. */
    @FunctionalInterface
    public interface Task {
        /** @param member which thread of the team runs it, from 0; for scratch memory */
        void run(int task, int member);
    }

    private final Thread[] members;
    private final AtomicIntegerArray sleeping;
    private volatile @Nullable Job current;
    private volatile boolean closed;

    /** @param threads the caller's included */
    ThreadTeam(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("a team needs a thread, not " + threads);
        }
        members = new Thread[threads - 1];
        sleeping = new AtomicIntegerArray(threads);
        for (int i = 0; i < members.length; i++) {
            int member = i + 1;
            members[i] = Thread.ofPlatform()
                    .name("tsumugi-compute-" + member)
                    .daemon(true)
                    .unstarted(() -> serve(member));
        }
        for (Thread thread : members) {
            thread.start();
        }
    }

    /** Threads, the caller's included. */
    public int size() {
        return members.length + 1;
    }

    /** Runs tasks 0 until {@code tasks} and returns when all are done; rethrows what the first failing one threw. */
    public void run(int tasks, Task task) {
        if (tasks <= 1 || members.length == 0) {
            for (int i = 0; i < tasks; i++) {
                task.run(i, 0);
            }
            return;
        }
        Job job = new Job(task, tasks, size());
        current = job;
        for (int i = 0; i < Math.min(members.length, tasks - 1); i++) {
            if (sleeping.get(i) != 0) {
                LockSupport.unpark(members[i]);
            }
        }
        job.work(0);
        job.await();
    }

    private void serve(int member) {
        Job last = null;
        while (!closed) {
            Job job = nextJob(last, member - 1);
            if (job != null) {
                job.work(member);
            }
            last = job;
        }
    }

    private @Nullable Job nextJob(@Nullable Job last, int index) {
        long start = System.nanoTime();
        while (true) {
            for (int i = 0; i < SPINS_PER_CLOCK; i++) {
                Job job = current;
                if (job != last || closed) {
                    return job;
                }
                Thread.onSpinWait();
            }
            if (System.nanoTime() - start > SPIN_NANOS) {
                sleeping.set(index, 1);
                // Looked at again after the mark is set, or a job that came in between would be slept through.
                while (current == last && !closed) {
                    LockSupport.park(this);
                }
                sleeping.set(index, 0);
            }
        }
    }

    /** Ends the threads; no job may be running. */
    @Override
    public void close() {
        closed = true;
        for (Thread thread : members) {
            LockSupport.unpark(thread);
        }
    }

    /**
     * A job's tasks in one slice for each member, which takes its own first and then what others have left: threads that share no counter do not
     * wait for each other's caches.
     */
    private static final class Job {
        /** Ints between two counters, so that each has a cache line, and that beside it, to itself. */
        private static final int APART = 32;

        private final Task task;
        private final int tasks;
        private final int slices;
        /** Of each slice how many tasks are taken; after these, of each member how many it has done. */
        private final AtomicIntegerArray counters;

        private volatile @Nullable Throwable failure;

        Job(Task task, int tasks, int slices) {
            this.task = task;
            this.tasks = tasks;
            this.slices = slices;
            counters = new AtomicIntegerArray((2 * slices + 1) * APART);
        }

        void work(int member) {
            int done = 0;
            for (int i = 0; i < slices; i++) {
                int slice = (member + i) % slices;
                int first = start(slice);
                int size = start(slice + 1) - first;
                int counter = (slice + 1) * APART;
                while (counters.get(counter) < size) {
                    int next = counters.getAndIncrement(counter);
                    if (next < size) {
                        runOne(first + next, member);
                        done++;
                    }
                }
            }
            if (done > 0) {
                counters.set((slices + member + 1) * APART, done);
            }
        }

        private int start(int slice) {
            return (int) ((long) tasks * slice / slices);
        }

        private void runOne(int number, int member) {
            try {
                if (failure == null) {
                    task.run(number, member);
                }
            } catch (Throwable e) {
                failure = e;
            }
        }

        private boolean isDone() {
            int done = 0;
            for (int member = 0; member < slices; member++) {
                done += counters.get((slices + member + 1) * APART);
            }
            return done == tasks;
        }

        void await() {
            for (int spins = 0; !isDone(); spins++) {
                if (spins < 10_000) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
            if (failure instanceof RuntimeException e) {
                throw e;
            }
            if (failure instanceof Error e) {
                throw e;
            }
        }
    }
}
