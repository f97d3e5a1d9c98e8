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
        WorkerPool.shared().stream(rows, rowsPerTask(c), (i, j) -> {
            float sum = loops.reduce(ReduceFn.SUM, x.array(), x.at() + i * c, c);
            for (int r = i; r < j; r++) {
                int at = x.at() + r * c;
                int next = r + 1 < j ? at + c : at;
                float m = sum / c;
                float s = (float) (1 / Math.sqrt(loops.centredSquares(x.array(), at, m, c) / c + eps));
                mean.array()[mean.at() + r] = m;
                rstd.array()[rstd.at() + r] = s;
                sum = loops.normalise(x.array(), at, next, m, s, gamma.array(), gamma.at(), beta.array(), beta.at(),
                        y.array(), y.at() + r * c, c);
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
            int end = Math.min(rows, (b + 1) * step);
            int first = b * step;
            loops.normaliseGradSums(dy.array(), dy.at() + first * c, x.array(), x.at() + first * c,
                    mean.array()[mean.at() + first], rstd.array()[rstd.at() + first], gamma.array(), gamma.at(), sums, c);
            for (int r = first; r < end; r++) {
                int at = r * c;
                int next = r + 1 < end ? 1 : 0;
                loops.normaliseGrad(dy.array(), dy.at() + at, x.array(), x.at() + at, mean.array()[mean.at() + r],
                        rstd.array()[rstd.at() + r], gamma.array(), gamma.at(), sums[0] / c, sums[1] / c, dx.array(),
                        dx.at() + at, acc, next * c, mean.array()[mean.at() + r + next], rstd.array()[rstd.at() + r + next],
                        sums, c);
            }
            part[b] = acc;
        });
        double[] total = new double[2 * c];
        for (float[] p : part) {
            for (int j = 0; j < total.length; j++) {
                total[j] += p[j];
            }
        }
        for (int j = 0; j < c; j++) {
            dgamma.array()[dgamma.at() + j] = (float) total[j];
            dbeta.array()[dbeta.at() + j] = (float) total[c + j];
        }
    }
}
