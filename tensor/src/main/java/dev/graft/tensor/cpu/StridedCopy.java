package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * Copies elements, of any type whose arrays Java has, between two arrays that walk the same axes with different steps:
 * permute, broadcast, slice, pad and concat are all this. Axes that both sides walk as one are merged first; what remains
 * is rows that are copied or filled whole, a 2-D transpose in tiles that fit the first-level cache, or single elements.
 */
final class StridedCopy {
    private static final int BLOCK = 16384;
    private static final int TILE = 32;

    private final Object x;
    private final Object y;
    private final int[] dims;
    private final int[] xs;
    private final int[] ys;
    private final int xo;
    private final int yo;
    private int axes;

    private StridedCopy(Object x, int xo, int[] xs, Object y, int yo, int[] ys, int[] dims) {
        this.x = x;
        this.y = y;
        this.xo = xo;
        this.yo = yo;
        this.dims = new int[dims.length + 1];
        this.xs = new int[dims.length + 1];
        this.ys = new int[dims.length + 1];
        for (int i = 0; i < dims.length; i++) {
            if (dims[i] == 1) {
                continue;
            }
            int k = axes - 1;
            if (axes > 0 && this.xs[k] == xs[i] * dims[i] && this.ys[k] == ys[i] * dims[i]) {
                this.dims[k] *= dims[i];
            } else {
                k = axes++;
                this.dims[k] = dims[i];
            }
            this.xs[k] = xs[i];
            this.ys[k] = ys[i];
        }
        if (axes == 0) {
            this.dims[0] = 1;
            this.xs[0] = 1;
            this.ys[0] = 1;
            axes = 1;
        }
    }

    /**
     * y[yo + sum(i[k] ys[k])] = x[xo + sum(i[k] xs[k])] for all i below {@code dims}. The last axis of y should have the
     * smallest step; an x step of 0 repeats.
     *
     * @param x an array of the same type as y
     */
    static void run(Object x, int xo, int[] xs, Object y, int yo, int[] ys, int[] dims) {
        for (int d : dims) {
            if (d == 0) {
                return;
            }
        }
        new StridedCopy(x, xo, xs, y, yo, ys, dims).run();
    }

    private void run() {
        int last = axes - 1;
        int across = -1;
        for (int k = 0; k < last; k++) {
            across = xs[k] == 1 && xs[last] > 1 && ys[last] == 1 ? k : across;
        }
        if (across >= 0) {
            transpose(across);
        } else {
            int n = dims[last];
            int outer = 1;
            for (int k = 0; k < last; k++) {
                outer *= dims[k];
            }
            int piece = Math.min(n, 4 * BLOCK);
            int pieces = (n - 1) / piece + 1;
            WorkerPool.shared().ranges(outer * pieces, Math.max(1, BLOCK / piece), (from, to) -> {
                int[] order = new int[last];
                for (int k = 0; k < last; k++) {
                    order[k] = k;
                }
                Walk walk = new Walk(order, from / pieces);
                for (int t = from; t < to; t++) {
                    int at = t % pieces * piece;
                    row(walk.x + at * xs[last], walk.y + at * ys[last], Math.min(piece, n - at));
                    if (t % pieces == pieces - 1) {
                        walk.next();
                    }
                }
            });
        }
    }

    private void row(int from, int to, int n) {
        int sx = xs[axes - 1];
        int sy = ys[axes - 1];
        if (sx == 1 && sy == 1 && n > 8) {
            System.arraycopy(x, from, y, to, n);
            return;
        }
        switch (x) {
            case float[] f -> row(f, from, sx, (float[]) y, to, sy, n);
            case double[] d -> row(d, from, sx, (double[]) y, to, sy, n);
            case long[] l -> row(l, from, sx, (long[]) y, to, sy, n);
            case int[] i -> row(i, from, sx, (int[]) y, to, sy, n);
            case short[] h -> row(h, from, sx, (short[]) y, to, sy, n);
            default -> row((byte[]) x, from, sx, (byte[]) y, to, sy, n);
        }
    }

    private static void row(float[] x, int from, int sx, float[] y, int to, int sy, int n) {
        if (sx == 0 && sy == 1) {
            Arrays.fill(y, to, to + n, x[from]);
            return;
        }
        for (int i = 0; i < n; i++) {
            y[to + i * sy] = x[from + i * sx];
        }
    }

    private static void row(double[] x, int from, int sx, double[] y, int to, int sy, int n) {
        if (sx == 0 && sy == 1) {
            Arrays.fill(y, to, to + n, x[from]);
            return;
        }
        for (int i = 0; i < n; i++) {
            y[to + i * sy] = x[from + i * sx];
        }
    }

    private static void row(long[] x, int from, int sx, long[] y, int to, int sy, int n) {
        if (sx == 0 && sy == 1) {
            Arrays.fill(y, to, to + n, x[from]);
            return;
        }
        for (int i = 0; i < n; i++) {
            y[to + i * sy] = x[from + i * sx];
        }
    }

    private static void row(int[] x, int from, int sx, int[] y, int to, int sy, int n) {
        if (sx == 0 && sy == 1) {
            Arrays.fill(y, to, to + n, x[from]);
            return;
        }
        for (int i = 0; i < n; i++) {
            y[to + i * sy] = x[from + i * sx];
        }
    }

    private static void row(short[] x, int from, int sx, short[] y, int to, int sy, int n) {
        if (sx == 0 && sy == 1) {
            Arrays.fill(y, to, to + n, x[from]);
            return;
        }
        for (int i = 0; i < n; i++) {
            y[to + i * sy] = x[from + i * sx];
        }
    }

    private static void row(byte[] x, int from, int sx, byte[] y, int to, int sy, int n) {
        if (sx == 0 && sy == 1) {
            Arrays.fill(y, to, to + n, x[from]);
            return;
        }
        for (int i = 0; i < n; i++) {
            y[to + i * sy] = x[from + i * sx];
        }
    }

    /** Axis {@code across} is contiguous in x, the last one in y. */
    private void transpose(int across) {
        int last = axes - 1;
        int n = dims[last];
        int m = dims[across];
        int[] order = new int[axes - 2];
        int outer = 1;
        for (int k = 0, i = 0; k < last; k++) {
            if (k != across) {
                order[i++] = k;
                outer *= dims[k];
            }
        }
        int strips = (m - 1) / TILE + 1;
        WorkerPool.shared().ranges(outer * strips, Math.max(1, BLOCK / (Math.min(m, TILE) * n)), (from, to) -> {
            for (int t = from; t < to; t++) {
                Walk walk = new Walk(order, t / strips);
                int i0 = t % strips * TILE;
                int rows = Math.min(TILE, m - i0);
                for (int j0 = 0; j0 < n; j0 += TILE) {
                    tile(walk.x + i0 + j0 * xs[last], xs[last], walk.y + i0 * ys[across] + j0, ys[across], rows,
                            Math.min(TILE, n - j0));
                }
            }
        });
    }

    private void tile(int from, int sx, int to, int sy, int rows, int columns) {
        switch (x) {
            case float[] f -> tile(f, from, sx, (float[]) y, to, sy, rows, columns);
            case double[] d -> tile(d, from, sx, (double[]) y, to, sy, rows, columns);
            case long[] l -> tile(l, from, sx, (long[]) y, to, sy, rows, columns);
            case int[] i -> tile(i, from, sx, (int[]) y, to, sy, rows, columns);
            case short[] h -> tile(h, from, sx, (short[]) y, to, sy, rows, columns);
            default -> tile((byte[]) x, from, sx, (byte[]) y, to, sy, rows, columns);
        }
    }

    private static void tile(float[] x, int from, int sx, float[] y, int to, int sy, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            int a = from + i;
            int b = to + i * sy;
            for (int j = 0; j < columns; j++) {
                y[b + j] = x[a + j * sx];
            }
        }
    }

    private static void tile(double[] x, int from, int sx, double[] y, int to, int sy, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            int a = from + i;
            int b = to + i * sy;
            for (int j = 0; j < columns; j++) {
                y[b + j] = x[a + j * sx];
            }
        }
    }

    private static void tile(long[] x, int from, int sx, long[] y, int to, int sy, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            int a = from + i;
            int b = to + i * sy;
            for (int j = 0; j < columns; j++) {
                y[b + j] = x[a + j * sx];
            }
        }
    }

    private static void tile(int[] x, int from, int sx, int[] y, int to, int sy, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            int a = from + i;
            int b = to + i * sy;
            for (int j = 0; j < columns; j++) {
                y[b + j] = x[a + j * sx];
            }
        }
    }

    private static void tile(short[] x, int from, int sx, short[] y, int to, int sy, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            int a = from + i;
            int b = to + i * sy;
            for (int j = 0; j < columns; j++) {
                y[b + j] = x[a + j * sx];
            }
        }
    }

    private static void tile(byte[] x, int from, int sx, byte[] y, int to, int sy, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            int a = from + i;
            int b = to + i * sy;
            for (int j = 0; j < columns; j++) {
                y[b + j] = x[a + j * sx];
            }
        }
    }

    /** Counts through some axes, keeping the places in both arrays. */
    private final class Walk {
        private final int[] order;
        private final int[] at;
        private int x = xo;
        private int y = yo;

        Walk(int[] order, int position) {
            this.order = order;
            this.at = new int[order.length];
            for (int i = order.length - 1, p = position; i >= 0; i--) {
                int k = order[i];
                at[i] = p % dims[k];
                p /= dims[k];
                x += at[i] * xs[k];
                y += at[i] * ys[k];
            }
        }

        void next() {
            for (int i = order.length - 1; i >= 0; i--) {
                int k = order[i];
                x += xs[k];
                y += ys[k];
                if (++at[i] < dims[k]) {
                    return;
                }
                at[i] = 0;
                x -= dims[k] * xs[k];
                y -= dims[k] * ys[k];
            }
        }
    }
}
