package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * The packed form of the right operand B[k][n] of a product: panels of {@code width(kernels)} columns one after the
 * other, each [k][width] and contiguous, the last one only as wide as it must be (a multiple of the vector) and filled
 * up with zeros. Also the blocked product with such an operand.
 */
final class Panels {
    /** Rows of B that a pass over A uses: a panel of so many rows stays in L1 while the rows of A go by. */
    private static final int DEPTH = 256;

    /** Rows of A that are packed at a time: they stay in L2 while the panels of B go by. */
    private static final int ROWS = 140;

    /** Columns of A that are packed at a time: with {@link #ROWS} half a megabyte. */
    private static final int SLAB = 1024;

    /** Rows of A that are used at a time where they lie: their results are in the cache when the epilogue comes. */
    private static final int ROWS_IN_PLACE = 96;

    private static final int WIDE_ROWS = 12;

    /** Columns of B from which on packing A costs less than its tiles gain. */
    private static final int PACKING_PAYS = 64;
    private static final int TRANSPOSE_BLOCK = 32;

    private Panels() {}

    static int width(MicroKernels mk) {
        return mk.lanes() * mk.panelVectors();
    }

    /**
     * Width of the panels of a product whose left operand lies in rows: with few columns or short sums packing that operand
     * costs more than its tiles gain, and the widest tiles read it in place.
     */
    static int productWidth(MicroKernels mk, int k, int n) {
        return Math.min(k, padded(mk, n)) <= tileWidth(mk) ? tileWidth(mk) : width(mk);
    }

    /** Rows of a tile of such a product. */
    static int rows(MicroKernels mk, int width) {
        return width > width(mk) ? WIDE_ROWS : mk.tileRows();
    }

    static int count(MicroKernels mk, int n) {
        return (n + width(mk) - 1) / width(mk);
    }

    /** Columns of the widest tile of {@link MicroKernels#tiles}, for products that read their left operand in place. */
    static int tileWidth(MicroKernels mk) {
        return mk.lanes() * mk.tileVectors();
    }

    static int tileCount(MicroKernels mk, int n) {
        return (n + tileWidth(mk) - 1) / tileWidth(mk);
    }

    static int tileWidth(MicroKernels mk, int n, int j) {
        return Math.min(tileWidth(mk), padded(mk, n) - j * tileWidth(mk));
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
     * @param width columns of all panels but the last
     * @param to where the whole packed operand begins in {@code packed}
     */
    static void pack(MicroKernels mk, int width, int j, int k, int n, float[] b, int bo, int ks, int cs, float[] packed,
            int to) {
        int column = j * width;
        int w = Math.min(width, padded(mk, n) - column);
        pack(k, Math.min(w, n - column), w, b, bo + column * cs, ks, cs, packed, to + column * k);
    }

    /** Packs {@code k} rows of {@code columns} columns as [k][w]. */
    static void pack(int k, int columns, int w, float[] b, int bo, int ks, int cs, float[] to, int at) {
        if (cs == 1) {
            copy(k, columns, b, bo, ks, to, at, w);
        } else {
            transpose(columns, k, b, bo, cs, to, at, w);
        }
        if (columns < w) {
            for (int i = 0; i < k; i++) {
                Arrays.fill(to, at + i * w + columns, at + (i + 1) * w, 0f);
            }
        }
    }

    private static void copy(int k, int n, float[] b, int bo, int ks, float[] to, int at, int w) {
        if (Simd.ENABLED) {
            PackVectors.copy(k, n, b, bo, ks, to, at, w);
            return;
        }
        for (int i = 0; i < k; i++) {
            System.arraycopy(b, bo + i * ks, to, at + i * w, n);
        }
    }

    private static void transpose(int n, int k, float[] b, int bo, int cs, float[] to, int at, int w) {
        if (Simd.ENABLED) {
            PackVectors.transpose(n, k, b, bo, cs, to, at, w);
            return;
        }
        for (int k0 = 0; k0 < k; k0 += TRANSPOSE_BLOCK) {
            int rows = Math.min(TRANSPOSE_BLOCK, k - k0);
            for (int c = 0; c < n; c++) {
                transposeColumn(rows, b, bo + c * cs + k0, to, at + k0 * w + c, w);
            }
        }
    }

    private static void transposeColumn(int rows, float[] b, int bo, float[] to, int at, int w) {
        for (int i = 0; i < rows; i++) {
            to[at + i * w] = b[bo + i];
        }
    }

    /** Rows of A that are packed at a time, in whole tiles. */
    static int rowsAtOnce(MicroKernels mk) {
        int tile = mk.tileRows();
        return (ROWS + tile / 2) / tile * tile;
    }

    /** Floats that {@link #packRows} needs for {@code m} rows of {@code k} columns. */
    static long rowsSize(MicroKernels mk, int m, int k) {
        return rowsFloats(mk, m, k) + mk.lanes();
    }

    private static long rowsFloats(MicroKernels mk, int m, int k) {
        int rows = mk.tileRows();
        return (long) (m + rows - 1) / rows * rows * k;
    }

    /** Packs A[m][k], one of whose strides is 1, for {@link MicroKernels#packedTiles}. */
    static void packRows(MicroKernels mk, int m, int k, float[] a, int ao, int rs, int ks, float[] to, int at) {
        int rows = mk.tileRows();
        for (int i = 0; i < m; i += rows) {
            int n = Math.min(rows, m - i);
            if (rs == 1) {
                copy(k, n, a, ao + i, ks, to, at + i * k, rows);
            } else {
                transpose(n, k, a, ao + i * rs, rs, to, at + i * k, rows);
            }
        }
    }

    /** The product without an epilogue, of any rows. */
    static void multiply(MicroKernels mk, int m, int n, int k, int from, int to, float[] a, int ao, int rs, int ks,
            float[] packed, int po, float[] c, int co, int ldc, boolean accumulate) {
        multiply(mk, width(mk), 0, m, n, k, from, to, a, ao, rs, ks, packed, po, c, co, ldc, accumulate, Epilogue.NONE);
    }

    /**
     * C[m][columns of the panels] (+)= A[m][k] * B with packed B, then the epilogue; A is packed on the way if that pays.
     *
     * @param width of the panels: that of packing A, or a larger one if A is to be read in place
     * @param row the first row in the eyes of the epilogue
     * @param n columns of the whole B
     * @param from first panel
     * @param to end of the panels (exclusive)
     * @param co where the first row and <em>column 0 of the whole C</em> lie in c
     */
    static void multiply(MicroKernels mk, int width, long row, int m, int n, int k, int from, int to, float[] a, int ao,
            int rs, int ks, float[] packed, int po, float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        if (from >= to) {
            return;
        }
        if (width > width(mk) || (to - from) * width < PACKING_PAYS) {
            multiplyInPlace(mk, width, row, m, n, k, from, to, a, ao, rs, ks, packed, po, c, co, ldc, accumulate,
                    epilogue);
            return;
        }
        int depth = depth(k);
        int slab = Math.min(k, SLAB / depth * depth);
        int rows = Math.min(m, rowsAtOnce(mk));
        try (Scratch left = Scratch.take(rowsSize(mk, rows, slab)); Scratch sums = Scratch.take((long) rows * width(mk))) {
            for (int i = 0; i < m; i += rows) {
                int some = Math.min(rows, m - i);
                for (int k0 = 0; k0 < k; k0 += slab) {
                    int kc = Math.min(slab, k - k0);
                    for (int q = 0; q < kc; q += depth) {
                        packRows(mk, some, Math.min(depth, kc - q), a, ao + i * rs + (k0 + q) * ks, rs, ks, left.data,
                                (int) rowsFloats(mk, some, q));
                    }
                    Epilogue end = k0 + kc == k ? epilogue : Epilogue.NONE;
                    for (int j = from; j < to; j++) {
                        int w = width(mk, n, j);
                        int column = j * width(mk);
                        panel(mk, some, kc, depth, w, Math.min(w, n - column), left.data, packed, po + column * k + k0 * w,
                                sums.data, c, co + i * ldc + column, ldc, accumulate || k0 > 0);
                        end.apply(row + i, some, column, Math.min(w, n - column), c, co + i * ldc + column, ldc);
                    }
                }
            }
        }
    }

    /** Into how deep parts k is cut; sums are made part by part, whatever else the product is cut into. */
    static int depth(int k) {
        int chunks = Math.max(1, (k + DEPTH - 1) / DEPTH);
        return (k + chunks - 1) / chunks;
    }

    /** One panel: the sums over the parts of k stay in a small buffer and only the last part writes to C. */
    private static void panel(MicroKernels mk, int m, int k, int depth, int w, int columns, float[] a, float[] b, int bo,
            float[] sums, float[] c, int co, int ldc, boolean accumulate) {
        int vectors = w / mk.lanes();
        boolean ragged = columns < w;
        for (int q = 0; q < k; q += depth) {
            int kc = Math.min(depth, k - q);
            int at = (int) rowsFloats(mk, m, q);
            boolean first = q == 0;
            boolean last = q + kc == k && !ragged;
            boolean addC = first && accumulate && !ragged;
            mk.packedTiles(m, vectors, kc, a, at, b, bo + q * w, addC ? c : first ? null : sums, addC ? co : Alignment.FIRST,
                    addC ? ldc : w, last ? c : sums, last ? co : Alignment.FIRST, last ? ldc : w);
        }
        if (ragged) {
            store(m, columns, sums, Alignment.FIRST, w, c, co, ldc, accumulate);
        }
    }

    private static void multiplyInPlace(MicroKernels mk, int width, long row, int m, int n, int k, int from, int to,
            float[] a, int ao, int rs, int ks, float[] packed, int po, float[] c, int co, int ldc, boolean accumulate,
            Epilogue epilogue) {
        int depth = depth(k);
        int column = from * width;
        int columns = Math.min(n, to * width) - column;
        for (int i = 0; i < m; i += ROWS_IN_PLACE) {
            int some = Math.min(ROWS_IN_PLACE, m - i);
            for (int k0 = 0; k0 < k; k0 += depth) {
                inPlace(mk, width, some, n, k, k0, Math.min(depth, k - k0), from, to, a, ao + i * rs + k0 * ks, rs, ks,
                        packed, po, c, co + i * ldc, ldc, accumulate || k0 > 0);
            }
            epilogue.apply(row + i, some, column, columns, c, co + i * ldc + column, ldc);
        }
    }

    private static void inPlace(MicroKernels mk, int width, int m, int n, int k, int k0, int kc, int from, int to, float[] a,
            int ao, int rs, int ks, float[] packed, int po, float[] c, int co, int ldc, boolean accumulate) {
        for (int j = from; j < to; j++) {
            int w = Math.min(width, padded(mk, n) - j * width);
            int at = po + j * width * k + k0 * w;
            if (n - j * width >= w) {
                mk.tiles(m, w / mk.lanes(), kc, a, ao, rs, ks, packed, at, w, c, co + j * width, ldc, accumulate);
            } else {
                try (Scratch t = Scratch.take((long) m * w)) {
                    mk.tiles(m, w / mk.lanes(), kc, a, ao, rs, ks, packed, at, w, t.data, Alignment.FIRST, w, false);
                    store(m, n - j * width, t.data, Alignment.FIRST, w, c, co + j * width, ldc, accumulate);
                }
            }
        }
    }

    /** Copies or adds the columns of a last panel that ends inside a vector. */
    private static void store(int m, int columns, float[] t, int at, int w, float[] c, int co, int ldc, boolean accumulate) {
        for (int i = 0; i < m; i++) {
            int to = co + i * ldc;
            if (accumulate) {
                for (int j = 0; j < columns; j++) {
                    c[to + j] += t[at + i * w + j];
                }
            } else {
                System.arraycopy(t, at + i * w, c, to, columns);
            }
        }
    }
}
