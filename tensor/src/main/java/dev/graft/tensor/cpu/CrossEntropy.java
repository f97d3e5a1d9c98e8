package dev.graft.tensor.cpu;

import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.ReduceFn;
import java.util.Arrays;

/** Cross-entropy of rows of {@code n} logits; targets are checked, and rows to be ignored have -1. */
final class CrossEntropy {
    private static final int BLOCK = 8192;

    private final RowLoops loops;

    CrossEntropy(RowLoops loops) {
        this.loops = loops;
    }

    void forward(LossOp op, F32 x, int[] target, F32 loss, F32 lse, int n) {
        double s = op.labelSmoothing();
        WorkerPool.shared().ranges(target.length, Math.max(1, BLOCK / n), (i, j) -> {
            try (Scratch space = Scratch.take(n)) {
                for (int r = i; r < j; r++) {
                    int at = x.at() + r * n;
                    float max = loops.largest(x.array(), at, n);
                    double log = max + Math.log(loops.expSum(x.array(), at, max, space.data, 0, n));
                    double l = 0;
                    if (target[r] >= 0) {
                        l = (1 - s) * (log - x.array()[at + target[r]]);
                        l += s == 0 ? 0 : s * (log - loops.reduce(ReduceFn.SUM, x.array(), at, n) / n);
                    }
                    lse.array()[lse.at() + r] = (float) log;
                    loss.array()[loss.at() + r] = (float) l;
                }
            }
        });
    }

    /** dx = dloss (exp(x - lse) - (1 - s) [target] - s / n). */
    void backward(LossOp op, F32 dloss, F32 x, int[] target, F32 lse, F32 dx, int n) {
        float s = (float) op.labelSmoothing();
        WorkerPool.shared().ranges(target.length, Math.max(1, BLOCK / n), (i, j) -> {
            for (int r = i; r < j; r++) {
                int to = dx.at() + r * n;
                if (target[r] < 0) {
                    Arrays.fill(dx.array(), to, to + n, 0f);
                    continue;
                }
                float d = dloss.array()[dloss.at() + r];
                loops.expSum(x.array(), x.at() + r * n, lse.array()[lse.at() + r], dx.array(), to, n);
                loops.scale(d, dx.array(), to, n);
                if (s != 0) {
                    loops.subtract(dx.array(), to, d * s / n, 0, dx.array(), to, n);
                }
                dx.array()[to + target[r]] -= d * (1 - s);
            }
        });
    }
}
