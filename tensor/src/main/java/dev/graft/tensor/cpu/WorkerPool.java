package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed pool of threads for short parallel loops. The caller works too. Every thread has its own share of the tasks,
 * the same part of the index range in every loop, so that it finds in its core's cache what it wrote there in the loop
 * before; who is done takes tasks from the far end of another's share. Idle workers spin for a moment before they park: a
 * region costs less than a microsecond while a network runs and nothing when it does not.
 *
 * <p>Which thread runs a task is not defined, so callers must cut their work into tasks that depend on the problem only,
 * never on {@link #threads()}: then results do not depend on the number of threads.
 *
 * <p>A {@code run} inside a task, and a {@code run} while another thread uses the pool, executes its tasks in the calling
 * thread: never a deadlock, and one loop never has more threads than asked for. Threads that call at the same time come on
 * top of these.
 */
public final class WorkerPool {
    /** Longer spinning hurts other processes on shared cores; shorter pays a wake-up (30 us) between two layers. */
    private static final long SPIN_NANOS = 300_000;

    /** From here on a spinning thread offers its core to others: a data loader, or a worker that was pushed off its own. */
    private static final long POLITE_NANOS = 30_000;

    private static final Object SHARED_LOCK = new Object();
    private static volatile WorkerPool shared;

    private final Worker[] workers;
    private final AtomicBoolean busy = new AtomicBoolean();
    private volatile Job job;
    private volatile boolean closed;
    private boolean last; // the direction of the last loop: a hint, of which threads need no common view

    /** A range of indices {@code from..to} (exclusive) of a parallel loop. */
    @FunctionalInterface
    public interface RangeBody {
        void accept(int from, int to);
    }

    /** Creates a pool in which up to {@code threads} threads work, the caller included. */
    WorkerPool(int threads) {
        if (threads < 1) {
            throw new GraftException("WorkerPool: " + threads + " threads asked for; give at least 1");
        }
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i);
        }
        for (Worker w : workers) {
            w.start();
        }
    }

    /**
     * The pool that all kernels use. Its size is the system property {@code graft.threads}, by default the number of
     * available processors.
     */
    public static WorkerPool shared() {
        WorkerPool pool = shared;
        if (pool != null) {
            return pool;
        }
        synchronized (SHARED_LOCK) {
            if (shared == null) {
                shared = new WorkerPool(configuredThreads());
            }
            return shared;
        }
    }

    /**
     * Replaces the shared pool by one of {@code n} threads, whatever property {@code graft.threads} says; loops that are
     * running finish undisturbed. Results do not depend on it.
     *
     * @param n at least 1
     */
    public static void setThreads(int n) {
        synchronized (SHARED_LOCK) {
            WorkerPool old = shared;
            if (old != null && old.threads() == n) {
                return;
            }
            shared = new WorkerPool(n);
            if (old != null) {
                old.close();
            }
        }
    }

    /** The number of threads that work in a loop, the caller included. */
    public int threads() {
        return workers.length + 1;
    }

    /**
     * Calls {@code body} once for every task {@code 0..tasks-1}, in any order and on several threads, and returns when
     * all are done; what the tasks wrote is then visible to the caller. When a task throws, tasks that have not
     * started yet are skipped and the first exception is thrown here.
     */
    public void run(int tasks, IntConsumer body) {
        run(tasks, false, body);
    }

    /**
     * As {@link #run}, but every thread takes its share from the last task to the first: for a second pass over data of
     * which the end is still in the cache.
     */
    void runBackwards(int tasks, IntConsumer body) {
        run(tasks, true, body);
    }

    private void run(int tasks, boolean backwards, IntConsumer body) {
        if (tasks <= 0) {
            return;
        }
        if (tasks == 1 || workers.length == 0 || !busy.compareAndSet(false, true)) {
            if (workers.length == 0) {
                last = backwards;
            }
            for (int i = 0; i < tasks; i++) {
                body.accept(backwards ? tasks - 1 - i : i);
            }
            return;
        }
        last = backwards;
        Job j = new Job(tasks, backwards, Math.min(tasks, threads()), body);
        try {
            job = j;
            int wake = Math.min(workers.length, tasks - 1);
            for (int i = 0; i < wake; i++) {
                if (workers[i].parked) {
                    LockSupport.unpark(workers[i]);
                }
            }
            j.work(0);
            j.await();
        } finally {
            job = null;
            j.body = null; // a worker remembers the job it saw last; it must not keep the caller's arrays alive
            busy.set(false);
        }
        if (j.error != null) {
            throw WorkerPool.<RuntimeException>unchecked(j.error);
        }
    }

    /** Calls {@code body} for consecutive ranges of at most {@code chunk} indices that cover {@code 0..n-1}. */
    public void ranges(int n, int chunk, RangeBody body) {
        if (n > 0) {
            run((n - 1) / chunk + 1, i -> body.accept(i * chunk, (int) Math.min(n, (i + 1L) * chunk)));
        }
    }

    /**
     * As {@link #ranges}, every thread's share in the direction opposite to that of the loop before: for loops that read
     * memory once, which so begin with what the loop before had last in its cache.
     */
    void stream(int n, int chunk, RangeBody body) {
        if (n > 0) {
            run((n - 1) / chunk + 1, !last, i -> body.accept(i * chunk, (int) Math.min(n, (i + 1L) * chunk)));
        }
    }

    /** Lets the workers end; the pool stays usable, the caller then does all the work. */
    void close() {
        closed = true;
        for (Worker w : workers) {
            LockSupport.unpark(w);
        }
    }

    private static int configuredThreads() {
        String text = System.getProperty("graft.threads");
        if (text == null) {
            return Math.max(1, Runtime.getRuntime().availableProcessors());
        }
        try {
            int n = Integer.parseInt(text.strip());
            if (n >= 1) {
                return n;
            }
        } catch (NumberFormatException e) {
            // reported below, together with numbers that are too small
        }
        throw new GraftException("system property graft.threads is '" + text + "'; give a whole number of at least 1");
    }

    /** Between two rounds of spinning since {@code start}: false when it has been long enough. */
    private static boolean spin(long start) {
        long waited = System.nanoTime() - start;
        if (waited > POLITE_NANOS) {
            Thread.yield();
        }
        return waited <= SPIN_NANOS;
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T unchecked(Throwable t) throws T {
        throw (T) t;
    }

    /** One parallel loop. A fresh object per loop: a worker that arrives late finds no task left and does no harm. */
    private static final class Job {
        private static final int LINE = 16; // shares lie two cache lines apart: their owners must not disturb each other

        private final int tasks;
        private final boolean backwards;
        private final int shares;
        private final AtomicLongArray left;
        private final Thread caller = Thread.currentThread();
        private final AtomicInteger done = new AtomicInteger();
        private volatile IntConsumer body;
        private volatile Throwable error;
        private volatile boolean callerParked;

        Job(int tasks, boolean backwards, int shares, IntConsumer body) {
            this.tasks = tasks;
            this.backwards = backwards;
            this.shares = shares;
            this.body = body;
            left = new AtomicLongArray(shares * LINE);
            for (int s = 0; s < shares; s++) {
                left.setPlain(s * LINE, range((int) ((long) tasks * s / shares), (int) ((long) tasks * (s + 1) / shares)));
            }
        }

        /** What is left of a share, as one value that changes atomically. */
        private static long range(int from, int to) {
            return (long) from << 32 | to;
        }

        /** The next task of {@code share} from its low or high end, -1 when it is empty. */
        private int take(int share, boolean high) {
            while (true) {
                long now = left.get(share * LINE);
                int from = (int) (now >>> 32);
                int to = (int) now;
                if (from >= to) {
                    return -1;
                }
                if (left.compareAndSet(share * LINE, now, high ? range(from, to - 1) : range(from + 1, to))) {
                    return high ? to - 1 : from;
                }
            }
        }

        /** Works as thread {@code self} of the pool: its share first, then what others have left. */
        void work(int self) {
            int finished = 0;
            for (int k = 0; k < shares; k++) {
                boolean high = backwards == (k == 0 && self < shares);
                int share = (self + k) % shares;
                for (int i = take(share, high); i >= 0; i = take(share, high)) {
                    if (error == null) {
                        try {
                            body.accept(i);
                        } catch (Throwable t) {
                            fail(t);
                        }
                    }
                    finished++;
                }
            }
            if (finished > 0 && done.addAndGet(finished) == tasks && callerParked) {
                LockSupport.unpark(caller);
            }
        }

        private synchronized void fail(Throwable t) {
            if (error == null) {
                error = t;
            }
        }

        void await() {
            boolean interrupted = false;
            long start = 0;
            for (int spins = 0; done.get() < tasks; spins++) {
                if ((spins & 63) != 63) {
                    Thread.onSpinWait();
                } else if (start == 0) {
                    start = System.nanoTime();
                } else if (!spin(start)) {
                    callerParked = true;
                    if (done.get() < tasks) {
                        LockSupport.park(this);
                        interrupted |= Thread.interrupted(); // a pending interrupt would turn park into a busy loop
                    }
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private final class Worker extends Thread {
        private final int index;
        private volatile boolean parked;

        Worker(int index) {
            super(null, null, "graft-worker-" + index, 0, false); // no inherited thread locals
            this.index = index;
            setDaemon(true);
        }

        @Override
        public void run() {
            Job last = null;
            while (!closed) {
                Job j = job;
                if (j != null && j != last) {
                    last = j;
                    j.work(index + 1);
                } else {
                    idle(last);
                }
            }
        }

        /** Returns when there may be something new to do. */
        private void idle(Job last) {
            long start = System.nanoTime();
            while (!hasWork(last)) {
                for (int i = 0; i < 64; i++) {
                    Thread.onSpinWait();
                    if (job != null && hasWork(last)) {
                        return;
                    }
                }
                if (!spin(start)) {
                    parked = true;
                    if (!hasWork(last)) { // whoever publishes a job after this test sees the flag and unparks
                        LockSupport.park(WorkerPool.this);
                        Thread.interrupted();
                    }
                    parked = false;
                }
            }
        }

        private boolean hasWork(Job last) {
            Job j = job;
            return closed || (j != null && j != last);
        }
    }
}
