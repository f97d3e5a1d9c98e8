package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;

/**
 * How rows x c elements, channels last, are cut for sums over the rows: {@code k} rows are walked as one (see {@link
 * ChannelTile}), and {@code step} rows make a task, small enough to stay in the cache from one loop to the next.
 */
record ChannelBlocks(int rows, int c, int k, int step) {
    private static final int BLOCK = 16384;
    private static final int FIRST = 16;

    /** Loops over rows of one width: {@code rows} of {@code cols} elements from {@code at} on. */
    @FunctionalInterface
    interface Loop {
        void run(int at, int rows, int cols);
    }

    static ChannelBlocks of(int rows, int c, int lanes) {
        int k = ChannelTile.repeat(c, lanes);
        int step = Math.max(32, BLOCK / c);
        return new ChannelBlocks(rows, c, k, (step - 1) / k * k + k);
    }

    int count() {
        return rows == 0 ? 0 : (rows - 1) / step + 1;
    }

    int height(int block) {
        return Math.min(step, rows - block * step);
    }

    /** Where {@code block} begins. */
    int at(int block) {
        return block * step * c;
    }

    /** The wide rows of {@code block}, then what is left of it as rows of c. */
    void walk(int block, Loop loop) {
        int height = height(block);
        int rest = height % k;
        loop.run(at(block), height / k, k * c);
        loop.run(at(block) + (height - rest) * c, rest, c);
    }

    /** One value per channel, repeated for wide rows. */
    float[] tile(float[] v, int at) {
        return ChannelTile.of(v, at, c, k);
    }

    /** The k sums of each channel, added in the first c places. */
    private float[] fold(float[] wide) {
        for (int j = 0; j < c && k > 1; j++) {
            double s = 0;
            for (int g = 0; g < k; g++) {
                s += wide[g * c + j];
            }
            wide[j] = (float) s;
        }
        return wide;
    }

    /**
     * Means and sums of (x - mean)^2 of a block, each in the first c places of what is put into {@code means} and {@code
     * squares} at {@code t}. One pass over memory: deviations are taken from the mean of the block's first rows, which is
     * near the block's, so few digits are lost where the mean is large, up to some 10^4 deviations: beyond, the float32 sums
     * lose theirs. They are of x itself, because those of float16's and of images' few digits are exact, and those of
     * deviations are not.
     */
    void moments(RowLoops loops, int block, float[] x, int xo, float[][] means, float[][] squares, int t) {
        float[] sum = new float[k * c];
        float[] square = new float[k * c];
        float[] shift = firstMean(loops, block, x, xo);
        walk(block, (at, n, cols) -> loops.columnMoments(x, xo + at, n, cols, cols, shift, sum, square));
        fold(sum);
        fold(square);
        double height = height(block);
        for (int j = 0; j < c; j++) {
            double mean = sum[j] / height;
            double d = mean - shift[j];
            square[j] = (float) Math.max(0, square[j] - height * d * d);
            sum[j] = (float) mean;
        }
        means[t] = sum;
        squares[t] = square;
    }

    /** The mean of each channel over the block's first rows, as a {@link #tile}. */
    private float[] firstMean(RowLoops loops, int block, float[] x, int xo) {
        float[] sum = new float[k * c];
        boolean wide = height(block) >= k;
        int n = Math.min(FIRST, wide ? height(block) / k : height(block));
        int cols = wide ? k * c : c;
        loops.columns(ReduceFn.SUM, x, xo + at(block), n, cols, cols, sum, 0);
        fold(sum);
        for (int j = 0; j < c; j++) {
            sum[j] /= wide ? n * k : n;
        }
        return k == 1 ? sum : tile(sum, 0);
    }

    /** As {@link #moments}: sums of dy, and of dy * (x - mean) with the mean already a {@link #tile}. */
    void dots(RowLoops loops, int block, float[] dy, int dyo, float[] x, int xo, float[] mean, float[][] sums,
            float[][] dots, int t) {
        float[] sum = new float[k * c];
        float[] dot = new float[k * c];
        walk(block, (at, n, cols) -> loops.columnDots(dy, dyo + at, x, xo + at, n, cols, cols, mean, sum, dot));
        sums[t] = fold(sum);
        dots[t] = fold(dot);
    }

    /** As the other, of dy where {@code y} passes it on and 0 elsewhere. */
    void dots(RowLoops loops, int block, float[] dy, int dyo, float[] x, int xo, RowLoops.Passing y, float[][] sums,
            float[][] dots, int t) {
        float[] sum = new float[k * c];
        float[] dot = new float[k * c];
        walk(block, (at, n, cols) -> loops.columnDots(dy, dyo + at, x, xo + at, n, cols, cols, y, sum, dot));
        sums[t] = fold(sum);
        dots[t] = fold(dot);
    }
}
