package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed pool of threads for short parallel loops. The caller works too, tasks are handed out by an atomic counter,
 * and idle workers spin for a moment before they park: a region costs a few microseconds while a network runs and
 * nothing when it does not.
 *
 * <p>Which thread runs a task is not defined, so callers must cut their work into tasks that depend on the problem only,
 * never on {@link #threads()}: then results do not depend on the number of threads.
 *
 * <p>A {@code run} inside a task, and a {@code run} while another thread uses the pool, executes its tasks in the calling
 * thread: never a deadlock, never more runnable threads than asked for.
 */
public final class WorkerPool {
    /** Longer spinning hurts other processes on shared cores; shorter pays a wake-up (30 us) between two layers. */
    private static final long SPIN_NANOS = 300_000;

    private static final Object SHARED_LOCK = new Object();
    private static volatile WorkerPool shared;

    private final Worker[] workers;
    private final AtomicBoolean busy = new AtomicBoolean();
    private volatile Job job;
    private volatile boolean closed;

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

    /** Replaces the shared pool by one of {@code n} threads; loops that are running finish undisturbed. */
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
        if (tasks <= 0) {
            return;
        }
        if (tasks == 1 || workers.length == 0 || !busy.compareAndSet(false, true)) {
            for (int i = 0; i < tasks; i++) {
                body.accept(i);
            }
            return;
        }
        Job j = new Job(tasks, body);
        try {
            job = j;
            int wake = Math.min(workers.length, tasks - 1);
            for (int i = 0; i < wake; i++) {
                if (workers[i].parked) {
                    LockSupport.unpark(workers[i]);
                }
            }
            j.work();
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

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T unchecked(Throwable t) throws T {
        throw (T) t;
    }

    /** One parallel loop. A fresh object per loop: a worker that arrives late finds no index left and does no harm. */
    private static final class Job {
        private final int tasks;
        private final Thread caller = Thread.currentThread();
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();
        private volatile IntConsumer body;
        private volatile Throwable error;
        private volatile boolean callerParked;

        Job(int tasks, IntConsumer body) {
            this.tasks = tasks;
            this.body = body;
        }

        void work() {
            int finished = 0;
            while (true) {
                // The test before the increment keeps late workers from running the counter over.
                int i = next.get() < tasks ? next.getAndIncrement() : tasks;
                if (i >= tasks) {
                    break;
                }
                if (error == null) {
                    try {
                        body.accept(i);
                    } catch (Throwable t) {
                        fail(t);
                    }
                }
                finished++;
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
            long deadline = 0;
            for (int spins = 0; done.get() < tasks; spins++) {
                if ((spins & 63) != 63) {
                    Thread.onSpinWait();
                } else if (deadline == 0) {
                    deadline = System.nanoTime() + SPIN_NANOS;
                } else if (System.nanoTime() > deadline) {
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
        private volatile boolean parked;

        Worker(int index) {
            super(null, null, "graft-worker-" + index, 0, false); // no inherited thread locals
            setDaemon(true);
        }

        @Override
        public void run() {
            Job last = null;
            while (!closed) {
                Job j = job;
                if (j != null && j != last) {
                    last = j;
                    j.work();
                } else {
                    idle(last);
                }
            }
        }

        /** Returns when there may be something new to do. */
        private void idle(Job last) {
            long deadline = System.nanoTime() + SPIN_NANOS;
            while (!hasWork(last)) {
                for (int i = 0; i < 64; i++) {
                    Thread.onSpinWait();
                    if (job != null && hasWork(last)) {
                        return;
                    }
                }
                if (System.nanoTime() > deadline) {
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
