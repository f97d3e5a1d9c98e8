package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.away;
import static dev.graft.tensor.OpCatalog.cycle;
import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.whole;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.List;

/** Elementwise ops and ops without inputs. */
final class ElementwiseCases {
    private static final double NAN = Double.NaN;
    private static final double INF = Double.POSITIVE_INFINITY;
    private static final double TIGHT = 2e-6;
    private static final int[][] SHAPES = {{}, {0}, {3, 0, 2}, {1}, {3, 5, 7}};
    private static final int[] LARGE = {5, 20011};

    private ElementwiseCases() {}

    static void addTo(List<Case> all) {
        for (UnaryFn fn : UnaryFn.values()) {
            unary(all, fn);
        }
        for (DType d : List.of(DType.I64, DType.I32, DType.I16, DType.I8)) {
            for (UnaryFn fn : List.of(UnaryFn.NEG, UnaryFn.ABS, UnaryFn.SIGN, UnaryFn.SQUARE)) {
                all.add(Case.of(new ElementwiseOp.Unary(fn, 0), 0, of(d, whole(-11, 11), 4, 5)));
            }
        }
        for (BinaryFn fn : BinaryFn.values()) {
            binary(all, fn);
        }
        where(all);
        cast(all);
        dropout(all);
        create(all);
    }

    private static void unary(List<Case> all, UnaryFn fn) {
        double a = parameter(fn);
        Values x = inputs(fn);
        Values saved = switch (fn) {
            case RELU, RELU6 -> x;      // legal outputs lie on the kinks
            default -> fn.savesOutput() ? (r, n, earlier) -> {
                double[] v = x.make(r, n, earlier);
                for (int i = 0; i < n; i++) {
                    v[i] = fn.apply(v[i], a);
                }
                return v;
            } : x;
        };
        var forward = new ElementwiseOp.Unary(fn, a);
        var backward = new ElementwiseOp.UnaryBackward(fn, a);
        for (int[] s : SHAPES) {
            all.add(Case.of(forward, TIGHT, floats(x, s)).smooth());
            all.add(Case.of(backward, TIGHT, floats(uniform(-1, 1), s), floats(saved, s)).smooth());
        }
        all.add(Case.of(forward, TIGHT, floats(x, LARGE)).isLarge());
        all.add(Case.of(backward, TIGHT, floats(uniform(-1, 1), LARGE), floats(saved, LARGE)).isLarge());
        all.add(Case.of(forward, 1e-5, floats(cycle(0.0, -0.0, NAN, INF, -INF, 1e-30, -1e-30, 20, -20, 60, -60, 0.5, -0.5,
                1, -1, 3, -3, 6, 87, -87, 1e-4, -1e-4, 7.5), 53)).isSpecial());
        if (a != 0) {
            all.add(Case.of(new ElementwiseOp.Unary(fn, 0.3), TIGHT, floats(x, 11)).smooth());
            all.add(Case.of(new ElementwiseOp.UnaryBackward(fn, 0.3), TIGHT, floats(uniform(-1, 1), 11), floats(x, 11))
                    .smooth());
        }
    }

    private static double parameter(UnaryFn fn) {
        return fn == UnaryFn.LEAKY_RELU ? 0.01 : fn == UnaryFn.ELU ? 1 : 0;
    }

    /** Where the function is defined and smooth, kinks left out. */
    private static Values inputs(UnaryFn fn) {
        return switch (fn) {
            case NEG, SQUARE, EXPM1, ERF -> uniform(-3, 3);
            case ABS, SIGN, RELU, LEAKY_RELU, ELU, SELU -> away(-3, 3, 0);
            case RELU6 -> away(-3, 9, 0, 6);
            case FLOOR, CEIL -> away(-3, 3, -3, -2, -1, 0, 1, 2, 3);
            case ROUND -> away(-3, 3, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5);
            case SQRT, RSQRT, RECIPROCAL, LOG -> uniform(0.3, 5);
            case LOG1P -> uniform(-0.7, 5);
            case EXP, TANH -> uniform(-4, 4);
            case SIN, COS -> uniform(-7, 7);
            case SIGMOID, SILU, GELU, GELU_TANH, SOFTPLUS, MISH -> uniform(-6, 6);
            case HARD_SWISH, HARD_SIGMOID -> away(-5, 5, -3, 3);
        };
    }

    private static void binary(List<Case> all, BinaryFn fn) {
        var op = new ElementwiseOp.Binary(fn);
        if (fn.isLogical()) {
            for (int[][] p : pairs()) {
                all.add(Case.of(op, 0, of(DType.BOOL, whole(0, 1), p[0]), of(DType.BOOL, whole(0, 1), p[1])));
            }
            all.add(Case.of(new ElementwiseOp.BinaryScalar(fn, 1), 0, of(DType.BOOL, whole(0, 1), 7)));
            all.add(Case.of(new ElementwiseOp.BinaryScalar(fn, 0), 0, of(DType.BOOL, whole(0, 1), 7)));
            return;
        }
        boolean smooth = !fn.isPredicate();
        Values x = fn == BinaryFn.POW ? uniform(0.2, 3) : smooth ? uniform(-2, 2) : whole(-2, 2);
        Values y = fn == BinaryFn.DIV ? away(-3, 3, 0, 0.05, -0.05, 0.1, -0.1) : x;
        y = fn == BinaryFn.POW ? uniform(-2, 2) : y;
        double tolerance = fn == BinaryFn.POW ? 5e-6 : fn.isPredicate() ? 0 : TIGHT;
        for (int[][] p : pairs()) {
            boolean large = Shape.of(p[0]).size() > 10_000;
            Case c = Case.of(op, tolerance, floats(x, p[0]), floats(y, p[1]));
            all.add(large ? c.isLarge() : c.smooth(smooth));
        }
        for (double v : fn == BinaryFn.POW ? new double[] {2, 3, 0.5, -1, 0, 1.7} : new double[] {1.5, -2}) {
            var scalar = new ElementwiseOp.BinaryScalar(fn, v);
            for (int[] s : SHAPES) {
                all.add(Case.of(scalar, tolerance, floats(x, s)).smooth(smooth));
            }
            all.add(Case.of(scalar, tolerance, floats(x, LARGE)).isLarge());
        }
        integers(all, fn);
        if (fn != BinaryFn.POW) {
            Values odd = cycle(0.0, -0.0, NAN, INF, -INF, 1, -1);
            all.add(Case.of(op, 1e-6, floats(odd, 7, 1), floats(odd, 7)).isSpecial());
            all.add(Case.of(op, 1e-6, floats(odd, 49), floats(cycle(NAN, 0.0, INF, 1, -0.0), 49)).isSpecial());
        }
    }

    private static void integers(List<Case> all, BinaryFn fn) {
        Values x = fn == BinaryFn.DIV || fn == BinaryFn.POW ? whole(1, 6) : whole(-5, 5);
        for (DType d : List.of(DType.I64, DType.I32, DType.I16)) {
            all.add(Case.of(new ElementwiseOp.Binary(fn), 0, of(d, whole(-5, 5), 3, 4, 5), of(d, x, 4, 1)));
            all.add(Case.of(new ElementwiseOp.BinaryScalar(fn, 3), 0, of(d, whole(-5, 5), 3, 7)));
        }
        all.add(Case.of(new ElementwiseOp.Binary(fn), 0, of(DType.U8, whole(0, 9), 40), of(DType.U8, whole(1, 3), 40)));
        if (fn.isPredicate()) {
            all.add(Case.of(new ElementwiseOp.BinaryScalar(fn, 0.5), 0, of(DType.I64, whole(0, 1), 9)));
        }
    }

    /** Equal shapes, and every way in which one or both sides are repeated. */
    private static int[][][] pairs() {
        return new int[][][] {{{}, {}}, {{4}, {}}, {{}, {2, 3}}, {{0}, {1}}, {{2, 0, 3}, {2, 1, 3}}, {{3, 5, 7}, {3, 5, 7}},
            {{3, 5, 7}, {7}}, {{7}, {3, 5, 7}}, {{3, 5, 7}, {5, 1}}, {{3, 1, 7}, {5, 1}}, {{2, 1, 3, 1}, {4, 1, 5}},
            {{3, 5, 1}, {1, 5, 7}}, {{2, 3, 4, 5}, {2, 1, 1, 5}}, {{5, 20011}, {5, 20011}}, {{6, 33, 65, 17}, {17}},
            {{300, 401}, {300, 1}}, {{40, 1, 70}, {50, 1}}, {{400, 1}, {1, 301}}};
    }

    private static void where(List<Case> all) {
        var op = new ElementwiseOp.Where();
        int[][][] shapes = {{{}, {}, {}}, {{3, 5, 7}, {3, 5, 7}, {3, 5, 7}}, {{5, 1}, {3, 5, 7}, {}},
            {{3, 5, 7}, {7}, {5, 1}}, {{0}, {1}, {0}}, {{4}, {3, 1}, {1, 1}}};
        for (int[][] s : shapes) {
            all.add(Case.of(op, 0, of(DType.BOOL, whole(0, 1), s[0]), floats(uniform(-1, 1), s[1]),
                    floats(uniform(-1, 1), s[2])).smooth());
            all.add(Case.of(op, 0, of(DType.BOOL, whole(0, 1), s[0]), of(DType.I64, whole(-9, 9), s[1]),
                    of(DType.I64, whole(-9, 9), s[2])));
        }
        all.add(Case.of(op, 0, of(DType.BOOL, whole(0, 1), LARGE), floats(uniform(-1, 1), LARGE), floats(uniform(-1, 1)))
                .isLarge());
    }

    private static void cast(List<Case> all) {
        for (DType to : DType.values()) {
            var op = new ElementwiseOp.Cast(to);
            boolean unsigned = to == DType.U8;
            double tolerance = to == DType.BF16 || to == DType.F16 ? 1e-8 : 0;
            for (int[] s : new int[][] {{}, {0}, {3, 37}}) {
                all.add(Case.of(op, tolerance, floats(unsigned ? uniform(0, 255) : uniform(-100, 100), s)));
            }
            for (DType from : DType.values()) {
                if (!from.isFloat()) {
                    int high = from == DType.BOOL ? 1 : 100;
                    int low = unsigned || from == DType.U8 || from == DType.BOOL ? 0 : -high;
                    all.add(Case.of(op, tolerance, of(from, whole(low, high), 41)));
                }
            }
            all.add(Case.of(op, tolerance, floats(uniform(0, 100), LARGE)).isLarge());
        }
        for (DType to : List.of(DType.F64, DType.F16, DType.BF16, DType.BOOL)) {
            all.add(Case.of(new ElementwiseOp.Cast(to), 1e-8,
                    floats(cycle(0, -0.0, NAN, INF, -INF, 1e-30, 65504, -70000, 6e-8), 19)).isSpecial());
        }
    }

    private static void dropout(List<Case> all) {
        for (int[] s : SHAPES) {
            all.add(Case.of(new ElementwiseOp.Dropout(0.3, 42, 7), 2e-7, floats(uniform(-1, 1), s)).smooth());
        }
        all.add(Case.of(new ElementwiseOp.Dropout(0, -1, 1L << 40), 0, floats(uniform(-1, 1), 9)).smooth());
        all.add(Case.of(new ElementwiseOp.Dropout(0.9, 1L << 33, 3), 2e-7, floats(uniform(-1, 1), LARGE)).isLarge());
        all.add(Case.of(new ElementwiseOp.Dropout(0.5, 3, 3), 2e-7, floats(cycle(0.0, -0.0, NAN, INF, -INF, 1, -1), 41))
                .isSpecial());
    }

    private static void create(List<Case> all) {
        for (DType d : DType.values()) {
            for (int[] s : new int[][] {{}, {0}, {3, 5}}) {
                all.add(Case.of(new CreateOp.Fill(new TensorSpec(d, Shape.of(s)), d == DType.BOOL ? 1 : 3, Device.CPU), 0));
            }
        }
        all.add(Case.of(new CreateOp.Fill(new TensorSpec(DType.F32, Shape.of(LARGE)), -0.1, Device.CPU), 1e-7).isLarge());
        for (DType d : List.of(DType.F32, DType.F64, DType.I32, DType.I64)) {
            all.add(Case.of(new CreateOp.Arange(new TensorSpec(d, Shape.of(0)), 0, 1, Device.CPU), 0));
            all.add(Case.of(new CreateOp.Arange(new TensorSpec(d, Shape.of(1001)), 0, 1, Device.CPU), 0));
            all.add(Case.of(new CreateOp.Arange(new TensorSpec(d, Shape.of(17)), 5, -3, Device.CPU), 0));
        }
        all.add(Case.of(new CreateOp.Arange(new TensorSpec(DType.F32, Shape.of(99)), -1, 0.25, Device.CPU), 0));
        for (CreateOp.Distribution d : CreateOp.Distribution.values()) {
            double a = d == CreateOp.Distribution.BERNOULLI ? 0.8 : -1;
            double b = d == CreateOp.Distribution.BERNOULLI ? 1.25 : 2;
            for (DType t : List.of(DType.F32, DType.F64)) {
                for (int[] s : new int[][] {{}, {0}, {1}, {2}, {3}, {5, 7}, {3, 33337}}) {
                    all.add(Case.of(new CreateOp.Random(new TensorSpec(t, Shape.of(s)), d, a, b, 42, 7, Device.CPU), 0));
                }
            }
            TensorSpec nine = new TensorSpec(DType.F32, Shape.of(9));
            all.add(Case.of(new CreateOp.Random(nine, d, a, b, -1, 1L << 40, Device.CPU), 0));
        }
    }
}
