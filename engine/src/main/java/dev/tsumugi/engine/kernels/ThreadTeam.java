package dev.tsumugi.engine.kernels;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A fixed team of threads, the caller's among them, that shares out numbered tasks. Between jobs its threads spin for a moment, because the
 * next operation of a forward pass follows at once, and then park.
 */
public final class ThreadTeam implements AutoCloseable {
    private static final long SPIN_NANOS = 200_000;
    private static final int SPINS_PER_CLOCK = 32;
    /** Longs between two counters, so that each has a cache line, and that beside it, to itself. */
    private static final int APART = 16;

    /** One numbered piece of work. */
    @FunctionalInterface
    public interface Task {
        /** @param member which thread of the team runs it, from 0; for scratch memory */
        void run(int task, int member);
    }

    private final Thread[] members;
    private final AtomicIntegerArray sleeping;
    private final AtomicLongArray counters;
    private int jobs;
    private volatile @Nullable Job current;
    private volatile boolean closed;

    /** @param threads the caller's included */
    ThreadTeam(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("a team needs a thread, not " + threads);
        }
        members = new Thread[threads - 1];
        sleeping = new AtomicIntegerArray(threads);
        counters = Job.countersOf(threads);
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
        Job job = new Job(task, tasks, ++jobs, counters, size());
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
     * wait for each other's caches. The counters outlive the job; each carries the job's number, by which a member that comes late notices that
     * it is over.
     */
    private static final class Job {
        private final Task task;
        private final int tasks;
        private final int number;
        private final int slices;
        private final AtomicLongArray counters;
        private volatile @Nullable Throwable failure;

        /** @param counters {@link #countersOf} the members; no other job over them is running */
        Job(Task task, int tasks, int number, AtomicLongArray counters, int slices) {
            this.task = task;
            this.tasks = tasks;
            this.number = number;
            this.slices = slices;
            this.counters = counters;
            for (int i = 0; i < slices; i++) {
                counters.set(taken(i), count(0));
            }
        }

        static AtomicLongArray countersOf(int members) {
            return new AtomicLongArray((2 * members + 1) * APART);
        }

        /** Index of how many tasks of a slice are taken. */
        private static int taken(int slice) {
            return (2 * slice + 1) * APART;
        }

        /** Index of how many tasks a member has done. */
        private static int done(int member) {
            return (2 * member + 2) * APART;
        }

        private long count(int value) {
            return (long) number << 32 | value;
        }

        void work(int member) {
            int done = 0;
            for (int i = 0; i < slices; i++) {
                int slice = (member + i) % slices;
                int end = start(slice + 1);
                for (int next = take(slice, end); next < end; next = take(slice, end)) {
                    runOne(next, member);
                    done++;
                }
            }
            if (done > 0) {
                counters.set(done(member), count(done));
            }
        }

        /** The next task of a slice, or {@code end} when none is left or this job is over. */
        private int take(int slice, int end) {
            int start = start(slice);
            while (true) {
                long before = counters.get(taken(slice));
                int next = start + (int) before;
                if ((int) (before >>> 32) != number || next >= end) {
                    return end;
                }
                if (counters.compareAndSet(taken(slice), before, before + 1)) {
                    return next;
                }
            }
        }

        private int start(int slice) {
            return (int) ((long) tasks * slice / slices);
        }

        private void runOne(int index, int member) {
            try {
                if (failure == null) {
                    task.run(index, member);
                }
            } catch (Throwable e) {
                failure = e;
            }
        }

        private boolean isDone() {
            int sum = 0;
            for (int member = 0; member < slices; member++) {
                long count = counters.get(done(member));
                sum += (int) (count >>> 32) == number ? (int) count : 0;
            }
            return sum == tasks;
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
