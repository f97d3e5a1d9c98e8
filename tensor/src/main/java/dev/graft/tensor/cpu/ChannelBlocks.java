package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;

/**
 * How rows x c elements, channels last, are cut for sums over the rows: {@code k} rows are walked as one (see {@link
 * ChannelTile}), and {@code step} rows make a task, small enough to stay in the cache from one loop to the next.
 */
record ChannelBlocks(int rows, int c, int k, int step) {
    private static final int BLOCK = 16384;

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

    /** A sum over a block's rows for each channel: {@code loop} adds to wide sums, which are folded. */
    private float[] sum(int block, Adding loop) {
        float[] wide = new float[k * c];
        walk(block, (at, n, cols) -> loop.add(at, n, cols, wide));
        for (int j = 0; j < c; j++) {
            double s = 0;
            for (int g = 0; g < k; g++) {
                s += wide[g * c + j];
            }
            wide[j] = (float) s;
        }
        return wide;
    }

    @FunctionalInterface
    private interface Adding {
        void add(int at, int rows, int cols, float[] sums);
    }

    /** Sums of the block's elements in the first c places. */
    float[] sums(RowLoops loops, int block, float[] x, int xo) {
        return sum(block, (at, n, cols, s) -> loops.columns(ReduceFn.SUM, x, xo + at, n, cols, cols, s, 0));
    }

    float[] means(RowLoops loops, int block, float[] x, int xo) {
        float[] m = sums(loops, block, x, xo);
        int height = height(block);
        for (int j = 0; j < c; j++) {
            m[j] /= height;
        }
        return m;
    }

    /** Sums of (x - mean)^2, the block's mean in the first c places of {@code mean}. */
    float[] squares(RowLoops loops, int block, float[] x, int xo, float[] mean) {
        float[] wide = tile(mean, 0);
        return sum(block, (at, n, cols, s) -> loops.columnSquares(x, xo + at, n, cols, cols, wide, 0, s, 0));
    }

    /** Sums of dy * (x - mean), the mean already a {@link #tile}. */
    float[] dots(RowLoops loops, int block, float[] dy, int dyo, float[] x, int xo, float[] mean) {
        return sum(block, (at, n, cols, s) -> loops.columnDots(dy, dyo + at, x, xo + at, n, cols, cols, mean, 0, s, 0));
    }
}
