package dev.graft.tensor.cpu;

import java.util.Arrays;

/** Reading and adding rows and elements by index. The caller has checked the indices; sums are in the indices' order. */
final class Gather {
    private static final int BLOCK = 16384;
    private static final int COLUMNS = 64;

    private final ElementLoops loops;

    Gather(ElementLoops loops) {
        this.loops = loops;
    }

    /** y[i] = table[index[i]], rows of {@code c} elements. */
    void take(float[] table, int to, int[] index, float[] y, int yo, int c) {
        WorkerPool.shared().ranges(index.length, Math.max(1, BLOCK / c), (from, end) -> {
            for (int i = from; i < end; i++) {
                System.arraycopy(table, to + index[i] * c, y, yo + i * c, c);
            }
        });
    }

    /** table = 0, then table[index[i]] += dy[i]; tasks share columns, never rows, so the order of additions is fixed. */
    void addRows(float[] dy, int dyo, int[] index, float[] table, int to, int rows, int c) {
        WorkerPool.shared().ranges(rows * c, 4 * BLOCK, (from, end) -> Arrays.fill(table, to + from, to + end, 0f));
        WorkerPool.shared().ranges(c, COLUMNS, (c0, c1) -> {
            for (int i = 0; i < index.length; i++) {
                loops.axpy(1f, dy, dyo + i * c + c0, table, to + index[i] * c + c0, c1 - c0);
            }
        });
    }

    /** y[o, k, i] = x[o, index[o, k, i], i] for y and index [outer, n, inner] and x [outer, size, inner]. */
    void along(float[] x, int xo, int[] index, float[] y, int yo, int outer, int size, int n, int inner) {
        WorkerPool.shared().ranges(outer, Math.max(1, BLOCK / Math.max(1, n * inner)), (from, end) -> {
            for (int o = from; o < end; o++) {
                for (int k = 0; k < n * inner; k++) {
                    int at = o * n * inner + k;
                    y[yo + at] = x[xo + (o * size + index[at]) * inner + k % inner];
                }
            }
        });
    }

    /** The transpose of {@link #along}: x = 0, then x[o, index[o, k, i], i] += dy[o, k, i]. */
    void addAlong(float[] dy, int dyo, int[] index, float[] x, int xo, int outer, int size, int n, int inner) {
        WorkerPool.shared().ranges(outer, Math.max(1, BLOCK / Math.max(1, (n + size) * inner)), (from, end) -> {
            Arrays.fill(x, xo + from * size * inner, xo + end * size * inner, 0f);
            for (int o = from; o < end; o++) {
                for (int k = 0; k < n * inner; k++) {
                    int at = o * n * inner + k;
                    x[xo + (o * size + index[at]) * inner + k % inner] += dy[dyo + at];
                }
            }
        });
    }
}
