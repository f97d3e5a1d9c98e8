package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Cuts rows into strips with the Vector API: reached only if {@link Simd#ENABLED}. Rows are read from begin to end, as they
 * come from memory; a strip at a time would read a line of the cache here and there.
 */
final class RowPacking {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    private RowPacking() {}

    /**
     * Columns j of {@code rows} rows go to strip j / w: to[at + j/w*w*rows + i*w + j%w] = b[bo + i*ld + j] for j below
     * {@code n}. The rest of the last strip becomes arbitrary.
     *
     * @param ld at least n
     */
    static void cut(int rows, int n, int w, float[] b, int bo, int ld, float[] to, int at) {
        int end = bo + (n - 1) / w * w + (w <= L ? L : 2 * L); // of what whole vectors read of the first row
        int safe = rows - 1;
        while (safe > 0 && end + (safe - 1) * ld > b.length) {
            safe--;
        }
        for (int i = 0; i < safe; i++) { // what a vector writes too much the next row overwrites
            if (w <= L) {
                cut1(n, w, b, bo + i * ld, to, at + i * w, rows * w);
            } else {
                cut2(n, w, b, bo + i * ld, to, at + i * w, rows * w);
            }
        }
        for (int i = safe; i < rows; i++) {
            for (int j = 0; j < n; j += w) {
                System.arraycopy(b, bo + i * ld + j, to, at + j * rows + i * w, Math.min(w, n - j));
            }
        }
    }

    /** The same for strips of two vectors that are {@code strip} floats apart, of which n is a multiple. */
    static void cutWhole(int rows, int n, float[] b, int bo, int ld, float[] to, int at, int strip) {
        for (int i = 0; i < rows; i++) {
            cut2(n, 2 * L, b, bo + i * ld, to, at + i * 2 * L, strip);
        }
    }

    private static void cut1(int n, int w, float[] b, int bo, float[] to, int at, int strip) {
        for (int j = 0, d = at; j < n; j += w, d += strip) {
            FloatVector.fromArray(S, b, bo + j).intoArray(to, d);
        }
    }

    private static void cut2(int n, int w, float[] b, int bo, float[] to, int at, int strip) {
        for (int j = 0, d = at; j < n; j += w, d += strip) {
            FloatVector.fromArray(S, b, bo + j).intoArray(to, d);
            FloatVector.fromArray(S, b, bo + j + L).intoArray(to, d + L);
        }
    }
}
