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
    void forward(double eps, float[] x, int xo, float[] gamma, int go, float[] beta, int bo, float[] y, int yo,
            float[] mean, int mo, float[] rstd, int ro, int rows, int c) {
        WorkerPool.shared().ranges(rows, rowsPerTask(c), (i, j) -> {
            for (int r = i; r < j; r++) {
                int at = xo + r * c;
                float m = loops.reduce(ReduceFn.SUM, x, at, c) / c;
                float s = (float) (1 / Math.sqrt(loops.centredSquares(x, at, m, c) / c + eps));
                mean[mo + r] = m;
                rstd[ro + r] = s;
                loops.normalise(x, at, m, s, gamma, go, beta, bo, y, yo + r * c, c);
            }
        });
    }

    /** dx, and dgamma and dbeta summed over all rows. */
    void backward(float[] dy, int dyo, float[] x, int xo, float[] gamma, int go, float[] mean, int mo, float[] rstd, int ro,
            float[] dx, int dxo, float[] dgamma, int dgo, float[] dbeta, int dbo, int rows, int c) {
        int step = Math.clamp(rowsPerTask(c), 32, 512);
        int blocks = rows == 0 ? 0 : (rows - 1) / step + 1;
        float[][] part = new float[blocks][];
        WorkerPool.shared().run(blocks, b -> {
            float[] acc = new float[2 * c];
            float[] sums = new float[2];
            for (int r = b * step; r < Math.min(rows, (b + 1) * step); r++) {
                int at = r * c;
                float m = mean[mo + r];
                float s = rstd[ro + r];
                loops.normaliseGradSums(dy, dyo + at, x, xo + at, m, s, gamma, go, sums, c);
                loops.normaliseGrad(dy, dyo + at, x, xo + at, m, s, gamma, go, sums[0] / c, sums[1] / c, dx, dxo + at,
                        acc, c);
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
            dgamma[dgo + j] = (float) g;
            dbeta[dbo + j] = (float) b;
        }
    }
}
