package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WorkerPoolTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void runsEveryTaskExactlyOnce(int threads) {
        WorkerPool pool = new WorkerPool(threads);
        for (int tasks : new int[] {0, 1, 2, 3, 7, 64, 1001}) {
            AtomicIntegerArray seen = new AtomicIntegerArray(tasks);
            pool.run(tasks, seen::incrementAndGet);
            for (int i = 0; i < tasks; i++) {
                assertThat(seen.get(i)).isOne();
            }
        }
        pool.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void runsEveryTaskExactlyOnceBackwardsToo(int threads) {
        WorkerPool pool = new WorkerPool(threads);
        for (int tasks : new int[] {0, 1, 2, 3, 7, 64, 1001}) {
            AtomicIntegerArray seen = new AtomicIntegerArray(tasks);
            pool.runBackwards(tasks, seen::incrementAndGet);
            for (int i = 0; i < tasks; i++) {
                assertThat(seen.get(i)).isOne();
            }
        }
        pool.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void streamsCoverEveryIndexOnceInAnyDirection(int threads) {
        WorkerPool pool = new WorkerPool(threads);
        for (int n : new int[] {0, 1, 7, 64, 1001}) {
            for (int turn = 0; turn < 3; turn++) {
                AtomicIntegerArray seen = new AtomicIntegerArray(n);
                pool.stream(n, 10, (from, to) -> {
                    for (int i = from; i < to; i++) {
                        seen.incrementAndGet(i);
                    }
                });
                for (int i = 0; i < n; i++) {
                    assertThat(seen.get(i)).isOne();
                }
            }
        }
        pool.close();
    }

    @Test
    void takesOverTheShareOfAThreadThatIsHeldUp() throws Exception {
        WorkerPool pool = new WorkerPool(2);
        CountDownLatch others = new CountDownLatch(9);
        AtomicBoolean all = new AtomicBoolean();
        pool.run(10, i -> {
            if (i == 5) { // the first task of the worker's share: the caller does all others meanwhile
                try {
                    all.set(others.await(20, TimeUnit.SECONDS));
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            } else {
                others.countDown();
            }
        });
        assertThat(all).isTrue();
        pool.close();
    }

    @Test
    void makesPlainWritesVisibleOverManyShortLoops() {
        WorkerPool pool = new WorkerPool(3);
        int[] data = new int[37];
        for (int round = 1; round <= 20_000; round++) {
            int r = round;
            pool.run(data.length, i -> data[i] += r);
        }
        assertThat(data).containsOnly(20_000 * 20_001 / 2);
        pool.close();
    }

    @Test
    void severalThreadsWorkAtTheSameTime() throws Exception {
        WorkerPool pool = new WorkerPool(2);
        CountDownLatch both = new CountDownLatch(2);
        AtomicBoolean met = new AtomicBoolean(true);
        pool.run(2, i -> {
            both.countDown();
            try {
                met.compareAndSet(true, both.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        assertThat(met).isTrue();
        pool.close();
    }

    @Test
    void wakesParkedWorkers() throws Exception {
        WorkerPool pool = new WorkerPool(2);
        for (int round = 0; round < 3; round++) {
            Thread.sleep(20); // much longer than the spin
            CountDownLatch both = new CountDownLatch(2);
            pool.run(2, i -> {
                both.countDown();
                try {
                    assertThat(both.await(20, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
        }
        pool.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void throwsTheTasksExceptionAndStaysUsable(int threads) {
        WorkerPool pool = new WorkerPool(threads);
        for (int bad = 0; bad < 40; bad++) {
            int b = bad;
            assertThatThrownBy(() -> pool.run(40, i -> {
                if (i == b) {
                    throw new IllegalStateException("task " + i);
                }
            })).isInstanceOf(IllegalStateException.class).hasMessage("task " + b);
            assertThatThrownBy(() -> pool.run(8, i -> {
                throw new StackOverflowError();
            })).isInstanceOf(StackOverflowError.class);
            AtomicIntegerArray seen = new AtomicIntegerArray(9);
            pool.run(9, seen::incrementAndGet);
            assertThat(seen.toString()).isEqualTo("[1, 1, 1, 1, 1, 1, 1, 1, 1]");
        }
        pool.close();
    }

    @Test
    void nestedLoopsRunInline() {
        WorkerPool pool = new WorkerPool(3);
        AtomicIntegerArray seen = new AtomicIntegerArray(20 * 30);
        pool.run(20, i -> {
            Thread me = Thread.currentThread();
            pool.run(30, j -> {
                assertThat(Thread.currentThread()).isSameAs(me);
                seen.incrementAndGet(i * 30 + j);
            });
        });
        for (int i = 0; i < seen.length(); i++) {
            assertThat(seen.get(i)).isOne();
        }
        pool.close();
    }

    @Test
    void concurrentCallersDoNotDisturbEachOther() throws Exception {
        WorkerPool pool = new WorkerPool(3);
        List<Thread> callers = new ArrayList<>();
        AtomicIntegerArray failures = new AtomicIntegerArray(1);
        for (int c = 0; c < 4; c++) {
            Thread t = new Thread(() -> {
                int[] data = new int[23];
                for (int round = 0; round < 3000; round++) {
                    pool.run(data.length, i -> data[i]++);
                }
                for (int v : data) {
                    if (v != 3000) {
                        failures.incrementAndGet(0);
                    }
                }
            });
            callers.add(t);
            t.start();
        }
        for (Thread t : callers) {
            t.join();
        }
        assertThat(failures.get(0)).isZero();
        pool.close();
    }

    @Test
    void keepsTheCallersInterrupt() {
        WorkerPool pool = new WorkerPool(2);
        Thread.currentThread().interrupt();
        pool.run(4, i -> {
            long end = System.nanoTime() + 2_000_000;
            while (System.nanoTime() < end) {
                Thread.onSpinWait();
            }
        });
        assertThat(Thread.interrupted()).isTrue();
        pool.close();
    }

    @Test
    void rangesCoverEverythingOnce() {
        WorkerPool pool = new WorkerPool(2);
        for (int n : new int[] {0, 1, 9, 10, 11, 100}) {
            AtomicIntegerArray seen = new AtomicIntegerArray(n);
            pool.ranges(n, 10, (from, to) -> {
                assertThat(from % 10).isZero();
                for (int i = from; i < to; i++) {
                    seen.incrementAndGet(i);
                }
            });
            for (int i = 0; i < n; i++) {
                assertThat(seen.get(i)).isOne();
            }
        }
        pool.close();
    }

    @Test
    void setThreadsReplacesTheSharedPool() {
        int before = WorkerPool.shared().threads();
        try {
            WorkerPool.setThreads(3);
            assertThat(WorkerPool.shared().threads()).isEqualTo(3);
            WorkerPool pool = WorkerPool.shared();
            WorkerPool.setThreads(1);
            AtomicIntegerArray seen = new AtomicIntegerArray(5);
            pool.run(5, seen::incrementAndGet); // a loop on the replaced pool still works
            assertThat(seen.toString()).isEqualTo("[1, 1, 1, 1, 1]");
            assertThatThrownBy(() -> WorkerPool.setThreads(0)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("at least 1");
        } finally {
            WorkerPool.setThreads(before);
        }
    }
}
