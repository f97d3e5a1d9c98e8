package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;

/** Layer norm over rows of {@code c} elements; mean and variance in two passes over a row that is in the cache. */
final class LayerNorm {
    private static final int BLOCK = 16384;

    private final RowLoops loops;

    LayerNorm(RowLoops loops) {
        this.loops = loops;
    }

    private static int rowsPerTask(int c) {
        return Math.max(1, BLOCK / c);
    }

    /** y = (x - mean) rstd gamma + beta; saves mean and rstd = 1 / sqrt(var + eps) of every row. */
    void forward(double eps, F32 x, F32 gamma, F32 beta, F32 y, F32 mean, F32 rstd, int rows, int c) {
        WorkerPool.shared().ranges(rows, rowsPerTask(c), (i, j) -> {
            for (int r = i; r < j; r++) {
                int at = x.at() + r * c;
                float m = loops.reduce(ReduceFn.SUM, x.array(), at, c) / c;
                float s = (float) (1 / Math.sqrt(loops.centredSquares(x.array(), at, m, c) / c + eps));
                mean.array()[mean.at() + r] = m;
                rstd.array()[rstd.at() + r] = s;
                loops.normalise(x.array(), at, m, s, gamma.array(), gamma.at(), beta.array(), beta.at(), y.array(),
                        y.at() + r * c, c);
            }
        });
    }

    /** dx, and dgamma and dbeta summed over all rows. */
    void backward(F32 dy, F32 x, F32 gamma, F32 mean, F32 rstd, F32 dx, F32 dgamma, F32 dbeta, int rows, int c) {
        int step = Math.clamp(rowsPerTask(c), 32, 512);
        int blocks = rows == 0 ? 0 : (rows - 1) / step + 1;
        float[][] part = new float[blocks][];
        WorkerPool.shared().run(blocks, b -> {
            float[] acc = new float[2 * c];
            float[] sums = new float[2];
            for (int r = b * step; r < Math.min(rows, (b + 1) * step); r++) {
                int at = r * c;
                float m = mean.array()[mean.at() + r];
                float s = rstd.array()[rstd.at() + r];
                loops.normaliseGradSums(dy.array(), dy.at() + at, x.array(), x.at() + at, m, s, gamma.array(), gamma.at(),
                        sums, c);
                loops.normaliseGrad(dy.array(), dy.at() + at, x.array(), x.at() + at, m, s, gamma.array(), gamma.at(),
                        sums[0] / c, sums[1] / c, dx.array(), dx.at() + at, acc, c);
            }
            part[b] = acc;
        });
        for (int j = 0; j < c; j++) {
            double g = 0;
            double b = 0;
            for (float[] p : part) {
                g += p[j];
                b += p[c + j];
            }
            dgamma.array()[dgamma.at() + j] = (float) g;
            dbeta.array()[dbeta.at() + j] = (float) b;
        }
    }
}
