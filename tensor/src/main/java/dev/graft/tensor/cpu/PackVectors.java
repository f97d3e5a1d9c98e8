package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** Copies and transposes matrices into packed operands with the Vector API: reached only if {@link Simd#ENABLED}. */
final class PackVectors {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    // Stage s of a transpose exchanges the lanes whose number has bit s between two rows that are s apart.
    private static final VectorShuffle<Float> X1 = exchange(1), X2 = exchange(2), X4 = exchange(4), X8 = exchange(8);
    private static final VectorMask<Float> M1 = lanes(1), M2 = lanes(2), M4 = lanes(4), M8 = lanes(8);

    private static final VectorMask<Float> ALL = S.maskAll(true);

    private PackVectors() {}

    private static VectorShuffle<Float> exchange(int s) {
        return VectorShuffle.fromOp(S, i -> (i ^ s) & (L - 1));
    }

    private static VectorMask<Float> lanes(int s) {
        long bits = 0;
        for (int i = 0; i < L; i++) {
            bits |= (i & s) != 0 ? 1L << i : 0;
        }
        return VectorMask.fromLong(S, bits);
    }

    /**
     * to[at + i*w + j] = b[bo + i*ks + j] for i below {@code k} and j below {@code n}, at most two vectors. Whole vectors
     * are written in the order of i: what they write behind the n-th value is arbitrary.
     */
    static void copy(int k, int n, float[] b, int bo, int ks, float[] to, int at, int w) {
        int whole = (n + L - 1) / L * L;
        int safe = k;
        while (safe > 0 && (bo + (safe - 1) * ks + whole > b.length || at + (safe - 1) * w + whole > to.length)) {
            safe--;
        }
        if (whole == L) {
            copy1(safe, b, bo, ks, to, at, w);
        } else if (whole == 2 * L) {
            copy2(safe, b, bo, ks, to, at, w);
        } else {
            safe = 0;
        }
        for (int i = safe; i < k; i++) {
            System.arraycopy(b, bo + i * ks, to, at + i * w, n);
        }
    }

    private static void copy1(int k, float[] b, int bo, int ks, float[] to, int at, int w) {
        for (int i = 0; i < k; i++) {
            FloatVector.fromArray(S, b, bo + i * ks).intoArray(to, at + i * w);
        }
    }

    private static void copy2(int k, float[] b, int bo, int ks, float[] to, int at, int w) {
        for (int i = 0; i < k; i++) {
            FloatVector.fromArray(S, b, bo + i * ks).intoArray(to, at + i * w);
            FloatVector.fromArray(S, b, bo + i * ks + L).intoArray(to, at + i * w + L);
        }
    }

    /**
     * to[at + i*w + r] = a[ao + r*rs + i] for r below {@code rows} and i below {@code k}; what it writes behind the last
     * row, up to w, is arbitrary.
     */
    static void transpose(int rows, int k, float[] a, int ao, int rs, float[] to, int at, int w) {
        float[] t = new float[L * L];
        int whole = k / L * L;
        for (int r = 0; r < rows; r += L) {
            int n = Math.min(L, rows - r);
            int from = ao + r * rs;
            VectorMask<Float> part = VectorMask.fromLong(S, (1L << Math.min(L, w - r)) - 1);
            for (int i = 0; i < whole; i += L) {
                block(n, a, from + i, rs, t, to, at + i * w + r, w, part);
            }
            for (int i = whole; i < k; i++) {
                for (int j = 0; j < n; j++) {
                    to[at + i * w + r + j] = a[from + j * rs + i];
                }
            }
        }
    }

    /** to[at + c*ts + r] = b[bo + r*bs + c] for r and c below the vector length; {@code t} holds that many rows. */
    static void transposeSquare(float[] b, int bo, int bs, float[] to, int at, int ts, float[] t) {
        block(L, b, bo, bs, t, to, at, ts, ALL);
    }

    private static void block(int n, float[] a, int ao, int rs, float[] t, float[] to, int at, int w,
            VectorMask<Float> part) {
        int last = ao + (n - 1) * rs;
        for (int r = 0; r < L; r += 4) {
            int p = ao + r * rs;
            near(a, Math.min(p, last), Math.min(p + rs, last), Math.min(p + 2 * rs, last), Math.min(p + 3 * rs, last),
                    t, r * L);
        }
        if (L == 16) {
            for (int r = 0; r < 4; r++) {
                far16(t, r * L, to, at + r * w, w, part);
            }
        } else if (L == 8) {
            for (int r = 0; r < 4; r++) {
                far8(t, r * L, to, at + r * w, w, part);
            }
        } else {
            for (int r = 0; r < L; r++) {
                FloatVector.fromArray(S, t, r * L).intoArray(to, at + r * w, part);
            }
        }
    }

    /** Stages 1 and 2 of four rows. */
    private static void near(float[] a, int a0, int a1, int a2, int a3, float[] t, int to) {
        FloatVector v0 = FloatVector.fromArray(S, a, a0), v1 = FloatVector.fromArray(S, a, a1);
        FloatVector v2 = FloatVector.fromArray(S, a, a2), v3 = FloatVector.fromArray(S, a, a3);
        FloatVector w0 = v0.blend(v1.rearrange(X1), M1), w1 = v0.rearrange(X1).blend(v1, M1);
        FloatVector w2 = v2.blend(v3.rearrange(X1), M1), w3 = v2.rearrange(X1).blend(v3, M1);
        w0.blend(w2.rearrange(X2), M2).intoArray(t, to);
        w1.blend(w3.rearrange(X2), M2).intoArray(t, to + L);
        w0.rearrange(X2).blend(w2, M2).intoArray(t, to + 2 * L);
        w1.rearrange(X2).blend(w3, M2).intoArray(t, to + 3 * L);
    }

    /** Stages 4 and 8 of rows r, r + 4, r + 8, r + 12. */
    private static void far16(float[] t, int from, float[] to, int at, int w, VectorMask<Float> part) {
        FloatVector v0 = FloatVector.fromArray(S, t, from), v1 = FloatVector.fromArray(S, t, from + 4 * L);
        FloatVector v2 = FloatVector.fromArray(S, t, from + 8 * L), v3 = FloatVector.fromArray(S, t, from + 12 * L);
        FloatVector w0 = v0.blend(v1.rearrange(X4), M4), w1 = v0.rearrange(X4).blend(v1, M4);
        FloatVector w2 = v2.blend(v3.rearrange(X4), M4), w3 = v2.rearrange(X4).blend(v3, M4);
        w0.blend(w2.rearrange(X8), M8).intoArray(to, at, part);
        w1.blend(w3.rearrange(X8), M8).intoArray(to, at + 4 * w, part);
        w0.rearrange(X8).blend(w2, M8).intoArray(to, at + 8 * w, part);
        w1.rearrange(X8).blend(w3, M8).intoArray(to, at + 12 * w, part);
    }

    /** Stage 4 of rows r and r + 4. */
    private static void far8(float[] t, int from, float[] to, int at, int w, VectorMask<Float> part) {
        FloatVector v0 = FloatVector.fromArray(S, t, from), v1 = FloatVector.fromArray(S, t, from + 4 * L);
        v0.blend(v1.rearrange(X4), M4).intoArray(to, at, part);
        v0.rearrange(X4).blend(v1, M4).intoArray(to, at + 4 * w, part);
    }
}
