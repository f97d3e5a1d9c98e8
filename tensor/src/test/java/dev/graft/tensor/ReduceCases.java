package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.cycle;
import static dev.graft.tensor.OpCatalog.distinct;
import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.whole;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import java.util.List;

/** Reductions, softmax and norms. */
final class ReduceCases {
    private static final double NAN = Double.NaN;
    private static final double INF = Double.POSITIVE_INFINITY;
    private static final double EPS = 1e-5;

    private ReduceCases() {}

    static void addTo(List<Case> all) {
        for (ReduceFn fn : ReduceFn.values()) {
            reduce(all, fn);
        }
        argReduce(all);
        softmax(all);
        batchNorm(all);
        layerNorm(all);
        mixedNorms(all);
    }

    private static void reduce(List<Case> all, ReduceFn fn) {
        boolean extreme = fn == ReduceFn.MAX || fn == ReduceFn.MIN;
        Values x = extreme ? distinct() : uniform(-1, 1);
        int[][] axes = {{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}};
        for (int[] a : axes) {
            all.add(Case.of(new ReduceOp.Reduce(fn, a, false), 2e-6, floats(x, 3, 5, 7)).smooth());
            all.add(Case.of(new ReduceOp.Reduce(fn, a, true), 2e-6, floats(x, 3, 1, 9)).smooth());
        }
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[0], false), 0, floats(x)).smooth());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 2e-6, floats(x, 1)).smooth());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 2e-6, floats(x, 3, 0, 2)).smooth());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 2e-6, floats(x, 131)).smooth());
        if (fn == ReduceFn.SUM) {
            all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 0, floats(x, 0, 3)).smooth());
            all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0, 1, 2}, true), 0, floats(x, 2, 0, 3)).smooth());
        }
        int[][] large = {{0}, {1}, {0, 1}};
        for (int[] a : large) {
            all.add(Case.of(new ReduceOp.Reduce(fn, a, false), 1e-5, floats(x, 257, 513)).isLarge());
        }
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0, 1, 2}, false), 1e-5, floats(x, 8, 14, 14, 64)).isLarge());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {1, 2}, false), 1e-5, floats(x, 8, 14, 14, 64)).isLarge());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {1}, false), 1e-5, floats(x, 33, 47, 65)).isLarge());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0, 2}, false), 1e-5, floats(x, 33, 47, 65)).isLarge());
        all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 1e-5, floats(uniform(0.5, 1.5), 300_007)).isLarge());
        if (fn != ReduceFn.MEAN) {
            for (DType d : List.of(DType.I64, DType.I32)) {
                all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 0, of(d, whole(-99, 99), 9, 4)));
                all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0, 1}, false), 0, of(d, whole(-99, 99), 9, 4)));
            }
        }
        if (extreme) {
            all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {1}, false), 0, of(DType.U8, whole(0, 127), 5, 9)));
            all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {1}, false), 0,
                    floats(cycle(1, NAN, INF, -INF, 2, 0, 3), 7, 3)).isSpecial());
            all.add(Case.of(new ReduceOp.Reduce(fn, new int[] {0}, false), 0,
                    floats(cycle(1, 2, NAN, 4, 5), 37, 40)).isSpecial());
        }
    }

    private static void argReduce(List<Case> all) {
        for (boolean largest : new boolean[] {true, false}) {
            for (int axis = 0; axis < 3; axis++) {
                all.add(Case.of(new ReduceOp.ArgReduce(largest, axis, false), 0, floats(whole(-3, 3), 3, 5, 7)));
                all.add(Case.of(new ReduceOp.ArgReduce(largest, axis, true), 0, floats(distinct(), 3, 5, 7)));
                all.add(Case.of(new ReduceOp.ArgReduce(largest, axis, false), 0, of(DType.I64, whole(-3, 3), 3, 5, 7)));
            }
            all.add(Case.of(new ReduceOp.ArgReduce(largest, 0, false), 0, floats(distinct(), 1)));
            all.add(Case.of(new ReduceOp.ArgReduce(largest, 1, false), 0, floats(distinct(), 0, 3)));
            all.add(Case.of(new ReduceOp.ArgReduce(largest, 1, false), 0, floats(distinct(), 301, 1000)).isLarge());
            all.add(Case.of(new ReduceOp.ArgReduce(largest, 0, false), 0, floats(whole(-50, 50), 301, 1000)).isLarge());
            all.add(Case.of(new ReduceOp.ArgReduce(largest, 1, false), 0,
                    floats(cycle(1, 2, NAN, 4, 5, INF, -INF), 37, 40)).isSpecial());
        }
    }

    private static void softmax(List<Case> all) {
        for (boolean log : new boolean[] {false, true}) {
            Values saved = log ? uniform(-6, -0.1) : uniform(0, 0.5);
            for (int[] s : new int[][] {{5}, {1}, {3, 7}, {2, 3, 4}, {0, 4}, {4, 0}, {6, 33}}) {
                all.add(Case.of(new ReduceOp.Softmax(log), 2e-6, floats(uniform(-4, 4), s)).smooth());
                all.add(Case.of(new ReduceOp.SoftmaxBackward(log), 3e-6, floats(uniform(-1, 1), s), floats(saved, s))
                        .smooth());
            }
            for (int[] s : new int[][] {{64, 1000}, {9, 12345}, {30000, 2}}) {
                all.add(Case.of(new ReduceOp.Softmax(log), 5e-6, floats(uniform(-9, 9), s)).isLarge());
                all.add(Case.of(new ReduceOp.SoftmaxBackward(log), 2e-5, floats(uniform(-1, 1), s),
                        floats(log ? uniform(-12, -4) : uniform(0, 0.002), s)).isLarge());
            }
            all.add(Case.of(new ReduceOp.Softmax(log), 1e-5, floats(cycle(1e4, 0, -1e4, 9999, 1, 2, -INF), 3, 7))
                    .isSpecial());
        }
    }

    private static void batchNorm(List<Case> all) {
        for (int[] s : new int[][] {{4, 3}, {9, 1}, {2, 3, 3, 5}, {3, 4, 5}, {11, 33}}) {
            int c = s[s.length - 1];
            all.add(Case.of(new NormOp.BatchNorm(EPS), 5e-6, floats(uniform(-2, 2), s), floats(uniform(0.5, 1.5), c),
                    floats(uniform(-1, 1), c)).smooth());
            batchNormBackward(all, 1e-5, s);
        }
        batchNorm(all, 1e-3, uniform(-2, 2), 1e-4, 1, 1, 1, 3);           // no variance: 1/sqrt(eps) multiplies rounding
        batchNorm(all, EPS, uniform(99, 101), 2e-4, 64, 16);              // a mean far from zero
        all.add(Case.of(new NormOp.BatchNorm(EPS), 1e-5, floats(uniform(-2, 2), 8, 14, 14, 64),
                floats(uniform(0.5, 1.5), 64), floats(uniform(-1, 1), 64)).isLarge());
        all.add(Case.of(new NormOp.BatchNorm(1e-3), 1e-5, floats(uniform(-2, 2), 5, 40, 41, 13),
                floats(uniform(0.5, 1.5), 13), floats(uniform(-1, 1), 13)).isLarge());
        batchNormBackward(all, 2e-5, 8, 14, 14, 64);
        batchNormBackward(all, 2e-5, 5, 40, 41, 13);
    }

    private static void batchNorm(List<Case> all, double eps, Values x, double tolerance, int... s) {
        int c = s[s.length - 1];
        all.add(Case.of(new NormOp.BatchNorm(eps), tolerance, floats(x, s), floats(uniform(0.5, 1.5), c),
                floats(uniform(-1, 1), c)));
    }

    private static void batchNormBackward(List<Case> all, double tolerance, int... s) {
        int c = s[s.length - 1];
        Case k = Case.of(new NormOp.BatchNormBackward(EPS), tolerance, floats(uniform(-1, 1), s), floats(uniform(-2, 2), s),
                floats(uniform(0.5, 1.5), c), floats(statistic(c, false, false), c), floats(statistic(c, false, true), c));
        all.add(Shape.of(s).size() > 10_000 ? k.isLarge() : k);
    }

    private static void layerNorm(List<Case> all) {
        for (int[] s : new int[][] {{5}, {3, 7}, {2, 3, 8}, {0, 6}, {4, 33}, {257, 768}, {9000, 12}}) {
            boolean large = Shape.of(s).size() > 10_000;
            int c = s[s.length - 1];
            int[] rows = java.util.Arrays.copyOf(s, s.length - 1);
            Case k = Case.of(new NormOp.LayerNorm(EPS), 1e-5, floats(uniform(-2, 2), s), floats(uniform(0.5, 1.5), c),
                    floats(uniform(-1, 1), c));
            all.add(large ? k.isLarge() : k.smooth());
            k = Case.of(new NormOp.LayerNormBackward(EPS), 2e-5, floats(uniform(-1, 1), s), floats(uniform(-2, 2), s),
                    floats(uniform(0.5, 1.5), c), floats(statistic(c, true, false), rows),
                    floats(statistic(c, true, true), rows));
            all.add(large ? k.isLarge() : k);
        }
        all.add(Case.of(new NormOp.LayerNorm(EPS), 2e-4, floats(uniform(99, 101), 7, 64), floats(uniform(0.5, 1.5), 64),
                floats(uniform(-1, 1), 64)));
        all.add(Case.of(new NormOp.LayerNorm(1e-3), 1e-4, floats(uniform(-1, 1), 4, 1), floats(uniform(0.5, 1.5), 1),
                floats(uniform(-1, 1), 1)));
    }

    /** 16-bit values beside float32 scales and statistics. */
    private static void mixedNorms(List<Case> all) {
        for (DType d : List.of(DType.F16, DType.BF16)) {
            for (int[] s : new int[][] {{4, 3}, {3, 4, 37}, {2, 9, 11, 16}}) {
                int c = s[s.length - 1];
                Input x = of(d, uniform(-2, 2), s);
                Input dy = of(d, uniform(-1, 1), s);
                Input gamma = of(DType.F32, uniform(0.5, 1.5), c);
                Input beta = of(DType.F32, uniform(-1, 1), c);
                int[] rows = java.util.Arrays.copyOf(s, s.length - 1);
                all.add(Case.of(new NormOp.BatchNorm(EPS), 1e-5, x, gamma, beta));
                all.add(Case.of(new NormOp.BatchNormBackward(EPS), 2e-5, dy, x, gamma,
                        of(DType.F32, statistic(c, false, false), c), of(DType.F32, statistic(c, false, true), c)));
                all.add(Case.of(new NormOp.LayerNorm(EPS), 1e-5, x, gamma, beta));
                all.add(Case.of(new NormOp.LayerNormBackward(EPS), 2e-5, dy, x, gamma,
                        of(DType.F32, statistic(c, true, false), rows), of(DType.F32, statistic(c, true, true), rows)));
            }
        }
    }

    /** Mean or 1/sqrt(variance + eps) of the second input, of its rows or of its channels. */
    private static Values statistic(int channels, boolean ofRows, boolean deviation) {
        return (r, n, earlier) -> {
            double[] x = earlier.get(1);
            double[] sum = new double[n];
            double[] squares = new double[n];
            for (int i = 0; i < x.length; i++) {
                sum[ofRows ? i / channels : i % channels] += x[i];
                squares[ofRows ? i / channels : i % channels] += x[i] * x[i];
            }
            double count = n == 0 ? 1 : x.length / n;
            for (int g = 0; g < n; g++) {
                double mean = sum[g] / count;
                sum[g] = deviation ? 1 / Math.sqrt(squares[g] / count - mean * mean + EPS) : mean;
            }
            return sum;
        };
    }
}
