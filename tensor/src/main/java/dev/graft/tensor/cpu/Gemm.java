package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;
import java.util.Arrays;

/**
 * Matrix products C = op(A) * op(B) (+ C) on row-major {@code float[]} with offsets and leading dimensions. B is packed as a
 * whole, A block by block by the task that uses it, and only where that pays (Goto and van de Geijn, "Anatomy of
 * High-Performance Matrix Multiplication", 2008, with the roles of the operands exchanged for row-major arrays).
 */
final class Gemm {
    private static final int GROUP = 4096; // columns for which A is packed once
    private static final int NARROW = 1024; // and where its rows alone make too few tasks
    private static final int TASKS = 16;
    private static final long TASK_MIN = 1L << 19; // multiply-adds that are worth handing to another thread
    private static final long PACKED_LIMIT = 8L << 20;
    private static final int FEW_ROWS = 12; // up to which dot products beat packing; bands are made of so many
    // Up to which B is used too few times to be worth packing, found by measuring (docs/decisions/vector-kernels.md).
    private static final int UNPACKED_ROWS = 192;
    private static final int UNPACKED_ROWS_OF_SHORT_VECTORS = 48;
    private static final int BAND_ROWS = 24; // rows that read a panel from memory, at least
    private static final int LONG = 4096;

    private Gemm() {}

    /** C[m][n] = op(A)[m][k] * op(B)[k][n], without an epilogue. */
    public static void multiply(boolean transA, boolean transB, int m, int n, int k, float[] a, int ao, int lda,
            float[] b, int bo, int ldb, float[] c, int co, int ldc, boolean accumulate) {
        multiply(transA, transB, m, n, k, a, ao, lda, b, bo, ldb, c, co, ldc, accumulate, Epilogue.NONE);
    }

    /**
     * C[m][n] = op(A)[m][k] * op(B)[k][n] (+ C if {@code accumulate}), then the epilogue. Sizes may be 0; with k = 0 the
     * product is zero. C must not overlap A or B.
     *
     * @param transA A is stored as [k][lda] instead of [m][lda]
     * @param transB B is stored as [n][ldb] instead of [k][ldb]
     * @throws GraftException if a matrix reaches beyond its array or a leading dimension is smaller than a row
     */
    public static void multiply(boolean transA, boolean transB, int m, int n, int k, float[] a, int ao, int lda,
            float[] b, int bo, int ldb, float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        multiply(CpuFeatures.kernels(), transA, transB, m, n, k, a, ao, lda, b, bo, ldb, c, co, ldc, accumulate, epilogue);
    }

    static void multiply(MicroKernels mk, boolean transA, boolean transB, int m, int n, int k, float[] a, int ao, int lda,
            float[] b, int bo, int ldb, float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        check("A", a, ao, transA ? k : m, transA ? m : k, lda);
        check("B", b, bo, transB ? n : k, transB ? k : n, ldb);
        check("C", c, co, m, n, ldc);
        if (m == 0 || n == 0) {
            return;
        }
        int rs = transA ? 1 : lda;
        int ks = transA ? lda : 1;
        int bks = transB ? 1 : ldb;
        int bcs = transB ? ldb : 1;
        if (k == 0) {
            clear(m, n, c, co, ldc, accumulate);
            epilogue.apply(0, m, 0, n, c, co, ldc);
        } else if (transB && !transA && m <= FEW_ROWS) {
            dots(mk, m, n, k, a, ao, lda, b, bo, ldb, c, co, ldc, accumulate, epilogue);
        } else if (n == 1 && ldc == 1 && !transA && bks == 1) { // matrix times vector: dot products with the rows of A
            dots(mk, 1, m, k, b, bo, k, a, ao, lda, c, co, m, accumulate, Epilogue.NONE);
            epilogue.apply(0, m, 0, 1, c, co, 1);
        } else if (!transB && (m <= FEW_ROWS || m <= unpackedRows(mk) && !isLong(m, n, k))) {
            unpacked(mk, m, n, k, a, ao, rs, ks, b, bo, ldb, c, co, ldc, accumulate, epilogue);
        } else if (isLong(m, n, k)) {
            LongProduct.run(mk, m, n, k, a, ao, rs, ks,
                    new LongProduct.Matrix(b, bo, bks, bcs), c, co, ldc, accumulate);
            applyAll(m, n, c, co, ldc, epilogue);
        } else {
            packed(mk, m, n, k, a, ao, rs, ks, b, bo, bks, bcs, c, co, ldc, accumulate, epilogue);
        }
    }

    /**
     * {@code batch} products; matrix i of an operand begins {@code i * stride} floats after its offset. A stride of 0
     * uses the same matrix for all (A and B only).
     */
    public static void batched(boolean transA, boolean transB, int batch, int m, int n, int k,
            float[] a, int ao, int lda, int strideA, float[] b, int bo, int ldb, int strideB,
            float[] c, int co, int ldc, int strideC, boolean accumulate) {
        batched(CpuFeatures.kernels(), transA, transB, batch, m, n, k, a, ao, lda, strideA, b, bo, ldb, strideB, c, co, ldc,
                strideC, accumulate);
    }

    static void batched(MicroKernels mk, boolean transA, boolean transB, int batch, int m, int n, int k,
            float[] a, int ao, int lda, int strideA, float[] b, int bo, int ldb, int strideB,
            float[] c, int co, int ldc, int strideC, boolean accumulate) {
        if (batch > 1 && strideB == 0 && !transA && strideA == m * lda && strideC == m * ldc) {
            multiply(mk, transA, transB, Math.multiplyExact(batch, m), n, k, a, ao, lda, b, bo, ldb, c, co, ldc, accumulate,
                    Epilogue.NONE);
            return;
        }
        if (batch > 1 && strideC == 0) {
            throw new GraftException("gemm: the results of a batch of " + batch + " products share one place (stride 0);"
                    + " give C a stride of at least " + (long) m * ldc);
        }
        long work = (long) m * n * k;
        if (batch < 4 || work > 64L * TASK_MIN) {
            for (int i = 0; i < batch; i++) { // few or large products: parallel inside each
                multiply(mk, transA, transB, m, n, k, a, ao + i * strideA, lda, b, bo + i * strideB, ldb,
                        c, co + i * strideC, ldc, accumulate, Epilogue.NONE);
            }
            return;
        }
        int chunk = (int) Math.max(1, Math.min(batch, TASK_MIN / Math.max(1, work)));
        WorkerPool.shared().ranges(batch, chunk, (from, to) -> {
            for (int i = from; i < to; i++) { // the loops inside run in this thread
                multiply(mk, transA, transB, m, n, k, a, ao + i * strideA, lda, b, bo + i * strideB, ldb,
                        c, co + i * strideC, ldc, accumulate, Epilogue.NONE);
            }
        });
    }

    /**
     * The product with an operand that {@link #pack} prepared with the same width: C[m][n] = A[m][k] * B (+ C), then the
     * epilogue.
     */
    static void multiplyPacked(MicroKernels mk, int width, int m, int n, int k, float[] a, int ao, int rs, int ks,
            float[] packed, int po, float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        int panels = (n + width - 1) / width;
        int rows = Panels.rows(mk, width);
        int tiles = (m + rows - 1) / rows;
        // Equal tasks, cut by the problem alone. A is packed once per group of columns, and B is read once per block of
        // rows, so groups are wide and blocks are high; an even number of blocks keeps two threads busy to the end.
        int groups = (n + GROUP - 1) / GROUP;
        int blocks = (tiles * rows + Panels.rowsAtOnce(mk) - 1) / Panels.rowsAtOnce(mk);
        long wanted = Math.min(TASKS, (long) m * n * k / TASK_MIN + 1);
        if (4L * blocks * groups < 3 * wanted) {
            groups = (int) Math.min((n + NARROW - 1) / NARROW, (wanted + blocks - 1) / blocks);
            blocks = (int) Math.max(blocks, Math.min(tiles, (wanted + groups - 1) / groups));
            groups = (int) Math.max(groups, Math.min(panels, (wanted + blocks - 1) / blocks));
        }
        blocks += blocks % 2 == 1 && blocks > 1 && blocks < tiles && groups == 1 ? 1 : 0;
        int columns = groups;
        int bands = blocks;
        WorkerPool.shared().run(bands * columns, task -> {
            int g = task % columns;
            int from = (int) ((long) panels * g / columns);
            int to = (int) ((long) panels * (g + 1) / columns);
            int block = task / columns;
            int i = (int) ((long) tiles * block / bands) * rows;
            int some = Math.min(m, (int) ((long) tiles * (block + 1) / bands) * rows) - i;
            Panels.multiply(mk, width, i, some, n, k, from, to, a, ao + i * rs, rs, ks, packed, po, c, co + i * ldc, ldc,
                    accumulate, epilogue);
        });
    }

    /** Packs B[k][n] in panels of {@link Panels#width(MicroKernels)} columns. */
    static void pack(MicroKernels mk, int k, int n, float[] b, int bo, int ks, int cs, float[] packed, int po) {
        pack(mk, Panels.width(mk), k, n, b, bo, ks, cs, packed, po);
    }

    /** Packs B[k][n], whose element (i, j) lies at {@code b[bo + i*ks + j*cs]}, in panels of {@code width}, in parallel. */
    static void pack(MicroKernels mk, int width, int k, int n, float[] b, int bo, int ks, int cs, float[] packed, int po) {
        int panels = (n + width - 1) / width;
        int chunk = (int) Math.max(1, (1 << 15) / Math.max(1, (long) k * width));
        WorkerPool.shared().ranges(panels, chunk, (from, to) -> {
            for (int j = from; j < to; j++) {
                Panels.pack(mk, width, j, k, n, b, bo, ks, cs, packed, po);
            }
        });
    }

    private static void packed(MicroKernels mk, int m, int n, int k, float[] a, int ao, int rs, int ks, float[] b, int bo,
            int bks, int bcs, float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        int slab = slab(mk, n, k);
        try (Scratch space = Scratch.take((long) Math.min(slab, k) * Panels.padded(mk, n))) {
            for (int k0 = 0; k0 < k; k0 += slab) {
                int kc = Math.min(slab, k - k0);
                int width = ks == 1 ? Panels.productWidth(mk, kc, n) : Panels.width(mk);
                pack(mk, width, kc, n, b, bo + k0 * bks, bks, bcs, space.data, Alignment.FIRST);
                multiplyPacked(mk, width, m, n, kc, a, ao + k0 * ks, rs, ks, space.data, Alignment.FIRST, c, co, ldc,
                        accumulate || k0 > 0, k0 + kc == k ? epilogue : Epilogue.NONE);
            }
        }
    }

    /** Rows of B that are packed and multiplied at a time, so that the buffer stays bounded. */
    private static int slab(MicroKernels mk, int n, int k) {
        return (int) Math.max(256, Math.min(k, PACKED_LIMIT / Panels.padded(mk, n)));
    }

    /** Whether {@link #multiply} packs B and A is not transposed: then {@link #multiplyKept} gives the same bits. */
    static boolean packs(MicroKernels mk, boolean transB, int m, int n, int k) {
        return m > (transB ? FEW_ROWS : unpackedRows(mk)) && n > 1 && k > 0 && !isLong(m, n, k);
    }

    private static int unpackedRows(MicroKernels mk) {
        return mk.lanes() >= 16 ? UNPACKED_ROWS : UNPACKED_ROWS_OF_SHORT_VECTORS;
    }

    /** Few long sums: cut along k, or most threads would have nothing to do. */
    private static boolean isLong(int m, int n, int k) {
        return k >= LONG && (long) m * n <= (long) k * 64;
    }

    /** Packs all of op(B)[k][n] for {@link #multiplyKept}. */
    static void packAll(MicroKernels mk, boolean transB, int n, int k, float[] b, int bo, int ldb, float[] to) {
        int slab = slab(mk, n, k);
        int width = Panels.padded(mk, n);
        for (int k0 = 0; k0 < k; k0 += slab) {
            int kc = Math.min(slab, k - k0);
            pack(mk, Panels.productWidth(mk, kc, n), kc, n, b, bo + k0 * (transB ? 1 : ldb), transB ? 1 : ldb,
                    transB ? ldb : 1, to, Alignment.FIRST + k0 * width);
        }
    }

    /** C[m][n] = epilogue(A[m][k] * B) with B from {@link #packAll}. */
    static void multiplyKept(MicroKernels mk, int m, int n, int k, float[] a, int ao, int lda, float[] b, float[] c, int co,
            int ldc, Epilogue epilogue) {
        check("A", a, ao, m, k, lda);
        check("C", c, co, m, n, ldc);
        int slab = slab(mk, n, k);
        int width = Panels.padded(mk, n);
        for (int k0 = 0; k0 < k; k0 += slab) {
            int kc = Math.min(slab, k - k0);
            multiplyPacked(mk, Panels.productWidth(mk, kc, n), m, n, kc, a, ao + k0, lda, 1, b, Alignment.FIRST + k0 * width,
                    c, co, ldc, k0 > 0, k0 + kc == k ? epilogue : Epilogue.NONE);
        }
    }

    /** Few rows: packing would cost more than it gains, so B is read in place; only a ragged end is packed. */
    private static void unpacked(MicroKernels mk, int m, int n, int k, float[] a, int ao, int rs, int ks, float[] b, int bo,
            int ldb, float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        int width = mk.tileVectors() * mk.lanes();
        int panels = (n + width - 1) / width;
        int tiles = (m + FEW_ROWS - 1) / FEW_ROWS;
        int bands = Math.clamp((TASKS + panels - 1) / panels, 1, Math.max(1, m / BAND_ROWS));
        int chunk = (int) Math.max(1, TASK_MIN / ((long) m / bands * k * width));
        WorkerPool.shared().ranges(panels * bands, chunk, (from, to) -> {
            for (int t = from; t < to; t++) {
                int column = t / bands * width;
                int i = tiles * (t % bands) / bands * FEW_ROWS;
                int rows = Math.min(m, tiles * (t % bands + 1) / bands * FEW_ROWS) - i;
                int columns = Math.min(width, n - column);
                unpackedPanel(mk, rows, columns, k, a, ao + i * rs, rs, ks, b, bo + column, ldb, c, co + i * ldc + column,
                        ldc, accumulate);
                epilogue.apply(i, rows, column, columns, c, co + i * ldc + column, ldc);
            }
        });
    }

    private static void unpackedPanel(MicroKernels mk, int m, int columns, int k, float[] a, int ao, int rs, int ks,
            float[] b, int bo, int ldb, float[] c, int co, int ldc, boolean accumulate) {
        int lanes = mk.lanes();
        int vectors = columns / lanes;
        int depth = Panels.depth(k);
        for (int k0 = 0; k0 < k && vectors > 0; k0 += depth) {
            mk.tiles(m, vectors, Math.min(depth, k - k0), a, ao + k0 * ks, rs, ks, b, bo + k0 * ldb, ldb, c, co, ldc,
                    accumulate || k0 > 0);
        }
        int done = vectors * lanes;
        if (done < columns) {
            try (Scratch space = Scratch.take((long) k * lanes)) {
                Panels.pack(k, columns - done, lanes, b, bo + done, ldb, 1, space.data, 0);
                Panels.multiply(mk, m, columns - done, k, 0, 1, a, ao, rs, ks, space.data, 0, c, co + done, ldc, accumulate);
            }
        }
    }

    private static void dots(MicroKernels mk, int m, int n, int k, float[] a, int ao, int lda, float[] b, int bo, int ldb,
            float[] c, int co, int ldc, boolean accumulate, Epilogue epilogue) {
        int chunk = (int) Math.max(16, TASK_MIN / 4 / ((long) m * k) / 16 * 16);
        WorkerPool.shared().ranges(n, chunk, (from, to) -> {
            for (int i = 0; i < m; i++) {
                mk.dots(to - from, k, a, ao + i * lda, b, bo + from * ldb, ldb, c, co + i * ldc + from, accumulate);
            }
            epilogue.apply(0, m, from, to - from, c, co + from, ldc);
        });
    }

    private static void clear(int m, int n, float[] c, int co, int ldc, boolean accumulate) {
        if (!accumulate) {
            for (int i = 0; i < m; i++) {
                Arrays.fill(c, co + i * ldc, co + i * ldc + n, 0f);
            }
        }
    }

    private static void applyAll(int m, int n, float[] c, int co, int ldc, Epilogue epilogue) {
        if (!epilogue.none()) {
            WorkerPool.shared().ranges(m, Math.max(1, (1 << 15) / n),
                    (from, to) -> epilogue.apply(from, to - from, 0, n, c, co + from * ldc, ldc));
        }
    }

    private static void check(String name, float[] x, int offset, int rows, int columns, int ld) {
        if (rows < 0 || columns < 0) {
            throw new GraftException("gemm: " + name + " is [" + rows + ", " + columns + "]; sizes must not be negative");
        }
        if (rows == 0 || columns == 0) {
            return;
        }
        if (ld < columns && rows > 1) {
            throw new GraftException("gemm: rows of " + name + " have " + columns + " values but are only " + ld
                    + " apart; give a leading dimension of at least " + columns);
        }
        long end = offset + (rows - 1L) * ld + columns;
        if (offset < 0 || end > x.length) {
            throw new GraftException("gemm: " + name + " [" + rows + ", " + columns + "] from offset " + offset
                    + " with leading dimension " + ld + " ends at " + end + ", its array has " + x.length + " values");
        }
    }
}
