package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Elementwise ops that are put off and run as one kernel: the same values as one by one, whatever happens in between. */
class ElementChainTest {
    private static final Device CUDA = Device.cuda();
    private static CudaDevice device;
    private final SplittableRandom random = new SplittableRandom(4);
    private Scope scope;
    private float[][] expected;

    @BeforeAll
    static void device() {
        device = OnDevice.open();
    }

    @BeforeEach
    void open() {
        EmulatedCuda.reset();
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        EmulatedCuda.reset();
    }

    private static void sync() {
        Backends.of(CUDA).synchronize();
    }

    /** The kernels that {@code body} launches, with their counts. */
    private static Map<String, Long> launched(Runnable body) {
        sync();
        Map<String, Long> before = EmulatedCuda.launches();
        body.run();
        sync();
        Map<String, Long> after = new TreeMap<>(EmulatedCuda.launches());
        before.forEach((k, n) -> after.merge(k, -n, Long::sum));
        after.values().removeIf(n -> n == 0);
        return after;
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64", "F16", "BF16"})
    void aChainIsOneKernelAndGivesWhatItsOpsGive(DType type) {
        Tensor x = OnDevice.random(random, type, 5, 7, 24);
        Tensor scale = OnDevice.random(random, type, 24);
        Tensor column = OnDevice.random(random, type, 5, 1, 1);
        Tensor residual = OnDevice.random(random, type, 5, 7, 24);
        Tensor[] on = {x.to(CUDA), scale.to(CUDA), column.to(CUDA), residual.to(CUDA)};
        Tensor[] y = new Tensor[1];
        Map<String, Long> kernels = launched(() -> {
            try (Scope s = Scope.open("chain")) {
                y[0] = s.keep(chain(on));
            }
        });
        assertThat(kernels).hasSize(1).containsValue(1L);
        assertThat(kernels.keySet().iterator().next()).startsWith("fused_mul_add_silu_add_mul_scalar_")
                .endsWith("_broadcast");
        Tensor[] exact = {x.cast(DType.F64), scale.cast(DType.F64), column.cast(DType.F64), residual.cast(DType.F64)};
        assertThat(OnDevice.difference(y[0], OnDevice.reference(() -> chain(exact)))).isLessThan(OnDevice.tolerance(type));
    }

    private static Tensor chain(Tensor[] in) {
        return in[0].mul(in[1]).add(in[2]).silu().add(in[3]).mul(0.7);
    }

    @Test
    void onlyOpenResultsAreStored() {
        Tensor x = OnDevice.random(random, DType.F32, 64).to(CUDA);
        ElementChain chain = new ElementChain();
        Tensor[] y = new Tensor[4];
        Tensor from = x;
        for (int i = 0; i < y.length; i++) {
            y[i] = OnDevice.random(random, DType.F32, 64).to(CUDA);
            assertThat(chain.append(new ElementwiseOp.BinaryScalar(BinaryFn.ADD, i), new Tensor[] {from}, y[i])).isTrue();
            from = y[i];
        }
        long first = CudaStorage.address(y[1]);
        assertThat(chain.launch().outputs()).hasSize(4);
        chain.keeps((CudaStorage) y[0].storage(), null);
        chain.keeps((CudaStorage) y[2].storage(), null);
        assertThat(chain.launch().outputs()).containsExactly(first, CudaStorage.address(y[3]));
        assertThat(chain.launch().program().steps()).hasSize(4);
        chain.keeps((CudaStorage) y[3].storage(), null);       // nobody wants the last two any more
        assertThat(chain.launch().program().steps()).hasSize(2);
        chain.keeps((CudaStorage) y[1].storage(), null);
        assertThat(chain.launch()).isNull();
    }

    @Test
    void resultsThatStayOpenHaveTheirValuesToo() {
        Tensor x = Tensor.of(new float[] {1, 2, 3}, 3).to(CUDA);
        Tensor a = x.mul(2);
        Tensor b = a.add(1);
        Tensor dead = b.exp();
        Tensor c = b.neg();
        dead.close();
        assertThat(c.toFloats()).containsExactly(-3, -5, -7);
        assertThat(a.toFloats()).containsExactly(2, 4, 6);
        assertThat(b.toFloats()).containsExactly(3, 5, 7);
    }

    @Test
    void anInputMayBeChangedOrClosedAfterwards() {
        Tensor x = Tensor.of(new float[] {1, 2, 3, 4}, 4).to(CUDA);
        Tensor a = x.add(1);
        x.write(new float[] {9, 9, 9, 9});
        Tensor b = x.add(1);
        Dispatcher.update(new Update.Axpby(1, 1), x, a);       // x += a
        assertThat(a.toFloats()).containsExactly(2, 3, 4, 5);
        assertThat(b.toFloats()).containsExactly(10, 10, 10, 10);
        assertThat(x.toFloats()).containsExactly(11, 12, 13, 14);

        Tensor made = x.add(0);
        sync();
        long place = CudaStorage.address(made);
        Tensor c = made.mul(2);
        made.close();
        Tensor d = c.add(c);
        assertThat(CudaStorage.address(d)).isNotEqualTo(place);     // c is still to be computed from what lies there
        assertThat(d.toFloats()).containsExactly(44, 48, 52, 56);
        List<Tensor> later = new ArrayList<>();
        boolean reused = false;
        for (int i = 0; i < 64 && !reused; i++) {
            later.add(Tensor.fill(d.spec(), 0, CUDA));
            reused = CudaStorage.address(later.getLast()) == place;
        }
        assertThat(reused).as("the memory was given back").isTrue();
    }

    @Test
    void viewsOfAResultSeeIt() {
        Tensor x = Tensor.arange(DType.F32, 24).to(CUDA).reshape(4, 6);
        Tensor y = x.mul(2);
        Tensor rows = y.slice(0, 1, 3).add(1);                 // another shape inside the same memory
        Tensor flat = y.neg().reshape(24).add(1);
        assertThat(rows.toFloats()).startsWith(13, 15, 17).hasSize(12);
        assertThat(flat.toFloats()).startsWith(1, -1, -3).hasSize(24);
        Tensor z = x.add(0);
        Tensor same = z.reshape(6, 4).mul(x.reshape(6, 4));    // as many elements in another shape
        assertThat(same.toFloats()).startsWith(0, 1, 4, 9);
    }

    @Test
    void castsInsideAChainTakeDigitsAway() {
        Tensor x = Tensor.of(new float[] {1.001f, -2.7f, 300.4f, Float.NaN, 1e30f}, 5).to(CUDA);
        for (DType type : DType.values()) {
            Tensor fused = x.mul(1.5).cast(type).cast(DType.F32).add(0.25);
            Tensor alone = x.mul(1.5).to(Device.CPU).cast(type).cast(DType.F32).add(0.25);
            assertThat(fused.toFloats()).as("by way of " + type).isEqualTo(alone.toFloats());
        }
    }

    @Test
    void dropoutAndMasksAreThoseOfTheCpu() {
        Tensor x = OnDevice.random(random, DType.F32, 3, 37);
        Supplier<float[]> onCpu = () -> Context.training(7, 3).call(() -> dropped(x).toFloats());
        Tensor on = x.to(CUDA);
        float[] got = Context.training(7, 3).call(() -> dropped(on).toFloats());
        assertThat(got).containsExactly(onCpu.get(), within(1e-6f));
        assertThat(got).contains(0f);
    }

    private static Tensor dropped(Tensor x) {
        return x.gt(0).where(x, x.mul(0.5)).dropout(0.3).add(x.lt(-0.5).where(x, x.zerosLike())).dropout(0.1);
    }

    /** As many arguments as a kernel may have: eight steps, eight broadcast inputs, eight results. */
    @Test
    void longChainsAreCutWhereAKernelEnds() {
        Tensor x = OnDevice.random(random, DType.F32, 4, 8);
        List<Tensor> rows = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            rows.add(OnDevice.random(random, DType.F32, i % 2 == 0 ? new int[] {8} : new int[] {4, 1}));
        }
        for (Device d : List.of(Device.CPU, CUDA)) {
            Tensor y = x.to(d);
            List<Tensor> open = new ArrayList<>();
            for (Tensor r : rows) {
                y = y.add(r.to(d));
                open.add(y);
            }
            Tensor z = y;
            Tensor dropped = Context.training(1, 1).call(() -> {
                Tensor t = z;
                for (int i = 0; i < 5; i++) {
                    t = t.dropout(0.1).leakyRelu(0.1 * i);
                    open.add(t);
                }
                return t;
            });
            float[][] values = open.stream().map(Tensor::toFloats).toArray(float[][]::new);
            if (d.equals(Device.CPU)) {
                expected = values;
            } else {
                for (int i = 0; i < values.length; i++) {
                    assertThat(values[i]).as("result " + i).containsExactly(expected[i], within(1e-5f));
                }
            }
            assertThat(dropped.toFloats()).contains(0f);
        }
    }

    @Test
    void aRecordedStepFusesToo() {
        Tensor x = OnDevice.random(random, DType.F32, 40).to(CUDA);
        Tensor[] y = new Tensor[1];
        Runnable step = () -> {
            try (Scope s = Scope.open("step")) {
                y[0] = s.keep(x.mul(3).relu().dropout(0.5).add(1));
            }
        };
        Context.training(5, 1).run(step);
        y[0].close();
        Tensor unrelated = x.add(5);                           // put off when the recording begins
        StepGraph graph = Context.training(5, 1).call(() -> Backends.of(CUDA).capture(step));
        assertThat(graph.launches()).isEqualTo(1);
        assertThat(unrelated.toFloats()).containsExactly(x.to(Device.CPU).add(5).toFloats());
        for (int i = 1; i < 4; i++) {
            float[] values = OnDevice.random(random, DType.F32, 40).toFloats();
            x.write(values);
            graph.replay(RandomStream.of(5, i), () -> { });
            Tensor onCpu = Tensor.of(values, 40);
            assertThat(y[0].toFloats()).as("step " + i).containsExactly(Context.training(5, i).call(() ->
                    onCpu.mul(3).relu().dropout(0.5).add(1).toFloats()), within(1e-6f));
        }
        graph.close();
    }

    @Test
    void aFailedRecordingForgetsWhatItPutOff() {
        Tensor x = Tensor.of(new float[] {1, 2}, 2).to(CUDA);
        assertThatThrownBy(() -> Backends.of(CUDA).capture(() -> {
            x.mul(2).add(1);
            throw new IllegalStateException("stop");
        })).hasMessage("stop");
        assertThat(launched(() -> { })).isEmpty();
        assertThat(x.mul(2).add(2).toFloats()).containsExactly(4, 6);
    }

    @Test
    void aFailingLaunchNamesAllItsOps() {
        Tensor x = Tensor.of(new float[] {1, 2}, 2).to(CUDA);
        Tensor before = x.cos().sqrt();
        before.toFloats();
        EmulatedCuda.failLaunch("fused_cos_sqrt_f32", 701);
        Tensor a = context("layer3.0").call(x::cos);
        Tensor b = context("layer3.1").call(a::sqrt);
        assertThatThrownBy(b::toFloats).isInstanceOf(GraftException.class).hasMessageContaining("cos in layer3.0")
                .hasMessageContaining("sqrt in layer3.1").hasMessageContaining("701");
        EmulatedCuda.reset();
        assertThat(x.add(1).toFloats()).containsExactly(2, 3);
    }

    private static Context context(String path) {
        return Context.inference().withPath(path);
    }

    @Test
    void twoThreadsOnOneDeviceEachGetTheirs() throws InterruptedException {
        List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            int seed = t;
            threads.add(new Thread(() -> {
                for (int i = 0; i < 40; i++) {
                    try (Scope s = Scope.open("thread")) {
                        float[] v = {seed, i, seed + i};
                        Tensor x = Tensor.of(v, 3).to(CUDA);
                        float[] got = x.mul(2).add(x).sub(1).toFloats();
                        assertThat(got).containsExactly(3 * v[0] - 1, 3 * v[1] - 1, 3 * v[2] - 1);
                    }
                }
            }));
            threads.getLast().setUncaughtExceptionHandler((x, e) -> failures.add(e));
        }
        threads.forEach(Thread::start);
        for (Thread t : threads) {
            t.join();
        }
        assertThat(failures).isEmpty();
    }

    /** Programs of random ops on tensors that come and go: everything that is still open at the end is compared. */
    @Test
    void randomProgramsGiveWhatTheReferenceGives() {
        int[][] shapes = {{4, 3, 8}, {8}, {3, 1}, {1}, {4, 1, 8}};
        UnaryFn[] unary = {UnaryFn.RELU, UnaryFn.SIGMOID, UnaryFn.SQUARE, UnaryFn.NEG, UnaryFn.TANH};
        BinaryFn[] binary = {BinaryFn.ADD, BinaryFn.SUB, BinaryFn.MUL, BinaryFn.MAXIMUM};
        for (int program = 0; program < 5; program++) {
            SplittableRandom r = new SplittableRandom(program);
            EmulatedCuda.order(EmulatedCuda.Order.values()[program % 3], program);
            List<Tensor> exact = new ArrayList<>();
            List<Tensor> fast = new ArrayList<>();
            for (int[] s : shapes) {
                exact.add(OnDevice.random(r, DType.F64, s));
                fast.add(exact.getLast().cast(DType.F32).to(CUDA));
            }
            for (int i = 0; i < 14; i++) {
                int a = r.nextInt(3) == 0 ? 0 : r.nextInt(exact.size());
                int b = r.nextInt(exact.size());
                int kind = r.nextInt(4);
                UnaryFn u = unary[r.nextInt(unary.length)];
                BinaryFn f = binary[r.nextInt(binary.length)];
                java.util.function.UnaryOperator<List<Tensor>> step = all -> {
                    Tensor x = all.get(a);
                    all.add(kind == 0 ? x.unary(u) : kind == 1 ? x.binary(f, 0.5) : x.binary(f, all.get(b)));
                    return all;
                };
                OnDevice.reference(() -> step.apply(exact));
                step.apply(fast);
                if (r.nextInt(3) == 0) {
                    int gone = r.nextInt(exact.size());
                    exact.remove(gone);
                    fast.remove(gone).close();
                }
            }
            for (int i = 0; i < exact.size(); i++) {
                assertThat(OnDevice.difference(fast.get(i), exact.get(i))).as("program " + program + " tensor " + i)
                        .isLessThan(1e-5);
            }
        }
    }
}
