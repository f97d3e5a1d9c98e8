package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.kernels.ops.ConvEngine.Candidate;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every candidate of every engine by itself, on odd shapes, against the naive loops in float64. */
class ConvEnginesTest {
    private static final Device CUDA = Device.cuda();
    private static final ConvParams ONE = ConvParams.of(1, 0);
    private static final ConvParams SAME = ConvParams.of(1, 1);
    private static final ConvParams HALF = ConvParams.of(2, 1);
    private static final ConvParams ODD_SIDES = new ConvParams(2, 1, 1, 0, 0, 2, 1, 1, 1);
    private static CudaDevice device;

    /** @param x [N, H, W, C] */
    private record Shape(ConvParams params, int[] x, int o, int kH, int kW) {}

    private static final List<Shape> DENSE = List.of(new Shape(SAME, new int[] {2, 5, 7, 8}, 16, 3, 3),
            new Shape(HALF, new int[] {1, 9, 8, 3}, 5, 3, 2),
            new Shape(SAME.withDilation(2), new int[] {2, 8, 9, 4}, 6, 3, 3),
            new Shape(ODD_SIDES, new int[] {3, 7, 6, 5}, 4, 3, 3),
            new Shape(SAME.withGroups(2), new int[] {2, 5, 4, 8}, 6, 3, 3),
            new Shape(ConvParams.of(2, 0), new int[] {1, 6, 6, 4}, 3, 1, 1));
    private static final List<Shape> POINTWISE = List.of(new Shape(ONE, new int[] {2, 4, 5, 7}, 9, 1, 1),
            new Shape(ONE.withGroups(3), new int[] {1, 3, 3, 6}, 9, 1, 1), new Shape(ONE, new int[] {1, 1, 1, 5}, 1, 1, 1));
    private static final List<Shape> DEPTHWISE = List.of(new Shape(SAME.withGroups(24), new int[] {2, 7, 9, 24}, 24, 3, 3),
            new Shape(HALF.withGroups(6), new int[] {1, 8, 7, 6}, 6, 3, 3),
            new Shape(ConvParams.of(1, 2).withGroups(40), new int[] {2, 5, 6, 40}, 40, 5, 5),
            new Shape(SAME.withGroups(5).withDilation(2), new int[] {1, 9, 11, 5}, 10, 3, 3),
            new Shape(new ConvParams(3, 2, 0, 2, 3, 1, 1, 1, 4), new int[] {2, 9, 10, 4}, 4, 2, 7),
            new Shape(ConvParams.of(2, 3).withGroups(16), new int[] {1, 9, 9, 16}, 16, 7, 7));

    @BeforeAll
    static void open() {
        device = OnDevice.open();
    }

    @BeforeEach
    void reset() {
        EmulatedCuda.reset();
    }

    @TestFactory
    Stream<DynamicTest> depthwise() {
        return Stream.concat(tests(new DepthwiseConv(device), DEPTHWISE, List.of(DType.F32)),
                tests(new DepthwiseConv(device), DEPTHWISE.subList(0, 3), List.of(DType.BF16)));
    }

    @TestFactory
    Stream<DynamicTest> pointwise() {
        return tests(new PointwiseConv(device), POINTWISE, List.of(DType.F32, DType.F64, DType.F16, DType.BF16));
    }

    @TestFactory
    Stream<DynamicTest> columns() {
        return tests(new Im2colConv(device, 64 << 20), DENSE, List.of(DType.F32, DType.F64, DType.BF16));
    }

    /** A few images at a time: partial sums of 16-bit gradients are kept in float32. */
    @TestFactory
    Stream<DynamicTest> columnsInParts() {
        return tests(new Im2colConv(device, 1), DENSE, List.of(DType.F32, DType.F16));
    }

    @TestFactory
    Stream<DynamicTest> legacy() {
        return tests(new LegacyConv(device, device.cudnn()), DENSE, List.of(DType.F32, DType.F16, DType.BF16));
    }

    @TestFactory
    Stream<DynamicTest> graph() {
        return tests(new GraphConv(device.cudnn()), DENSE, List.of(DType.F32, DType.F16, DType.BF16));
    }

    /** Threads of a block and blocks of a grid may run in any order. */
    @Test
    void depthwiseDoesNotDependOnTheOrderOfThreads() {
        List<String> wrong = new ArrayList<>();
        for (EmulatedCuda.Order order : EmulatedCuda.Order.values()) {
            EmulatedCuda.order(order, 11);
            check(new DepthwiseConv(device), DEPTHWISE.getFirst(), DType.F32, wrong);
        }
        assertThat(wrong).isEmpty();
        assertThat(EmulatedCuda.report()).isEmpty();
    }

    @Test
    void depthwiseGradientsHaveTheSameBitsInEveryRun() {
        Shape shape = DEPTHWISE.get(2);
        List<double[]> runs = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            EmulatedCuda.order(i == 0 ? EmulatedCuda.Order.FORWARD : EmulatedCuda.Order.RANDOM, 5);
            try (Scope s = Scope.open("run")) {
                Work work = Work.of(shape, DType.F32, ConvProblem.Direction.BACKWARD_WEIGHT, null, false, true);
                for (Candidate c : new DepthwiseConv(device).candidates(work.problem)) {
                    runs.add(run(c, work).to(Device.CPU).toDoubles());
                }
            }
        }
        assertThat(runs).hasSize(2);
        assertThat(runs.get(0)).isEqualTo(runs.get(1));
    }

    private static Stream<DynamicTest> tests(ConvEngine engine, List<Shape> shapes, List<DType> types) {
        return types.stream().map(type -> DynamicTest.dynamicTest(engine.name() + " in " + type, () -> {
            List<String> wrong = new ArrayList<>();
            for (Shape shape : shapes) {
                check(engine, shape, type, wrong);
            }
            assertThat(wrong).isEmpty();
            assertThat(EmulatedCuda.report()).isEmpty();
        }));
    }

    private static void check(ConvEngine engine, Shape shape, DType type, List<String> wrong) {
        for (ConvProblem.Direction d : ConvProblem.Direction.values()) {
            check(engine, shape, type, d, null, false, wrong);
        }
        if (engine instanceof DepthwiseConv && shape != DEPTHWISE.getFirst()) {
            return;                              // every form is a kernel of its own, which takes its time to compile
        }
        for (FusedOp.Activation a : List.of(FusedOp.Activation.NONE, FusedOp.Activation.RELU, FusedOp.Activation.RELU6)) {
            for (boolean residual : new boolean[] {false, true}) {
                check(engine, shape, type, ConvProblem.Direction.FORWARD, a, residual, wrong);
            }
        }
    }

    private static void check(ConvEngine engine, Shape shape, DType type, ConvProblem.Direction d, FusedOp.Activation a,
            boolean residual, List<String> wrong) {
        try (Scope s = Scope.open("engine")) {
            Work work = Work.of(shape, type, d, a, residual, false);
            List<Candidate> all = engine.candidates(work.problem);
            int ran = 0;
            for (Candidate c : all) {
                try {
                    double difference = OnDevice.difference(run(c, work), work.want);
                    if (!(difference <= OnDevice.tolerance(type))) {
                        wrong.add(c.name() + " for " + work.problem + " is off by " + difference);
                    }
                    ran++;
                } catch (CudaException e) {
                    if (!e.getMessage().contains("NOT_SUPPORTED")) {     // a library may find that out late
                        wrong.add(c.name() + " for " + work.problem + ": " + e.getMessage());
                    }
                } finally {
                    c.close();
                }
            }
            if (ran == 0 && expected(engine, a)) {
                wrong.add(engine.name() + " offers nothing for " + work.problem);
            }
        }
    }

    /** What each engine has to offer. */
    private static boolean expected(ConvEngine engine, FusedOp.Activation a) {
        return switch (engine) {
            case DepthwiseConv e -> true;
            case GraphConv e -> true;
            case LegacyConv e -> a != FusedOp.Activation.RELU6;
            default -> a == null;
        };
    }

    /** Runs a candidate twice into memory full of NaN; the second time from the same plan. */
    private static Tensor run(Candidate c, Work w) {
        try (ConvPlan plan = c.make()) {
            for (int i = 0; i < 2; i++) {
                device.zero(CudaStorage.address(w.out), w.out.spec().bytes());
                w.out.write(w.nan);
                try (Scratch s = device.scratch(plan.workspace())) {
                    plan.run(CudaStorage.address(w.x), CudaStorage.address(w.w), CudaStorage.address(w.y),
                            w.bias == null ? 0 : CudaStorage.address(w.bias),
                            w.residual == null ? 0 : CudaStorage.address(w.residual), s.address());
                }
            }
            return w.out;
        }
    }

    /** One problem with its tensors on the device, and the result in float64 on the CPU. */
    private record Work(ConvProblem problem, Tensor x, Tensor w, Tensor y, Tensor bias, Tensor residual, Tensor out,
            Object nan, Tensor want) {
        static Work of(Shape s, DType type, ConvProblem.Direction d, FusedOp.Activation activation, boolean residual,
                boolean deterministic) {
            ConvParams p = s.params;
            SplittableRandom r = new SplittableRandom(s.hashCode());
            Tensor x = OnDevice.random(r, type, s.x);
            Tensor w = OnDevice.random(r, type, s.o, s.kH, s.kW, s.x[3] / p.groups());
            Tensor y = OnDevice.random(r, type, s.x[0], p.outH(s.x[1], s.kH), p.outW(s.x[2], s.kW), s.o);
            Tensor b = OnDevice.random(r, type, s.o);
            Tensor z = OnDevice.random(r, type, y.shape().dims());
            Tensor x64 = x.cast(DType.F64);
            Tensor w64 = w.cast(DType.F64);
            Tensor y64 = y.cast(DType.F64);
            Tensor want = OnDevice.reference(() -> switch (d) {
                case FORWARD -> {
                    Tensor t = x64.conv2d(w64, p);
                    if (activation != null) {
                        t = t.add(b.cast(DType.F64));
                        t = activation.apply(residual ? t.add(z.cast(DType.F64)) : t);
                    }
                    yield t;
                }
                case BACKWARD_INPUT -> Dispatcher.one(new ConvOp.Conv2dBackwardInput(p, s.x[1], s.x[2]), y64, w64);
                case BACKWARD_WEIGHT -> Dispatcher.one(new ConvOp.Conv2dBackwardWeight(p, s.kH, s.kW), x64, y64);
            });
            Object nan = Tensor.fill(new TensorSpec(type, want.shape()), Double.NaN, Device.CPU).toArray();
            Tensor dx = x.to(CUDA);
            Tensor dw = w.to(CUDA);
            Tensor dy = y.to(CUDA);
            Tensor out = switch (d) {
                case FORWARD -> dy;
                case BACKWARD_INPUT -> dx;
                case BACKWARD_WEIGHT -> dw;
            };
            ConvProblem problem = new ConvProblem(d, s.x[0], s.x[1], s.x[2], s.x[3], s.o, s.kH, s.kW, y.dim(1), y.dim(2), p,
                    type, activation != null, activation == null ? FusedOp.Activation.NONE : activation, residual, false,
                    deterministic);
            return new Work(problem, dx, dw, dy, activation == null ? null : b.to(CUDA), residual ? z.to(CUDA) : null,
                    out, nan, want);
        }
    }
}
