package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;

/**
 * Training-mode batch norm of rows x c elements, channels last. The statistics of a block of rows are taken in two passes
 * while it is in the cache and merged by the formula of Chan, Golub and LeVeque (1979), so a mean that is large against
 * the deviation does no harm; forward and backward each read memory twice.
 */
final class BatchNorm {
    private static final int BLOCK = 16384;

    private final RowLoops loops;

    BatchNorm(RowLoops loops) {
        this.loops = loops;
    }

    /** How rows are cut: {@code k} rows are walked as one (see {@link ChannelTile}), {@code step} rows make a task. */
    private record Cut(int rows, int c, int k, int step) {
        static Cut of(int rows, int c, int lanes) {
            int k = ChannelTile.repeat(c, lanes);
            int step = Math.max(32, BLOCK / c);
            return new Cut(rows, c, k, (step - 1) / k * k + k);
        }

        int blocks() {
            return rows == 0 ? 0 : (rows - 1) / step + 1;
        }

        int height(int block) {
            return Math.min(step, rows - block * step);
        }

        /** Sums what the k parts of a wide row hold of each channel; the first {@code c} places take the result. */
        void fold(float[] wide) {
            for (int j = 0; j < c; j++) {
                double s = 0;
                for (int g = 0; g < k; g++) {
                    s += wide[g * c + j];
                }
                wide[j] = (float) s;
            }
        }
    }

    /** y = (x - mean) invstd gamma + beta with the batch's statistics; saves mean and invstd = 1 / sqrt(var + eps). */
    void forward(double eps, float[] x, int xo, float[] gamma, int go, float[] beta, int bo, float[] y, int yo,
            float[] mean, int mo, float[] invstd, int io, int rows, int c) {
        Cut cut = Cut.of(rows, c, loops.lanes());
        float[][] means = new float[cut.blocks()][];
        float[][] squares = new float[cut.blocks()][];
        WorkerPool.shared().run(cut.blocks(), b -> {
            means[b] = blockMean(cut, x, xo + b * cut.step * c, cut.height(b));
            squares[b] = blockSquares(cut, x, xo + b * cut.step * c, cut.height(b), means[b]);
        });
        float[] m = new float[c];
        float[] a = new float[c];
        for (int j = 0; j < c; j++) {
            double centre = 0;
            for (int b = 0; b < means.length; b++) {
                centre += (double) means[b][j] * cut.height(b);
            }
            centre /= rows;
            double sum = 0;
            for (int b = 0; b < means.length; b++) {
                double d = means[b][j] - centre;
                sum += squares[b][j] + d * d * cut.height(b);
            }
            m[j] = (float) centre;
            float s = (float) (1 / Math.sqrt(sum / rows + eps));
            a[j] = s * gamma[go + j];
            mean[mo + j] = m[j];
            invstd[io + j] = s;
        }
        affine(x, xo, m, 0, a, 0, beta, bo, y, yo, rows, c);
    }

    private float[] blockMean(Cut cut, float[] x, int at, int height) {
        int wide = cut.k * cut.c;
        float[] acc = new float[wide];
        loops.columns(ReduceFn.SUM, x, at, height / cut.k, wide, wide, acc, 0);
        int rest = height % cut.k;
        loops.columns(ReduceFn.SUM, x, at + (height - rest) * cut.c, rest, cut.c, cut.c, acc, 0);
        cut.fold(acc);
        for (int j = 0; j < cut.c; j++) {
            acc[j] /= height;
        }
        return acc;
    }

    private float[] blockSquares(Cut cut, float[] x, int at, int height, float[] mean) {
        int wide = cut.k * cut.c;
        float[] m = ChannelTile.of(mean, 0, cut.c, cut.k);
        float[] acc = new float[wide];
        loops.columnSquares(x, at, height / cut.k, wide, wide, m, 0, acc, 0);
        int rest = height % cut.k;
        loops.columnSquares(x, at + (height - rest) * cut.c, rest, cut.c, cut.c, m, 0, acc, 0);
        cut.fold(acc);
        return acc;
    }

    /** y = (x - mean) a + b per channel. */
    void affine(float[] x, int xo, float[] mean, int mo, float[] a, int ao, float[] b, int bo, float[] y, int yo, int rows,
            int c) {
        Cut cut = Cut.of(rows, c, loops.lanes());
        float[] tm = ChannelTile.of(mean, mo, c, cut.k);
        float[] ta = ChannelTile.of(a, ao, c, cut.k);
        float[] tb = ChannelTile.of(b, bo, c, cut.k);
        WorkerPool.shared().run(cut.blocks(), t -> {
            int at = t * cut.step * c;
            int height = cut.height(t);
            int rest = height % cut.k;
            loops.affine(x, xo + at, height / cut.k, cut.k * c, tm, ta, tb, y, yo + at);
            at += (height - rest) * c;
            loops.affine(x, xo + at, rest, c, tm, ta, tb, y, yo + at);
        });
    }

    /**
     * dbeta = sum dy, dgamma = sum dy h with h = (x - mean) invstd, and dx = gamma invstd (dy - dbeta / rows - h dgamma /
     * rows), which is a dy + b (x - mean) + c per channel.
     */
    void backward(float[] dy, int dyo, float[] x, int xo, float[] gamma, int go, float[] mean, int mo, float[] invstd,
            int io, float[] dx, int dxo, float[] dgamma, int dgo, float[] dbeta, int dbo, int rows, int c) {
        Cut cut = Cut.of(rows, c, loops.lanes());
        int wide = cut.k * c;
        float[] tm = ChannelTile.of(mean, mo, c, cut.k);
        float[][] sums = new float[cut.blocks()][];
        float[][] dots = new float[cut.blocks()][];
        WorkerPool.shared().run(cut.blocks(), t -> {
            int at = t * cut.step * c;
            int height = cut.height(t);
            int rest = height % cut.k;
            int tail = at + (height - rest) * c;
            float[] sum = new float[wide];
            loops.columns(ReduceFn.SUM, dy, dyo + at, height / cut.k, wide, wide, sum, 0);
            loops.columns(ReduceFn.SUM, dy, dyo + tail, rest, c, c, sum, 0);
            cut.fold(sum);
            float[] dot = new float[wide];
            loops.columnDots(dy, dyo + at, x, xo + at, height / cut.k, wide, wide, tm, 0, dot, 0);
            loops.columnDots(dy, dyo + tail, x, xo + tail, rest, c, c, tm, 0, dot, 0);
            cut.fold(dot);
            sums[t] = sum;
            dots[t] = dot;
        });
        float[] a = new float[c];
        float[] b = new float[c];
        float[] k = new float[c];
        for (int j = 0; j < c; j++) {
            double sum = 0;
            double dot = 0;
            for (int t = 0; t < sums.length; t++) {
                sum += sums[t][j];
                dot += dots[t][j];
            }
            double s = invstd[io + j];
            dbeta[dbo + j] = (float) sum;
            dgamma[dgo + j] = (float) (dot * s);
            double scale = gamma[go + j] * s;
            a[j] = (float) scale;
            b[j] = rows == 0 ? 0 : (float) (-scale * s * s * dot / rows);
            k[j] = rows == 0 ? 0 : (float) (-scale * sum / rows);
        }
        float[] ta = ChannelTile.of(a, 0, c, cut.k);
        float[] tb = ChannelTile.of(b, 0, c, cut.k);
        float[] tk = ChannelTile.of(k, 0, c, cut.k);
        WorkerPool.shared().run(cut.blocks(), t -> {
            int at = t * cut.step * c;
            int height = cut.height(t);
            int rest = height % cut.k;
            int tail = at + (height - rest) * c;
            loops.affineGrad(dy, dyo + at, x, xo + at, height / cut.k, wide, tm, ta, tb, tk, dx, dxo + at);
            loops.affineGrad(dy, dyo + tail, x, xo + tail, rest, c, tm, ta, tb, tk, dx, dxo + tail);
        });
    }
}
