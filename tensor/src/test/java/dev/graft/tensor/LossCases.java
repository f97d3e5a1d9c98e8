package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.cycle;
import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.whole;
import static dev.graft.tensor.OpCatalog.wide;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.LossOp;
import java.util.List;

/** Losses. */
final class LossCases {
    private LossCases() {}

    static void addTo(List<Case> all) {
        for (int[] s : new int[][] {{5, 3}, {1, 1}, {7, 2}, {0, 4}, {4, 33}, {64, 1000}, {9, 12345}, {30000, 3}}) {
            boolean large = s[0] * s[1] > 10_000;
            for (double smoothing : new double[] {0, 0.1}) {
                for (long ignored : new long[] {-100, 1}) {
                    Input x = floats(uniform(-4, 4), s);
                    Input target = of(ignored < 0 ? DType.I64 : DType.I32, whole(0, s[1] - 1), s[0]);
                    Case k = Case.of(new LossOp.CrossEntropy(smoothing, ignored), 3e-6, x, target);
                    all.add(large ? k.isLarge() : k.smooth());
                    k = Case.of(new LossOp.CrossEntropyBackward(smoothing, ignored), 5e-6, wide(uniform(-1, 1), s[0]), x,
                            target, wide(logSumExp(s[1]), s[0]));
                    all.add(large ? k.isLarge() : k);
                }
            }
        }
        Input far = floats(cycle(1e4, 0, -1e4, 9999, 1, 2, Double.NEGATIVE_INFINITY), 3, 7);
        Input target = of(DType.I64, cycle(3, 0, 1), 3);
        all.add(Case.of(new LossOp.CrossEntropy(0, -100), 1e-6, far, target).isSpecial());
        all.add(Case.of(new LossOp.CrossEntropyBackward(0, -100), 1e-5, wide(uniform(-1, 1), 3), far, target,
                wide(logSumExp(7), 3)).isSpecial());
    }

    /** Of the rows of the second input. */
    private static Values logSumExp(int classes) {
        return (r, n, earlier) -> {
            double[] x = earlier.get(1);
            double[] lse = new double[n];
            for (int i = 0; i < n; i++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int j = 0; j < classes; j++) {
                    max = Math.max(max, x[i * classes + j]);
                }
                for (int j = 0; j < classes; j++) {
                    lse[i] += Math.exp(x[i * classes + j] - max);
                }
                lse[i] = max + Math.log(lse[i]);
            }
            return lse;
        };
    }
}
