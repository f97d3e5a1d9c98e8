package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * C[m][n] (+)= A' * B with a long inner dimension k and a small C, as in weight gradients. k is cut into parts, each
 * part sums into its own copy of C and the copies are added in order, so the bits do not depend on the threads.
 */
final class LongProduct {
    private static final int DEPTH = 128;
    private static final int COLUMNS = 256;
    private static final int TASKS = 32;
    private static final int PART_MIN = 1024;
    private static final long COPIES_LIMIT = 4L << 20;

    /** Delivers rows of B. */
    @FunctionalInterface
    interface Source {
        /** Writes B[k0..k1][c0..c1] to {@code to[at + (k - k0)*ld + (c - c0)]}. */
        void fill(int k0, int k1, int c0, int c1, float[] to, int at, int ld);
    }

    private LongProduct() {}

    /** A(i, kk) lies at {@code a[ao + i*rs + kk*ks]}. */
    static void run(MicroKernels mk, int m, int n, int k, float[] a, int ao, int rs, int ks, Source b,
            float[] c, int co, int ldc, boolean accumulate) {
        int width = Panels.tileWidth(mk);
        int groups = (n + COLUMNS - 1) / COLUMNS;
        int panels = Panels.tileCount(mk, n);
        int group = (panels + groups - 1) / groups * width;
        int parts = parts(m, n, k, groups);
        int ld = Panels.padded(mk, n);
        if (parts == 1 && ld == n) {
            WorkerPool.shared().run(groups, g -> part(mk, m, 0, k, g * group, Math.min(n, g * group + group), n,
                    a, ao, rs, ks, b, c, co, ldc, accumulate));
            return;
        }
        try (Scratch copies = Scratch.take((long) parts * m * ld)) {
            float[] sum = copies.data;
            WorkerPool.shared().run(parts * groups, task -> {
                int p = task / groups;
                int g = task % groups;
                int k0 = (int) ((long) k * p / parts);
                int k1 = (int) ((long) k * (p + 1) / parts);
                part(mk, m, k0, k1, g * group, Math.min(n, g * group + group), n, a, ao, rs, ks, b,
                        sum, p * m * ld, ld, false);
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

    private static int parts(int m, int n, int k, int groups) {
        long most = Math.min(COPIES_LIMIT / Math.max(1L, (long) m * n), k / PART_MIN);
        return (int) Math.max(1, Math.min(most, (TASKS + groups - 1) / groups));
    }

    private static void part(MicroKernels mk, int m, int kFrom, int kTo, int cFrom, int cTo, int n, float[] a, int ao,
            int rs, int ks, Source b, float[] c, int co, int ldc, boolean accumulate) {
        if (cFrom >= cTo) {
            return;
        }
        int columns = Panels.padded(mk, cTo - cFrom);
        int ld = columns % 256 == 0 ? columns + 16 : columns; // rows 1 KB apart would share a few cache sets
        try (Scratch space = Scratch.take((long) DEPTH * ld)) {
            float[] t = space.data;
            for (int k0 = kFrom; k0 < kTo; k0 += DEPTH) {
                int kc = Math.min(DEPTH, kTo - k0);
                b.fill(k0, k0 + kc, cFrom, cTo, t, 0, ld);
                if (columns > cTo - cFrom) {
                    for (int i = 0; i < kc; i++) {
                        Arrays.fill(t, i * ld + cTo - cFrom, i * ld + columns, 0f);
                    }
                }
                for (int at = 0; at < columns; at += Panels.tileWidth(mk)) {
                    int vectors = Math.min(mk.tileVectors(), (columns - at) / mk.lanes());
                    mk.tiles(m, vectors, kc, a, ao + k0 * ks, rs, ks, t, at, ld, c, co + cFrom + at, ldc,
                            accumulate || k0 > kFrom);
                }
            }
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
