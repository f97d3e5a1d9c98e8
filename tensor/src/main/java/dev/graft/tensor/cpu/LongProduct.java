package dev.graft.tensor.cpu;

/**
 * C[m][n] (+)= A * B with a long inner dimension k and a small C, as in weight gradients. k is cut into parts, each
 * part sums into its own copy of C and the copies are added in order, so the bits do not depend on the threads.
 */
final class LongProduct {
    private static final int DEPTH = 256;   // rows of B that are packed at a time: one panel of them stays in L1
    private static final int COLUMNS = 256; // of B and rows of C in a task: with its operands they stay in L2
    private static final int ROWS = 280;    // a multiple of the rows of the large tiles
    private static final int TASKS = 32;
    private static final int PART_MIN = 1024;
    private static final long COPIES_LIMIT = 4L << 20;

    /** Delivers rows of B. */
    @FunctionalInterface
    interface Source {
        /** Writes B[k0..k1][c0..c1] to {@code to[at + (k - k0)*ld + (c - c0)]}. */
        void fill(int k0, int k1, int c0, int c1, float[] to, int at, int ld);

        /** Writes them as whole panels of {@code width} columns if that is possible without another copy. */
        default boolean panels(int k0, int k1, int c0, int c1, int width, float[] to) {
            return false;
        }
    }

    /** Element (k, c) of B lies at {@code b[bo + k*ks + c*cs]}; one of the strides is 1. */
    record Matrix(float[] b, int bo, int ks, int cs) implements Source {
        @Override
        public void fill(int k0, int k1, int c0, int c1, float[] to, int at, int ld) {
            Panels.pack(k1 - k0, c1 - c0, ld, b, bo + k0 * ks + c0 * cs, ks, cs, to, at);
        }
    }

    private final MicroKernels mk;
    private final int rs, ks;
    private final float[] a;
    private final int ao;
    private final Source b;

    private LongProduct(MicroKernels mk, float[] a, int ao, int rs, int ks, Source b) {
        this.mk = mk;
        this.a = a;
        this.ao = ao;
        this.rs = rs;
        this.ks = ks;
        this.b = b;
    }

    /** A(i, kk) lies at {@code a[ao + i*rs + kk*ks]}. */
    static void run(MicroKernels mk, int m, int n, int k, float[] a, int ao, int rs, int ks, Source b,
            float[] c, int co, int ldc, boolean accumulate) {
        LongProduct product = new LongProduct(mk, a, ao, rs, ks, b);
        int groups = (n + COLUMNS - 1) / COLUMNS;
        int panels = Panels.count(mk, n);
        int group = (panels + groups - 1) / groups * Panels.width(mk);
        int tiles = (m + mk.tileRows() - 1) / mk.tileRows();
        int bands = (m + ROWS - 1) / ROWS;
        int band = (tiles + bands - 1) / bands * mk.tileRows();
        int areas = groups * bands;
        int parts = parts(m, n, k, areas);
        int ld = Panels.padded(mk, n);
        if (parts == 1 && ld == n) {
            WorkerPool.shared().run(areas, area -> {
                int i = area / groups * band;
                int j = area % groups * group;
                product.part(i, Math.min(m, i + band), 0, k, j, Math.min(n, j + group), c, co, ldc, accumulate);
            });
            return;
        }
        try (Scratch copies = Scratch.take((long) parts * m * ld)) {
            float[] sum = copies.data;
            WorkerPool.shared().run(parts * areas, task -> {
                int p = task / areas;
                int i = task % areas / groups * band;
                int j = task % groups * group;
                int k0 = (int) ((long) k * p / parts);
                int k1 = (int) ((long) k * (p + 1) / parts);
                product.part(i, Math.min(m, i + band), k0, k1, j, Math.min(n, j + group), sum, p * m * ld, ld, false);
            });
            WorkerPool.shared().ranges(m, Math.max(1, (1 << 16) / (parts * ld)), (from, to) -> {
                for (int i = from; i < to; i++) {
                    for (int p = 0; p < parts; p++) {
                        addRow(n, sum, (p * m + i) * ld, c, co + i * ldc, accumulate || p > 0);
                    }
                }
            });
        }
    }

    private static int parts(int m, int n, int k, int areas) {
        long most = Math.min(COPIES_LIMIT / Math.max(1L, (long) m * n), k / PART_MIN);
        return (int) Math.max(1, Math.min(most, (TASKS + areas - 1) / areas));
    }

    /** The sums over {@code kFrom..kTo} for rows from {@code i} and columns from {@code j}; C is all of it. */
    private void part(int i, int iEnd, int kFrom, int kTo, int j, int jEnd, float[] c, int co, int ldc, boolean accumulate) {
        if (i >= iEnd || j >= jEnd) {
            return;
        }
        int chunks = (kTo - kFrom + DEPTH - 1) / DEPTH;
        int depth = (kTo - kFrom + chunks - 1) / chunks;
        int columns = Panels.padded(mk, jEnd - j);
        int width = Panels.width(mk);
        try (Scratch left = Scratch.take(Panels.rowsSize(mk, iEnd - i, depth));
                Scratch right = Scratch.take((long) depth * columns);
                Scratch rows = Scratch.take((long) depth * columns)) {
            for (int k = kFrom; k < kTo; k += depth) {
                int kc = Math.min(depth, kTo - k);
                if (rs == 1 && cuts(mk.tileRows(), kc)) {
                    RowPacking.cut(kc, iEnd - i, mk.tileRows(), a, ao + i + k * ks, ks, left.data, 0);
                } else {
                    Panels.packRows(mk, iEnd - i, kc, a, ao + i * rs + k * ks, rs, ks, left.data, 0);
                }
                pack(k, kc, j, jEnd, rows.data, right.data);
                boolean add = accumulate || k > kFrom;
                for (int q = 0; q < columns; q += width) {
                    int to = co + i * ldc + j + q;
                    mk.packedTiles(iEnd - i, Math.min(width, columns - q) / mk.lanes(), kc, left.data, 0, right.data, q * kc,
                            add ? c : null, to, ldc, c, to, ldc);
                }
            }
        }
    }

    private static boolean cuts(int width, int rows) {
        return Simd.ENABLED && width <= 2 * VectorKernels.L && rows > 1;
    }

    /** Panels of B, one after the other, filled up with zeros. */
    private void pack(int k, int kc, int j, int jEnd, float[] rows, float[] to) {
        int n = jEnd - j;
        int columns = Panels.padded(mk, n);
        if (b instanceof Matrix x && x.cs == 1) {
            pack(kc, n, columns, x.b, x.bo + k * x.ks + j, x.ks, to);
        } else if (!cuts(Panels.width(mk), kc) || !b.panels(k, k + kc, j, jEnd, Panels.width(mk), to)) {
            b.fill(k, k + kc, j, jEnd, rows, 0, n);
            pack(kc, n, columns, rows, 0, n, to);
        }
    }

    private void pack(int kc, int n, int columns, float[] x, int xo, int ld, float[] to) {
        int width = Panels.width(mk);
        int whole = cuts(width, kc) ? n / width * width : 0;
        if (whole > 0) {
            RowPacking.cut(kc, whole, width, x, xo, ld, to, 0);
        }
        for (int q = whole; q < n; q += width) {
            Panels.pack(kc, Math.min(width, n - q), Math.min(width, columns - q), x, xo + q, ld, 1, to, q * kc);
        }
    }

    private static void addRow(int n, float[] x, int xo, float[] c, int co, boolean accumulate) {
        if (!accumulate) {
            System.arraycopy(x, xo, c, co, n);
            return;
        }
        for (int j = 0; j < n; j++) {
            c[co + j] += x[xo + j];
        }
    }
}
