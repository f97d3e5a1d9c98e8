package dev.graft.tensor.cpu;

/**
 * Training-mode batch norm of rows x c elements, channels last. The statistics of a block of rows are taken in two passes
 * while it is in the cache and merged by the formula of Chan, Golub and LeVeque (1979), so a mean that is large against
 * the deviation does no harm; forward and backward each read memory twice.
 */
final class BatchNorm {
    private final RowLoops loops;

    BatchNorm(RowLoops loops) {
        this.loops = loops;
    }

    /** y = (x - mean) invstd gamma + beta with the batch's statistics; saves mean and invstd = 1 / sqrt(var + eps). */
    void forward(double eps, F32 x, F32 gamma, F32 beta, F32 y, F32 mean, F32 invstd, int rows, int c) {
        ChannelBlocks cut = ChannelBlocks.of(rows, c, loops.lanes());
        float[][] means = new float[cut.count()][];
        float[][] squares = new float[cut.count()][];
        WorkerPool.shared().run(cut.count(), b -> {
            means[b] = cut.means(loops, b, x.array(), x.at());
            squares[b] = cut.squares(loops, b, x.array(), x.at(), means[b]);
        });
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
            float s = (float) (1 / Math.sqrt(sum / rows + eps));
            a[j] = s * gamma.array()[gamma.at() + j];
            mean.array()[mean.at() + j] = (float) centre;
            invstd.array()[invstd.at() + j] = s;
        }
        float[] tm = cut.tile(mean.array(), mean.at());
        float[] ta = cut.tile(a, 0);
        float[] tb = cut.tile(beta.array(), beta.at());
        WorkerPool.shared().run(cut.count(), b -> cut.walk(b,
                (at, n, cols) -> loops.affine(x.array(), x.at() + at, n, cols, tm, ta, tb, y.array(), y.at() + at)));
    }

    /**
     * dbeta = sum dy, dgamma = sum dy h with h = (x - mean) invstd, and dx = gamma invstd (dy - dbeta / rows - h dgamma /
     * rows), which is a dy + b (x - mean) + c per channel.
     */
    void backward(F32 dy, F32 x, F32 gamma, F32 mean, F32 invstd, F32 dx, F32 dgamma, F32 dbeta, int rows, int c) {
        ChannelBlocks cut = ChannelBlocks.of(rows, c, loops.lanes());
        float[] tm = cut.tile(mean.array(), mean.at());
        float[][] sums = new float[cut.count()][];
        float[][] dots = new float[cut.count()][];
        WorkerPool.shared().run(cut.count(), b -> {
            sums[b] = cut.sums(loops, b, dy.array(), dy.at());
            dots[b] = cut.dots(loops, b, dy.array(), dy.at(), x.array(), x.at(), tm);
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
            double s = invstd.array()[invstd.at() + j];
            dbeta.array()[dbeta.at() + j] = (float) sum;
            dgamma.array()[dgamma.at() + j] = (float) (dot * s);
            double scale = gamma.array()[gamma.at() + j] * s;
            a[j] = (float) scale;
            b[j] = (float) (-scale * s * s * dot / rows);
            k[j] = (float) (-scale * sum / rows);
        }
        float[] ta = cut.tile(a, 0);
        float[] tb = cut.tile(b, 0);
        float[] tk = cut.tile(k, 0);
        WorkerPool.shared().run(cut.count(), t -> cut.walk(t, (at, n, cols) -> loops.affineGrad(dy.array(), dy.at() + at,
                x.array(), x.at() + at, n, cols, tm, ta, tb, tk, dx.array(), dx.at() + at)));
    }
}
