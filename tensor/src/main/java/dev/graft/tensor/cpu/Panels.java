package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * The packed form of the right operand B[k][n] of a product: panels of {@code width(kernels)} columns one after the
 * other, each [k][width] and contiguous, the last one only as wide as it must be (a multiple of the vector) and filled
 * up with zeros. Also the blocked product with such an operand.
 */
final class Panels {
    /** Rows of B that a pass over A uses: a panel of so many rows stays in L1 or L2 while all rows of A go by. */
    private static final int DEPTH = 160;
    private static final int TRANSPOSE_BLOCK = 32;

    private Panels() {}

    static int width(MicroKernels mk) {
        return mk.lanes() * mk.panelVectors();
    }

    static int count(MicroKernels mk, int n) {
        return (n + width(mk) - 1) / width(mk);
    }

    static int padded(MicroKernels mk, int n) {
        return (n + mk.lanes() - 1) / mk.lanes() * mk.lanes();
    }

    static long size(MicroKernels mk, int k, int n) {
        return (long) k * padded(mk, n);
    }

    /** Width of panel {@code j} of {@code n} columns with its zero columns. */
    static int width(MicroKernels mk, int n, int j) {
        return Math.min(width(mk), padded(mk, n) - j * width(mk));
    }

    /**
     * Packs panel {@code j}. Row k and column c of B lie at {@code b[bo + k*ks + c*cs]}; one of the strides is 1.
     *
     * @param to where the whole packed operand begins in {@code packed}
     */
    static void pack(MicroKernels mk, int j, int k, int n, float[] b, int bo, int ks, int cs, float[] packed, int to) {
        int column = j * width(mk);
        int w = width(mk, n, j);
        pack(k, Math.min(w, n - column), w, b, bo + column * cs, ks, cs, packed, to + column * k);
    }

    /** Packs {@code k} rows of {@code columns} columns as [k][w]. */
    static void pack(int k, int columns, int w, float[] b, int bo, int ks, int cs, float[] to, int at) {
        if (cs == 1) {
            for (int i = 0; i < k; i++) {
                System.arraycopy(b, bo + i * ks, to, at + i * w, columns);
            }
        } else {
            for (int k0 = 0; k0 < k; k0 += TRANSPOSE_BLOCK) {
                int rows = Math.min(TRANSPOSE_BLOCK, k - k0);
                for (int c = 0; c < columns; c++) {
                    transposeColumn(rows, b, bo + c * cs + k0 * ks, ks, to, at + k0 * w + c, w);
                }
            }
        }
        if (columns < w) {
            for (int i = 0; i < k; i++) {
                Arrays.fill(to, at + i * w + columns, at + (i + 1) * w, 0f);
            }
        }
    }

    private static void transposeColumn(int rows, float[] b, int bo, int ks, float[] to, int at, int w) {
        for (int i = 0; i < rows; i++) {
            to[at + i * w] = b[bo + i * ks];
        }
    }

    /**
     * C[m][columns of the panels] (+)= A[m][k] * B with packed B.
     *
     * @param n columns of the whole B
     * @param from first panel
     * @param to end of the panels (exclusive)
     * @param co where row 0 and <em>column 0 of the whole C</em> lie in c
     */
    static void multiply(MicroKernels mk, int m, int n, int k, int from, int to, float[] a, int ao, int rs, int ks,
            float[] packed, int po, float[] c, int co, int ldc, boolean accumulate) {
        int width = width(mk);
        int chunks = Math.max(1, (k + DEPTH - 1) / DEPTH);
        int depth = (k + chunks - 1) / chunks;
        int whole = n % mk.lanes() == 0 ? to : Math.min(to, n / width);
        for (int k0 = 0; k0 < k; k0 += depth) {
            int kc = Math.min(depth, k - k0);
            for (int j = from; j < whole; j++) {
                int w = width(mk, n, j);
                mk.tiles(m, w / mk.lanes(), kc, a, ao + k0 * ks, rs, ks, packed, po + j * width * k + k0 * w, w,
                        c, co + j * width, ldc, accumulate || k0 > 0);
            }
        }
        if (whole < to) {
            int w = width(mk, n, whole);
            int at = po + whole * width * k;
            ragged(mk, m, n - whole * width, w, k, depth, a, ao, rs, ks, packed, at, c, co + whole * width, ldc, accumulate);
        }
    }

    /** The last panel when its columns end inside a vector: goes through a small buffer. */
    private static void ragged(MicroKernels mk, int m, int columns, int w, int k, int depth, float[] a, int ao, int rs,
            int ks, float[] packed, int po, float[] c, int co, int ldc, boolean accumulate) {
        try (Scratch space = Scratch.take((long) m * w)) {
            float[] t = space.data;
            for (int k0 = 0; k0 < k; k0 += depth) {
                mk.tiles(m, w / mk.lanes(), Math.min(depth, k - k0), a, ao + k0 * ks, rs, ks, packed, po + k0 * w, w,
                        t, 0, w, k0 > 0);
            }
            for (int i = 0; i < m; i++) {
                int to = co + i * ldc;
                if (accumulate) {
                    for (int j = 0; j < columns; j++) {
                        c[to + j] += t[i * w + j];
                    }
                } else {
                    System.arraycopy(t, i * w, c, to, columns);
                }
            }
        }
    }
}
