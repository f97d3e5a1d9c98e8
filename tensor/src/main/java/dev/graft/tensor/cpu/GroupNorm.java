package dev.graft.tensor.cpu;

/**
 * Group norm of images of rows x c elements, channels last: sums over the rows of each channel, as in {@link BatchNorm}, put
 * together for the channels of a group.
 */
final class GroupNorm {
    private final RowLoops loops;

    GroupNorm(RowLoops loops) {
        this.loops = loops;
    }

    /** {@code images} of {@code rows} pixels with {@code c} channels in {@code groups}. */
    record Problem(int images, int rows, int c, int groups) {
        int image(int n) {
            return n * rows * c;
        }

        int group(int n, int channel) {
            return n * groups + channel / (c / groups);
        }

        /** Elements that share a mean. */
        long count() {
            return (long) rows * (c / groups);
        }
    }

    /** y = (x - mean) rstd gamma + beta; saves mean and rstd = 1 / sqrt(var + eps) of every image's groups. */
    void forward(Problem p, double eps, F32 x, F32 gamma, F32 beta, F32 y, F32 mean, F32 rstd) {
        ChannelBlocks cut = ChannelBlocks.of(p.rows, p.c, loops.lanes());
        int blocks = cut.count();
        float[][] means = new float[p.images * blocks][];
        float[][] squares = new float[means.length][];
        WorkerPool.shared().run(means.length, t -> {
            cut.moments(loops, t % blocks, x.array(), x.at() + p.image(t / blocks), means, squares, t);
        });
        float[][] tm = new float[p.images][];
        float[][] ta = new float[p.images][];
        for (int n = 0; n < p.images; n++) {
            double[] centre = new double[p.groups];
            double[] sum = new double[p.groups];
            for (int i = 0; i < blocks * p.c; i++) {
                int b = i / p.c;
                centre[p.group(0, i % p.c)] += (double) means[n * blocks + b][i % p.c] * cut.height(b) / p.count();
            }
            for (int i = 0; i < blocks * p.c; i++) {
                int b = i / p.c;
                int g = p.group(0, i % p.c);
                double d = means[n * blocks + b][i % p.c] - centre[g];
                sum[g] += squares[n * blocks + b][i % p.c] + d * d * cut.height(b);
            }
            for (int g = 0; g < p.groups; g++) {
                mean.array()[mean.at() + p.groups * n + g] = (float) centre[g];
                rstd.array()[rstd.at() + p.groups * n + g] = (float) (1 / Math.sqrt(sum[g] / p.count() + eps));
            }
            float[] a = perChannel(p, n, rstd);
            for (int j = 0; j < p.c; j++) {
                a[j] *= gamma.array()[gamma.at() + j];
            }
            tm[n] = cut.tile(perChannel(p, n, mean), 0);
            ta[n] = cut.tile(a, 0);
        }
        float[] tb = cut.tile(beta.array(), beta.at());
        WorkerPool.shared().run(means.length, t -> {
            int n = t / blocks;
            int first = p.image(n);
            cut.walk(t % blocks, (at, rows, cols) -> loops.affine(x.array(), x.at() + first + at, rows, cols, tm[n], ta[n],
                    tb, y.array(), y.at() + first + at));
        });
    }

    /** What {@code statistic} has for the group of each channel of image {@code n}. */
    private static float[] perChannel(Problem p, int n, F32 statistic) {
        float[] v = new float[p.c];
        for (int j = 0; j < p.c; j++) {
            v[j] = statistic.array()[statistic.at() + p.group(n, j)];
        }
        return v;
    }

    /**
     * dbeta = sum dy, dgamma = sum dy h with h = (x - mean) rstd, and dx = rstd (dy gamma - mean(dy gamma) - h mean(dy gamma
     * h)) with means over each group, which is a dy + b (x - mean) + c per image and channel.
     */
    void backward(Problem p, F32 dy, F32 x, F32 gamma, F32 mean, F32 rstd, F32 dx, F32 dgamma, F32 dbeta) {
        ChannelBlocks cut = ChannelBlocks.of(p.rows, p.c, loops.lanes());
        int blocks = cut.count();
        float[][] tm = new float[p.images][];
        for (int n = 0; n < p.images; n++) {
            tm[n] = cut.tile(perChannel(p, n, mean), 0);
        }
        float[][] sums = new float[p.images * blocks][];
        float[][] dots = new float[sums.length][];
        WorkerPool.shared().run(sums.length, t -> {
            int first = p.image(t / blocks);
            cut.dots(loops, t % blocks, dy.array(), dy.at() + first, x.array(), x.at() + first, tm[t / blocks], sums, dots,
                    t);
        });
        double[] scale = new double[p.c];
        double[] shift = new double[p.c];
        float[][] ta = new float[p.images][];
        float[][] tb = new float[p.images][];
        float[][] tk = new float[p.images][];
        for (int n = 0; n < p.images; n++) {
            double[] centre = new double[p.groups];
            double[] slope = new double[p.groups];
            for (int i = 0; i < blocks * p.c; i++) {
                int j = i % p.c;
                float sum = sums[n * blocks + i / p.c][j];
                double dot = (double) dots[n * blocks + i / p.c][j] * rstd.array()[rstd.at() + p.group(n, j)];
                shift[j] += sum;
                scale[j] += dot;
                double weight = gamma.array()[gamma.at() + j] / (double) p.count();
                centre[p.group(0, j)] += weight * sum;
                slope[p.group(0, j)] += weight * dot;
            }
            float[] a = perChannel(p, n, rstd);
            float[] b = new float[p.c];
            float[] k = new float[p.c];
            for (int j = 0; j < p.c; j++) {
                b[j] = (float) (-(double) a[j] * a[j] * slope[p.group(0, j)]);
                k[j] = (float) (-a[j] * centre[p.group(0, j)]);
                a[j] *= gamma.array()[gamma.at() + j];
            }
            ta[n] = cut.tile(a, 0);
            tb[n] = cut.tile(b, 0);
            tk[n] = cut.tile(k, 0);
        }
        for (int j = 0; j < p.c; j++) {
            dgamma.array()[dgamma.at() + j] = (float) scale[j];
            dbeta.array()[dbeta.at() + j] = (float) shift[j];
        }
        WorkerPool.shared().run(sums.length, t -> {
            int n = t / blocks;
            int first = p.image(n);
            cut.walk(t % blocks, (at, rows, cols) -> loops.affineGrad(dy.array(), dy.at() + first + at, x.array(),
                    x.at() + first + at, rows, cols, tm[n], ta[n], tb[n], tk[n], dx.array(), dx.at() + first + at));
        });
    }
}
