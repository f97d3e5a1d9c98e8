package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.cycle;
import static dev.graft.tensor.OpCatalog.distinct;
import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.whole;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import java.util.List;

/** Reductions and softmax. */
final class ReduceCases {
    private static final double NAN = Double.NaN;
    private static final double INF = Double.POSITIVE_INFINITY;

    private ReduceCases() {}

    static void addTo(List<Case> all) {
        for (ReduceFn fn : ReduceFn.values()) {
            reduce(all, fn);
        }
        argReduce(all);
        softmax(all);
        for (int[] s : new int[][] {{}, {1}, {0, 3}, {131}, {3, 5, 7}}) {
            all.add(Case.of(new FusedOp.SumOfSquares(), 2e-6, floats(uniform(-2, 2), s)));
        }
        all.add(Case.of(new FusedOp.SumOfSquares(), 1e-5, floats(uniform(0.5, 1.5), 300_007)).isLarge());
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
}
