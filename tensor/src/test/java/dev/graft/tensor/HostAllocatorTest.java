package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The caching allocator: reuse, books, limit, threads. Counts are compared before and after, never absolutely. */
class HostAllocatorTest {
    private static final long MIB = 1 << 20;

    @AfterEach
    void noLimit() {
        Memory.limit(Long.MAX_VALUE);
        Memory.trim();
    }

    @Test
    void sizeClassesWasteAtMostAQuarter() {
        for (long n = 1; n < 100_000; n += 1 + n / 37) {
            int c = HostAllocator.sizeClass(n);
            assertThat((long) c).isGreaterThanOrEqualTo(n).isLessThanOrEqualTo(Math.max(64, n + n / 4 + 16));
            assertThat(HostAllocator.sizeClass(c)).as("a class is its own class").isEqualTo(c);
        }
        assertThat(HostAllocator.sizeClass(0)).isZero();
        assertThat(HostAllocator.sizeClass(Integer.MAX_VALUE - 64)).isEqualTo(Integer.MAX_VALUE - 64);
    }

    @Test
    void closedArraysAreHandedOutAgain() {
        Tensor a = Tensor.zeros(1000);
        Object array = a.host().array();
        a.close();
        Tensor b = Tensor.zeros(999);                      // the same size class
        assertThat(b.host().array()).isSameAs(array);
        Tensor other = Tensor.fill(new TensorSpec(DType.I32, Shape.of(1000)), 0, Device.CPU);
        assertThat(other.host().array()).isInstanceOf(int[].class);
        b.close();
        other.close();
    }

    @Test
    void aCallersArrayIsNeverHandedOut() {
        float[] mine = new float[1024];
        Arrays.fill(mine, 5);
        Tensor.from(DType.F32, mine, Shape.of(1024)).close();
        for (int i = 0; i < 4; i++) {
            Tensor t = Tensor.full(9, 1024);
            assertThat(t.host().array()).isNotSameAs(mine);
            t.close();
        }
        assertThat(mine).containsOnly(5);
    }

    /** In memory of the engine's own: vectors of what a user gives begin at cache lines too. */
    @Test
    void copiedValuesLieWhereTheAllocatorPutsThem() {
        float[] mine = {1, 2, 3, 4, 5, 6};
        Tensor all = Tensor.of(mine, 2, 3);
        Tensor some = Tensor.copyOf(DType.F32, mine, 4, Shape.of(4));
        Arrays.fill(mine, 0);
        assertThat(all.toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(some.toFloats()).containsExactly(1, 2, 3, 4);
        Tensor made = Tensor.zeros(6);
        assertThat(all.offset()).isEqualTo(all.host().first()).isEqualTo(made.offset());
        Object array = all.host().array();
        all.close();
        Tensor again = Tensor.of(new float[] {7, 8}, 2);
        assertThat(again.host().array()).isSameAs(array);
        assertThat(again.toFloats()).containsExactly(7, 8);
        some.close();
        made.close();
        again.close();
        assertThatThrownBy(() -> Tensor.copyOf(DType.F32, mine, 4, Shape.of(5))).isInstanceOf(GraftException.class)
                .hasMessage("tensor: 4 values do not fill shape [5] of 5");
        assertThatThrownBy(() -> Tensor.copyOf(DType.F64, mine, 4, Shape.of(4))).isInstanceOf(GraftException.class)
                .hasMessage("tensor: a float[] cannot hold float64");
        int few = mine.length;
        assertThatThrownBy(() -> Tensor.copyOf(DType.F32, mine, few + 1, Shape.of(few + 1)))
                .isInstanceOf(GraftException.class)
                .hasMessage("tensor: " + (few + 1) + " values were asked for of an array of " + few);
    }

    @Test
    void memoryLivesAsLongAsItsLastHandle() {
        Tensor x = Tensor.full(3, 8, 4);
        long live = Memory.report().live();
        Tensor view = x.slice(0, 2, 4);
        Tensor reshaped = view.reshape(8);
        assertThat(Memory.report().live()).as("views take no memory").isLessThanOrEqualTo(live);
        assertThat(reshaped.storage()).isSameAs(x.storage());
        float[] values = new float[32];
        for (int i = 0; i < 8; i++) {
            values[8 + i] = i + 1;
        }
        x.write(values);
        assertThat(reshaped.toFloats()).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
        x.close();
        view.close();
        assertThat(reshaped.toFloats()).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
        reshaped.close();
        assertThat(Memory.report().live()).isLessThan(live);
    }

    @Test
    void aSteadyStepAllocatesNothingNew() {
        Tensor w = Tensor.ones(64, 64);
        long fresh = 0;
        long live = 0;
        for (int step = 0; step < 1003; step++) {
            if (step == 3) {
                fresh = Memory.report().fresh();
                live = Memory.report().live();
            }
            try (Scope s = Scope.open("step")) {
                Tensor y = Tensor.full(0.1, 1, 64).matmul(w).relu();
                Tensor z = s.keep(y.add(1).sum());
                z.close();
            }
        }
        assertThat(Memory.report().fresh()).isEqualTo(fresh);
        assertThat(Memory.report().live()).isLessThanOrEqualTo(live);
        w.close();
    }

    @Test
    void peakIsTheMostEverLive() {
        long peak = LiveBytes.of(Device.CPU, () -> {
            Memory.resetPeak();
            long before = Memory.report().live();
            Tensor a = Tensor.zeros((int) (4 * MIB));
            a.close();
            Tensor b = Tensor.zeros((int) MIB);
            MemoryReport r = Memory.report();
            b.close();
            return r.peak() - before;
        });
        assertThat(peak).isBetween(16 * MIB, 16 * MIB + 64);   // the first value may lie at a cache line
        assertThat(Memory.report().cached()).isGreaterThanOrEqualTo(16 * MIB);
        Memory.trim();
        assertThat(Memory.report().cached()).isZero();
    }

    @Test
    void theLimitNamesTheLargestTensorsAndWhatHelps() {
        Memory.trim();
        try (Scope s = Scope.open()) {
            Context.inference().withPath("layer3.0.conv1").run(() -> Tensor.zeros((int) (5 * MIB)));
            Context.inference().withPath("head").run(() -> Tensor.zeros((int) (2 * MIB)).add(1));
            long live = Memory.report().live();
            Memory.limit(live + 8 * MIB);
            assertThatThrownBy(() -> Context.inference().withPath("layer4").run(() -> Tensor.zeros((int) (100 * MIB))))
                    .isInstanceOf(GraftException.class)
                    .hasMessageContaining("out of memory on cpu for 104857600 x float32 (400 MiB, fill in layer4)")
                    .hasMessageContaining("largest: fill in layer3.0.conv1 20.0 MiB, ")
                    .hasMessageContaining("add in head 8.0 MiB")
                    .hasMessageContaining("a smaller batch, freezing more layers");
            assertThat(Tensor.ones((int) MIB).sum().item()).isEqualTo(MIB);     // what fits still works
        }
    }

    @Test
    void theCacheIsGivenUpBeforeTheLimitIsHit() {
        Memory.trim();
        Tensor.zeros((int) (2 * MIB)).close();
        assertThat(Memory.report().cached()).isGreaterThanOrEqualTo(8 * MIB);
        Memory.limit(Memory.report().live() + 12 * MIB);
        Tensor t = Tensor.zeros((int) (2 * MIB + MIB / 2));
        MemoryReport r = Memory.report();
        assertThat(r.live() + r.cached()).isLessThanOrEqualTo(r.limit());
        t.close();
    }

    @Test
    void tensorsThatWereNeverClosedAreFoundBeforeTheLimitIsHit() {
        Memory.trim();
        Memory.limit(Memory.report().live() + 24 * MIB);
        long collected = Memory.report().collected();
        for (int i = 0; i < 6; i++) {
            assertThat(Tensor.zeros((int) (3 * MIB)).size()).isEqualTo(3 * MIB);
        }
        assertThat(Memory.report().collected()).isGreaterThan(collected);
    }

    @Test
    void tooManyElementsForAnArray() {
        assertThatThrownBy(() -> Tensor.zeros(65536, 32768)).isInstanceOf(GraftException.class)
                .hasMessageContaining("a tensor of 2147483648 elements is too large for the CPU")
                .hasMessageContaining("(fill)");
    }

    /** Threads write their own number into what they get; whoever finds another number shares an array. */
    @Test
    void threadsNeverShareAnArray() throws Exception {
        long live = Memory.report().live();
        long tensors = Memory.report().tensors();
        List<Callable<Integer>> work = new ArrayList<>();
        for (int id = 1; id <= 4; id++) {
            int mine = id;
            work.add(() -> {
                int wrong = 0;
                ThreadLocalRandom r = ThreadLocalRandom.current();
                for (int i = 0; i < 400; i++) {
                    try (Scope s = Scope.open()) {
                        List<Tensor> held = new ArrayList<>();
                        for (int k = 0; k < 6; k++) {
                            Tensor t = Tensor.full(mine, 1 + r.nextInt(300));
                            held.add(r.nextBoolean() ? t : t.slice(0, 0, t.dim(0) / 2));
                        }
                        Thread.yield();
                        for (Tensor t : held) {
                            for (float v : t.toFloats()) {
                                wrong += v == mine ? 0 : 1;
                            }
                        }
                    }
                }
                return wrong;
            });
        }
        try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
            for (Future<Integer> f : pool.invokeAll(work)) {
                assertThat(f.get()).isZero();
            }
        }
        assertThat(Memory.report().live()).isLessThanOrEqualTo(live);
        assertThat(Memory.report().tensors()).isLessThanOrEqualTo(tensors);
    }

    @Test
    void theLimitHoldsBetweenThreads() throws Exception {
        Memory.trim();
        Memory.limit(Memory.report().live() + 5 * MIB);
        List<Callable<Long>> work = new ArrayList<>();
        for (int id = 0; id < 4; id++) {
            work.add(() -> {
                long most = 0;
                for (int i = 0; i < 100; i++) {
                    try (Tensor t = Tensor.zeros((int) (MIB / 4 - i % 3 * 40_000))) {
                        MemoryReport r = Memory.report();
                        most = Math.max(most, r.live() + r.cached() - r.limit());
                    }
                }
                return most;
            });
        }
        try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
            for (Future<Long> f : pool.invokeAll(work)) {
                assertThat(f.get()).isLessThanOrEqualTo(0);
            }
        }
    }
}
