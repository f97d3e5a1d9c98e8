package dev.graft.tensor.cpu;

import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.UnaryFn;

/**
 * Training-mode batch norm of rows x c elements, channels last. The statistics of blocks of rows are merged by the formula
 * of Chan, Golub and LeVeque (1979), so a mean of up to some 10^4 deviations does no harm. Forward and backward each read
 * memory twice, the second time backwards: what was read last is still in the cache.
 */
final class BatchNorm {
    private final RowLoops loops;
    private final ElementLoops elements;

    BatchNorm(RowLoops loops, ElementLoops elements) {
        this.loops = loops;
        this.elements = elements;
    }

    /**
     * y = then((x - mean) invstd gamma + beta + residual) with the batch's statistics; saves mean and invstd = 1 /
     * sqrt(var + eps).
     *
     * @param residual as x, or null for none
     */
    void forward(double eps, Activation then, F32 x, F32 gamma, F32 beta, F32 residual, F32 y, F32 mean, F32 invstd,
            int rows, int c) {
        ChannelBlocks cut = ChannelBlocks.of(rows, c, loops.lanes());
        float[][] means = new float[cut.count()][];
        float[][] squares = new float[cut.count()][];
        WorkerPool.shared().run(cut.count(), b -> {
            cut.moments(loops, b, x.array(), x.at(), means, squares, b);
        });
        double[] centre = new double[c];
        for (int b = 0; b < means.length; b++) {
            add(centre, means[b], (double) cut.height(b) / rows);
        }
        double[] sum = new double[c];
        for (int b = 0; b < means.length; b++) {
            addSquares(sum, centre, means[b], squares[b], cut.height(b));
        }
        float[] a = new float[c];
        for (int j = 0; j < c; j++) {
            float s = (float) (1 / Math.sqrt(sum[j] / rows + eps));
            a[j] = s * gamma.array()[gamma.at() + j];
            mean.array()[mean.at() + j] = (float) centre[j];
            invstd.array()[invstd.at() + j] = s;
        }
        float[] tm = cut.tile(mean.array(), mean.at());
        float[] ta = cut.tile(a, 0);
        float[] tb = cut.tile(beta.array(), beta.at());
        float[] r = residual == null ? null : residual.array();
        int ro = residual == null ? 0 : residual.at();
        WorkerPool.shared().runBackwards(cut.count(), b -> cut.walk(b, (at, n, cols) -> loops.affine(x.array(), x.at() + at,
                n, cols, tm, ta, tb, r, ro + at, then, y.array(), y.at() + at)));
    }

    private static void add(double[] sum, float[] mean, double weight) {
        for (int j = 0; j < sum.length; j++) {
            sum[j] += mean[j] * weight;
        }
    }

    private static void addSquares(double[] sum, double[] centre, float[] mean, float[] square, double height) {
        for (int j = 0; j < sum.length; j++) {
            double d = mean[j] - centre[j];
            sum[j] += square[j] + d * d * height;
        }
    }

    /**
     * With {@code beta}, which is for a forward pass without a residual, y is computed from x again where it tells what
     * passed, to the same bits, and is not read. Without, the gradient through the activation goes to {@code dresidual}, or
     * to where dx will be if that is null; then {@link #backward} takes it from there. It is made block by block in front of
     * the sums that read it.
     */
    void backward(Activation then, F32 dy, F32 x, F32 y, F32 gamma, F32 mean, F32 invstd, F32 beta, F32 dx, F32 dgamma,
            F32 dbeta, F32 dresidual, int rows, int c) {
        if (then == Activation.NONE && dresidual == null) {
            backward(dy, x, gamma, mean, invstd, dx, dgamma, dbeta, rows, c);
            return;
        }
        if (beta != null && then != Activation.NONE && dresidual == null) {
            backwardFromInput(then, dy, x, gamma, mean, invstd, beta, dx, dgamma, dbeta, rows, c);
            return;
        }
        F32 passed = dresidual == null ? dx : dresidual;
        backward(passed, x, gamma, mean, invstd, dx, dgamma, dbeta, rows, c, (at, n) -> {
            if (then == Activation.NONE) {
                System.arraycopy(dy.array(), dy.at() + at, passed.array(), passed.at() + at, n);
            } else {
                elements.unaryGrad(then == Activation.RELU ? UnaryFn.RELU : UnaryFn.RELU6, 0, y.array(), y.at() + at,
                        dy.array(), dy.at() + at, passed.array(), passed.at() + at, n);
            }
        });
    }

    /** Makes {@code n} elements of the gradient from {@code at} on. */
    @FunctionalInterface
    private interface Source {
        void make(int at, int n);
    }

    void backward(F32 dy, F32 x, F32 gamma, F32 mean, F32 invstd, F32 dx, F32 dgamma, F32 dbeta, int rows, int c) {
        backward(dy, x, gamma, mean, invstd, dx, dgamma, dbeta, rows, c, (at, n) -> { });
    }

    /**
     * dbeta = sum dy, dgamma = sum dy h with h = (x - mean) invstd, and dx = gamma invstd (dy - dbeta / rows - h dgamma /
     * rows), which is a dy + b (x - mean) + c per channel.
     */
    private void backward(F32 dy, F32 x, F32 gamma, F32 mean, F32 invstd, F32 dx, F32 dgamma, F32 dbeta, int rows, int c,
            Source source) {
        ChannelBlocks cut = ChannelBlocks.of(rows, c, loops.lanes());
        float[] tm = cut.tile(mean.array(), mean.at());
        float[][] sums = new float[cut.count()][];
        float[][] dots = new float[cut.count()][];
        WorkerPool.shared().run(cut.count(), b -> {
            source.make(cut.at(b), cut.height(b) * c);
            cut.dots(loops, b, dy.array(), dy.at(), x.array(), x.at(), tm, sums, dots, b);
        });
        Coefficients k = Coefficients.of(cut, sums, dots, gamma, invstd, dgamma, dbeta);
        WorkerPool.shared().runBackwards(cut.count(), t -> cut.walk(t, (at, n, cols) -> loops.affineGrad(dy.array(),
                dy.at() + at, x.array(), x.at() + at, n, cols, tm, k.a(), k.b(), k.c(), dx.array(), dx.at() + at)));
    }

    private void backwardFromInput(Activation then, F32 dy, F32 x, F32 gamma, F32 mean, F32 invstd, F32 beta, F32 dx,
            F32 dgamma, F32 dbeta, int rows, int c) {
        ChannelBlocks cut = ChannelBlocks.of(rows, c, loops.lanes());
        float[] scale = new float[c];
        for (int j = 0; j < c; j++) {
            scale[j] = invstd.array()[invstd.at() + j] * gamma.array()[gamma.at() + j];
        }
        RowLoops.Passing y = new RowLoops.Passing(cut.tile(mean.array(), mean.at()), cut.tile(scale, 0),
                cut.tile(beta.array(), beta.at()), then == Activation.RELU6 ? 6f : Float.NaN);
        float[][] sums = new float[cut.count()][];
        float[][] dots = new float[cut.count()][];
        WorkerPool.shared().run(cut.count(), b -> cut.dots(loops, b, dy.array(), dy.at(), x.array(), x.at(), y, sums, dots,
                b));
        Coefficients k = Coefficients.of(cut, sums, dots, gamma, invstd, dgamma, dbeta);
        WorkerPool.shared().runBackwards(cut.count(), t -> cut.walk(t, (at, n, cols) -> loops.affineGrad(dy.array(),
                dy.at() + at, x.array(), x.at() + at, n, cols, y, k.a(), k.b(), k.c(), dx.array(), dx.at() + at)));
    }

    /** dx = a dy + b (x - mean) + c, each a {@link ChannelBlocks#tile}. */
    private record Coefficients(float[] a, float[] b, float[] c) {
        /** From the blocks' sums of dy and of dy (x - mean); writes dgamma and dbeta. */
        static Coefficients of(ChannelBlocks cut, float[][] sums, float[][] dots, F32 gamma, F32 invstd, F32 dgamma,
                F32 dbeta) {
            int channels = cut.c();
            double[] total = new double[channels];
            double[] along = new double[channels];
            for (int t = 0; t < sums.length; t++) {
                add(total, sums[t], 1);
                add(along, dots[t], 1);
            }
            float[] a = new float[channels];
            float[] b = new float[channels];
            float[] c = new float[channels];
            for (int j = 0; j < channels; j++) {
                double sum = total[j];
                double dot = along[j];
                double s = invstd.array()[invstd.at() + j];
                dbeta.array()[dbeta.at() + j] = (float) sum;
                dgamma.array()[dgamma.at() + j] = (float) (dot * s);
                double scale = gamma.array()[gamma.at() + j] * s;
                a[j] = (float) scale;
                b[j] = (float) (-scale * s * s * dot / cut.rows());
                c[j] = (float) (-scale * sum / cut.rows());
            }
            return new Coefficients(cut.tile(a, 0), cut.tile(b, 0), cut.tile(c, 0));
        }
    }
}
