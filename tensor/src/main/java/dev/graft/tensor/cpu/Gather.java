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

    /** y[i] = table[index[i]], rows of {@code c} elements; two arrays of one type. */
    void take(Object table, int to, int[] index, Object y, int yo, int c) {
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

    /** y[o, k, i] = x[o, index[o, k, i], i] for y and index [outer, n, inner] and x [outer, size, inner]; of one type. */
    void along(Object x, int xo, int[] index, Object y, int yo, int outer, int size, int n, int inner) {
        WorkerPool.shared().ranges(outer, Math.max(1, BLOCK / Math.max(1, n * inner)), (from, end) -> {
            for (int o = from; o < end; o++) {
                int at = o * n * inner;
                int base = xo + o * size * inner;
                switch (x) {
                    case float[] f -> along(f, base, index, at, (float[]) y, yo + at, n * inner, inner);
                    case double[] d -> along(d, base, index, at, (double[]) y, yo + at, n * inner, inner);
                    case long[] l -> along(l, base, index, at, (long[]) y, yo + at, n * inner, inner);
                    case int[] i -> along(i, base, index, at, (int[]) y, yo + at, n * inner, inner);
                    case short[] h -> along(h, base, index, at, (short[]) y, yo + at, n * inner, inner);
                    default -> along((byte[]) x, base, index, at, (byte[]) y, yo + at, n * inner, inner);
                }
            }
        });
    }

    private static void along(float[] x, int xo, int[] index, int at, float[] y, int yo, int n, int inner) {
        for (int k = 0; k < n; k++) {
            y[yo + k] = x[xo + index[at + k] * inner + k % inner];
        }
    }

    private static void along(double[] x, int xo, int[] index, int at, double[] y, int yo, int n, int inner) {
        for (int k = 0; k < n; k++) {
            y[yo + k] = x[xo + index[at + k] * inner + k % inner];
        }
    }

    private static void along(long[] x, int xo, int[] index, int at, long[] y, int yo, int n, int inner) {
        for (int k = 0; k < n; k++) {
            y[yo + k] = x[xo + index[at + k] * inner + k % inner];
        }
    }

    private static void along(int[] x, int xo, int[] index, int at, int[] y, int yo, int n, int inner) {
        for (int k = 0; k < n; k++) {
            y[yo + k] = x[xo + index[at + k] * inner + k % inner];
        }
    }

    private static void along(short[] x, int xo, int[] index, int at, short[] y, int yo, int n, int inner) {
        for (int k = 0; k < n; k++) {
            y[yo + k] = x[xo + index[at + k] * inner + k % inner];
        }
    }

    private static void along(byte[] x, int xo, int[] index, int at, byte[] y, int yo, int n, int inner) {
        for (int k = 0; k < n; k++) {
            y[yo + k] = x[xo + index[at + k] * inner + k % inner];
        }
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
