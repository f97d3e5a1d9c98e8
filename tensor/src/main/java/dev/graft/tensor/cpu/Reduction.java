package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import dev.graft.tensor.op.ReduceFn;
import java.util.Arrays;

/**
 * Sums, means, maxima and minima over any axes. Neighbouring axes that are both reduced or both kept are merged; each
 * reduced group is then [outer, r, inner] -> [outer, inner], done from the last group to the first. Sums are taken in
 * float over blocks of a few thousand elements in independent lanes and combined in double, so their error does not grow
 * with the length.
 */
final class Reduction {
    private static final int BLOCK = 16384;
    private static final int MAX_COLUMNS = 4096;
    /** Up to so many rows, and elements, are summed by one task, in float, if there are several: one pass instead of two. */
    private static final int WHOLE_ROWS = 256;
    private static final int WHOLE = 8 * BLOCK;

    private final RowLoops loops;

    Reduction(RowLoops loops) {
        this.loops = loops;
    }

    /** y = f over {@code axes} of x, which has at least one element unless f is SUM. y has the kept axes in order. */
    void reduce(ReduceFn f, float[] x, int xo, Shape s, int[] axes, float[] y, int yo) {
        int n = (int) s.size();
        boolean[] gone = new boolean[s.rank()];
        long count = 1;
        for (int a : axes) {
            gone[a] = true;
            count *= s.dim(a);
        }
        if (n == 0) {
            long kept = 1;
            for (int i = 0; i < gone.length; i++) {
                kept *= gone[i] ? 1 : s.dim(i);
            }
            Arrays.fill(y, yo, yo + (int) kept, 0f);
            return;
        }
        float[] from = x;
        int at = xo;
        int inner = 1;
        int end = s.rank();
        int left = n;
        while (end > 0) {
            int begin = end - 1;
            while (begin > 0 && gone[begin - 1] == gone[end - 1]) {
                begin--;
            }
            int r = (int) s.count(begin, end);
            if (!gone[begin]) {
                inner *= r;
            } else if (r > 1) {
                left /= r;
                boolean last = none(gone, s, begin);
                float[] to = last ? y : new float[left];
                middle(f, from, at, left / inner, r, inner, to, last ? yo : 0);
                from = to;
                at = last ? yo : 0;
            }
            end = begin;
        }
        if (from != y || at != yo) {
            System.arraycopy(from, at, y, yo, left);
        }
        if (f == ReduceFn.MEAN) {
            for (int i = 0; i < left; i++) {
                y[yo + i] /= count;
            }
        }
    }

    /** The sum of {@code n} squares. */
    float sumOfSquares(float[] x, int xo, int n) {
        int length = BLOCK / 2;
        double[] part = new double[(n + length - 1) / length];
        WorkerPool.shared().ranges(part.length, 4, (i, j) -> {
            for (int k = i; k < j; k++) {
                int at = xo + k * length;
                part[k] = loops.dot(x, at, x, at, Math.min(length, n - k * length));
            }
        });
        double s = 0;
        for (double v : part) {
            s += v;
        }
        return (float) s;
    }

    private static boolean none(boolean[] gone, Shape s, int end) {
        for (int i = 0; i < end; i++) {
            if (gone[i] && s.dim(i) > 1) {
                return false;
            }
        }
        return true;
    }

    /** [outer, r, inner] -> [outer, inner], all sizes at least 1. */
    private void middle(ReduceFn f, float[] x, int xo, int outer, int r, int inner, float[] y, int yo) {
        if (inner == 1) {
            if (r <= BLOCK / 2) {
                WorkerPool.shared().ranges(outer, Math.max(1, BLOCK / r), (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = loops.reduce(f, x, xo + k * r, r);
                    }
                });
            } else {
                longRows(f, x, xo, outer, r, y, yo);
            }
            return;
        }
        int cols = Math.min(inner, MAX_COLUMNS);
        int pieces = (inner - 1) / cols + 1;
        int rows = Math.max(32, BLOCK / cols);
        if (r <= rows || r <= WHOLE_ROWS && (long) r * cols <= WHOLE && outer * pieces > 1) {
            WorkerPool.shared().ranges(outer * pieces, Math.max(1, BLOCK / (r * cols)), (i, j) -> {
                for (int k = i; k < j; k++) {
                    int from = k % pieces * cols;
                    int at = yo + k / pieces * inner + from;
                    block(f, x, xo + k / pieces * r * inner + from, r, Math.min(cols, inner - from), inner, y, at);
                }
            });
        } else {
            tallColumns(f, x, xo, outer, r, inner, cols, rows, y, yo);
        }
    }

    /** Rows cut into blocks, whose results are combined in order. */
    private void longRows(ReduceFn f, float[] x, int xo, int outer, int r, float[] y, int yo) {
        int length = BLOCK / 2;
        int blocks = (r - 1) / length + 1;
        float[] part = new float[outer * blocks];
        WorkerPool.shared().ranges(part.length, 2, (i, j) -> {
            for (int k = i; k < j; k++) {
                int from = k % blocks * length;
                part[k] = loops.reduce(f, x, xo + k / blocks * r + from, Math.min(length, r - from));
            }
        });
        for (int k = 0; k < outer; k++) {
            y[yo + k] = combine(f, part, k * blocks, blocks, 1);
        }
    }

    /** Columns cut into blocks of rows, whose results are combined in order. */
    private void tallColumns(ReduceFn f, float[] x, int xo, int outer, int r, int inner, int cols, int rows,
            float[] y, int yo) {
        int pieces = (inner - 1) / cols + 1;
        int blocks = (r - 1) / rows + 1;
        float[] part = new float[Math.multiplyExact(outer * blocks, inner)];
        WorkerPool.shared().run(outer * blocks * pieces, t -> {
            int from = t % pieces * cols;
            int b = t / pieces % blocks;
            int k = t / pieces / blocks;
            int at = xo + (k * r + b * rows) * inner + from;
            block(f, x, at, Math.min(rows, r - b * rows), Math.min(cols, inner - from), inner, part,
                    (k * blocks + b) * inner + from);
        });
        WorkerPool.shared().ranges(outer * inner, Math.max(1, BLOCK / blocks), (i, j) -> {
            for (int q = i; q < j; q++) {
                y[yo + q] = combine(f, part, q / inner * blocks * inner + q % inner, blocks, inner);
            }
        });
    }

    private static float combine(ReduceFn f, float[] part, int at, int n, int step) {
        if (f == ReduceFn.SUM || f == ReduceFn.MEAN) {
            double s = 0;
            for (int i = 0; i < n; i++) {
                s += part[at + i * step];
            }
            return (float) s;
        }
        float best = part[at];
        for (int i = 1; i < n; i++) {
            best = PlainRowLoops.combine(f, best, part[at + i * step]);
        }
        return best;
    }

    /** acc = the columns of a block of rows combined. Few columns are taken several rows at a time to fill vectors. */
    private void block(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao) {
        int k = cols == stride ? ChannelTile.repeat(cols, loops.lanes()) : 1;
        if (k == 1 || rows < 2 * k) {
            System.arraycopy(x, xo, acc, ao, cols);
            loops.columns(f, x, xo + stride, rows - 1, cols, stride, acc, ao);
            return;
        }
        int wide = k * cols;
        float[] t = Arrays.copyOfRange(x, xo, xo + wide);
        loops.columns(f, x, xo + wide, rows / k - 1, wide, wide, t, 0);
        int rest = rows % k;
        loops.columns(f, x, xo + (rows - rest) * cols, rest, cols, cols, t, 0);
        for (int j = 0; j < cols; j++) {
            acc[ao + j] = combine(f, t, j, k, cols);
        }
    }

    /** y = index of the largest (smallest) of r elements for each [outer, inner], the first of equals; NaN wins. */
    void argReduce(boolean largest, float[] x, int xo, int outer, int r, int inner, long[] y, int yo) {
        WorkerPool.shared().ranges(outer * inner, Math.max(1, BLOCK / 4 / r), (i, j) -> {
            for (int q = i; q < j; q++) {
                int at = xo + q / inner * r * inner + q % inner;
                float best = x[at];
                int index = 0;
                for (int k = 1; k < r && best == best; k++) {
                    float v = x[at + k * inner];
                    if ((largest ? v > best : v < best) || v != v) {
                        best = v;
                        index = k;
                    }
                }
                y[yo + q] = index;
            }
        });
    }
}
