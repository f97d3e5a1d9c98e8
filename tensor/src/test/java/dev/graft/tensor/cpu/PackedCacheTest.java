package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Packed weights that are kept: the same bits, never stale, bounded, gone with their weights. */
class PackedCacheTest {
    private static final long ROOM = 64L << 20;
    private long limit;

    @BeforeEach
    void empty() {
        PackedCache.clear();
        limit = PackedCache.limit(ROOM);
    }

    @AfterEach
    void restore() {
        PackedCache.limit(limit);
        PackedCache.clear();
    }

    private static Tensor random(int seed, int... dims) {
        Shape s = Shape.of(dims);
        return Tensor.from(DType.F32, KernelChecks.random(seed, (int) s.size()), s);
    }

    /** An op and its inputs, the weight second. */
    private record Case(String name, Op op, Tensor... in) {
        float[] run() {
            return PackedCacheTest.run(op, in);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static float[] run(Op op, Tensor... in) {
        return closing(Dispatcher.one(op, in));
    }

    private static float[] closing(Tensor y) {
        try (y) {
            return y.toFloats();
        }
    }

    private static ConvParams params(int stride, int pad, int groups) {
        return new ConvParams(stride, stride, pad, pad, pad, pad, 1, 1, groups);
    }

    private static Case conv(String name, ConvParams p, int size, int c, int o, int kernel) {
        Tensor w = random(2, o, kernel, kernel, c / p.groups());
        return new Case(name, new FusedOp.ConvBiasActivation(p, FusedOp.Activation.RELU), random(1, 2, size, size, c), w,
                random(3, o));
    }

    private static Case dataGradient(String name, ConvParams p, int size, int c, int o, int kernel) {
        int out = (size + 2 * p.padTop() - kernel) / p.strideH() + 1;
        return new Case(name, new ConvOp.Conv2dBackwardInput(p, size, size), random(1, 2, out, out, o),
                random(2, o, kernel, kernel, c / p.groups()));
    }

    private static Case winograd() {
        return conv("winograd", params(1, 1, 1), 16, 24, 20, 3);
    }

    static Stream<Case> cases() {
        return Stream.of(
                winograd(),
                conv("direct", params(2, 1, 1), 9, 5, 19, 3),
                conv("grouped", params(1, 0, 2), 7, 8, 6, 3),
                conv("pointwise", params(1, 0, 1), 7, 33, 21, 1),
                conv("depthwise", params(1, 1, 12), 7, 12, 24, 3),
                new Case("without bias", new ConvOp.Conv2d(params(2, 3, 1)), random(1, 1, 20, 20, 3),
                        random(2, 17, 7, 7, 3)),
                dataGradient("data gradient, winograd", params(1, 1, 1), 16, 24, 20, 3),
                dataGradient("data gradient, direct", params(2, 1, 1), 9, 5, 19, 3),
                dataGradient("data gradient, pointwise", params(1, 0, 1), 7, 33, 21, 1),
                dataGradient("data gradient, depthwise", params(2, 1, 12), 7, 12, 24, 3),
                new Case("linear", new FusedOp.LinearBiasActivation(FusedOp.Activation.NONE), random(1, 3, 15, 70),
                        random(2, 37, 70), random(3, 37)),
                new Case("linear in several slabs", new FusedOp.LinearBiasActivation(FusedOp.Activation.RELU),
                        random(1, 14, 259), random(2, 32_800, 259), random(3, 32_800)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void keptWeightsGiveTheSameBits(Case c) {
        PackedCache.limit(0);
        float[] expected = c.run();
        assertThat(c.run()).isEqualTo(expected);
        assertThat(PackedCache.bytes()).isZero();
        PackedCache.limit(ROOM);
        for (int i = 0; i < 4; i++) {
            assertThat(PackedCache.bytes() > 0).as("kept before use " + (i + 1)).isEqualTo(i >= 2);
            assertThat(c.run()).as("use " + (i + 1)).isEqualTo(expected);
        }
        assertThat(Memory.report().packed()).isEqualTo(PackedCache.bytes()).isGreaterThanOrEqualTo(4 * c.in[1].size());
        c.in[1].close();
        assertThat(PackedCache.bytes()).as("after the weight was closed").isZero();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void changedWeightsAreNeverServedStale(Case c) {
        Tensor w = c.in[1];
        for (int round = 0; round < 5; round++) {
            float[] first = c.run();
            for (int i = 0; i < 9; i++) {
                assertThat(c.run()).isEqualTo(first);
            }
            long kept = PackedCache.bytes();
            assertThat(kept).isPositive();
            switch (round) {
                case 0 -> w.write(KernelChecks.random(7, (int) w.size()));
                case 1 -> Dispatcher.update(new Update.Assign(), w, random(8, w.shape().dims()));
                case 2 -> failing(() -> Dispatcher.update(new Update.Assign(), w, random(9, w.shape().dims())));
                case 3 -> failing(() -> Dispatcher.updateAll(List.of(new Change(new Update.Assign(), w,
                        random(10, w.shape().dims()))), null));
                default -> {
                    try (Tensor rows = w.slice(0, 0, 1)) {      // another tensor over the same memory
                        rows.write(new float[(int) rows.size()]);
                    }
                }
            }
            float[] changed = c.run();
            assertThat(changed).isNotEqualTo(first);
            assertThat(PackedCache.bytes()).as("the old ones are gone").isZero();
            PackedCache.limit(0);
            assertThat(c.run()).isEqualTo(changed);
            PackedCache.limit(ROOM);
        }
    }

    /** What breaks off a change may have come when part of it was done. */
    private static void failing(Runnable update) {
        Interceptor late = new Interceptor() {
            @Override
            public Tensor[] intercept(Op op, Tensor[] inputs, Next next) {
                return next.run(op, inputs);
            }

            @Override
            public void update(String name, Device device, Runnable change) {
                change.run();
                throw new OutOfMemoryError("of the test");
            }
        };
        assertThatThrownBy(() -> Context.current().with(late).run(update)).hasMessage("of the test");
    }

    @Test
    void productsWithOneMatrixKeepItInBothForms() {
        Tensor x = random(1, 4, 60, 48);     // more rows than read a matrix where it lies
        Tensor w = random(2, 48, 40);
        Tensor wt = random(3, 40, 48);
        double[] plain = byReference(() -> x.matmul(w));
        double[] transposed = byReference(() -> x.matmulTransposed(wt));
        for (int i = 0; i < 3; i++) {
            assertThat(KernelChecks.relativeError(closing(x.matmul(w)), plain)).isLessThan(1e-5);
            assertThat(KernelChecks.relativeError(closing(x.matmulTransposed(wt)), transposed)).isLessThan(1e-5);
        }
        assertThat(PackedCache.bytes()).isEqualTo(2L * Float.BYTES
                * (Alignment.FIRST + 48 * Panels.padded(CpuFeatures.kernels(), 40)));
    }

    private static double[] byReference(Supplier<Tensor> product) {
        return Context.current().withCpu(new ReferenceBackend()).call(() -> {
            try (Tensor y = product.get()) {
                return y.toDoubles();
            }
        });
    }

    @Test
    void weightsThatChangeWithEveryStepNeverEnter() {
        Case c = winograd();
        for (int step = 0; step < 5; step++) {
            c.run();
            c.in[1].write(KernelChecks.random(step, (int) c.in[1].size()));
            assertThat(PackedCache.bytes()).isZero();
        }
    }

    @Test
    void weightsUsedTwicePerStepEnterOnlyOnce() {
        Case c = winograd();
        for (int step = 0; step < 5; step++) {
            c.run();
            c.run();
            assertThat(PackedCache.bytes() > 0).as("step " + step).isEqualTo(step == 0);
            c.in[1].write(KernelChecks.random(step, (int) c.in[1].size()));
        }
        for (int i = 0; i < 4; i++) {
            c.run();
        }
        assertThat(PackedCache.bytes()).as("frozen at last").isPositive();
    }

    @Test
    void aNetworkLargerThanTheLimitKeepsAPartOfItself() {
        Op linear = new FusedOp.LinearBiasActivation(FusedOp.Activation.NONE);
        Tensor x = random(1, 16, 64);
        Tensor bias = random(2, 64);
        List<Tensor> layers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            layers.add(random(10 + i, 64, 64));
        }
        long one = Float.BYTES * (Alignment.FIRST + 64 * 64);
        PackedCache.limit(3 * one + 100);
        for (int round = 0; round < 6; round++) {
            layers.forEach(w -> run(linear, x, w, bias));
            assertThat(PackedCache.bytes()).isEqualTo(round == 0 ? 0 : 3 * one);
        }
        assertThat(inCache(linear, x, layers, bias)).as("the first stay").containsExactly(0, 1, 2);
        for (int i = 0; i < 2; i++) {
            run(linear, x, layers.get(5), bias);    // the others rest
        }
        assertThat(inCache(linear, x, layers.subList(1, 6), bias)).as("the oldest went").containsExactly(0, 1, 4);
    }

    /** Which weights are served from the cache: those whose panels are read although the weights were spoilt unnoticed. */
    private static List<Integer> inCache(Op linear, Tensor x, List<Tensor> layers, Tensor bias) {
        List<Integer> found = new ArrayList<>();
        PackedCache.limit(Math.max(1, PackedCache.bytes()));
        for (int i = 0; i < layers.size(); i++) {
            float[] w = layers.get(i).host().floats();
            float[] before = w.clone();
            Arrays.fill(w, Float.NaN);
            if (!Float.isNaN(run(linear, x, layers.get(i), bias)[0])) {
                found.add(i);
            }
            System.arraycopy(before, 0, w, 0, w.length);
        }
        return found;
    }

    @Test
    void nothingIsKeptAliveForWeightsNobodyClosed() throws InterruptedException {
        Case c = winograd();
        c.run();
        c.run();
        assertThat(PackedCache.bytes()).isPositive();
        c = null;
        for (int i = 0; i < 50 && PackedCache.bytes() > 0; i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertThat(PackedCache.bytes()).isZero();
    }

    @Test
    void trimmingGivesAllBackAndWeightsInUseReturn() {
        Case c = winograd();
        float[] expected = c.run();
        c.run();
        c.run();
        long kept = PackedCache.bytes();
        Memory.trim();
        assertThat(PackedCache.bytes()).isZero();
        for (int i = 0; i < 5; i++) {
            assertThat(c.run()).isEqualTo(expected);
        }
        assertThat(PackedCache.bytes()).isEqualTo(kept);
    }

    @Test
    void manyThreadsPackOnce() throws Exception {
        Tensor w = random(1, 1000);
        AtomicInteger packed = new AtomicInteger();
        CyclicBarrier together = new CyclicBarrier(4);
        Callable<Integer> user = () -> {
            int served = 0;
            together.await();
            for (int i = 0; i < 2000; i++) {
                float[] data = PackedCache.get(w.host(), "form", 1000, to -> {
                    packed.incrementAndGet();
                    System.arraycopy(w.host().floats(), 0, to, 0, 1000);
                });
                if (data != null) {
                    assertThat(data[999]).isEqualTo(w.host().floats()[999]);
                    served++;
                }
            }
            return served;
        };
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            int served = 0;
            for (Future<Integer> f : threads.invokeAll(List.of(user, user, user, user))) {
                served += f.get();
            }
            assertThat(served).isPositive();
        }
        assertThat(packed).hasValue(1);
        assertThat(PackedCache.bytes()).isEqualTo(4000);
    }

    @Test
    void aSharedModelGivesTheSameBitsInEveryThread() throws Exception {
        Case c = winograd();
        float[] expected = c.run();
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            Callable<float[]> one = c::run;
            for (Future<float[]> f : threads.invokeAll(Collections.nCopies(40, one))) {
                assertThat(f.get()).isEqualTo(expected);
            }
        }
    }

    @Test
    void failedPackingLeavesNothingBehind() {
        Tensor w = random(1, 10);
        for (int i = 0; i < 2; i++) {
            try {
                PackedCache.get(w.host(), "form", 10, to -> {
                    throw new IllegalStateException("no");
                });
            } catch (IllegalStateException e) {
                assertThat(i).isEqualTo(1);
            }
        }
        assertThat(PackedCache.bytes()).isZero();
    }

    @Test
    void whatIsWrittenWhileItIsPackedIsNotKept() {
        Tensor w = random(1, 10);
        for (int i = 0; i < 2; i++) {
            PackedCache.get(w.host(), "form", 10, to -> w.write(new float[10]));
        }
        assertThat(PackedCache.bytes()).isZero();
        assertThat(PackedCache.get(w.host(), "form", 10, to -> {})).isNull();
    }
}
