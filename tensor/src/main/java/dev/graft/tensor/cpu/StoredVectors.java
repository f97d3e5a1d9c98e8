package dev.graft.tensor.cpu;

import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dot products with rows of bfloat16 or int8, widened in registers, with the Vector API: reached only if {@link
 * Simd#ENABLED} and vectors are long enough ({@link #FITS}).
 *
 * <p>A tile's sums go to a small array as whole vectors and their lanes are added afterwards, in a fixed order: the loops
 * hold nothing but what they multiply. With one row of x a row of weights is read from begin to end before the next: eight
 * at a time, as registers would allow, come from memory at three quarters of that rate.
 *
 * <p>Every loop stands here twice, for short[] and for byte[]: loads and their types are constants of a loop.
 */
final class StoredVectors {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    private static final int L = VectorKernels.L;

    /** The smallest vector is one of 8 bytes. */
    static final boolean FITS = L >= 8;

    private static final VectorSpecies<Short> H =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Math.max(64, L * 16)));
    private static final VectorSpecies<Byte> Q = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * 8)));

    private static final VectorShuffle<Float> X1 = exchange(1), X2 = exchange(2), X4 = exchange(4), X8 = exchange(8);

    private static final int ROWS = 4;
    private static final int COLUMNS = 4;
    private static final int WIDE = 8;

    private StoredVectors() {}

    private static VectorShuffle<Float> exchange(int s) {
        return VectorShuffle.fromOp(S, i -> (i ^ s) & (L - 1));
    }

    /** Floats that {@link #dots} needs as working memory. */
    static int space() {
        return 16 * L + 16;
    }

    /**
     * c[co + i*ldc + j] = (sum over q of a[ao + i*lda + q] * w[wo + j*k + q]) * scale[so + j], for i below {@code m}, j
     * below {@code n}, q below {@code k}.
     *
     * @param w     short[] of bfloat16 or byte[]
     * @param scale null for 1
     * @param t     working memory
     */
    static void dots(int m, int n, int k, float[] a, int ao, int lda, Object w, int wo, float[] scale, int so,
            float[] c, int co, int ldc, float[] t) {
        for (int j = 0; j < n; j += m == 1 ? WIDE : COLUMNS) {
            for (int i = 0; i < m; i += ROWS) {
                tile(Math.min(ROWS, m - i), n - j, k, a, ao + i * lda, lda, w, wo + j * k, t);
                int across = Math.min(m == 1 ? WIDE : COLUMNS, n - j);
                for (int r = 0; r < Math.min(ROWS, m - i); r++) {
                    for (int s = 0; s < across; s++) {
                        float sum = t[16 * L + r * COLUMNS + s];
                        for (int q = S.loopBound(k); q < k; q++) {
                            sum += a[ao + (i + r) * lda + q] * widen(w, wo + (j + s) * k + q);
                        }
                        c[co + (i + r) * ldc + j + s] = scale == null ? sum : sum * scale[so + j + s];
                    }
                }
            }
        }
    }

    /** to[at + i] = w[wo + i], widened. */
    static void widen(int n, short[] w, int wo, float[] to, int at) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(w, wo + i).intoArray(to, at + i);
        }
        for (int i = whole; i < n; i++) {
            to[at + i] = Float.intBitsToFloat(w[wo + i] << 16);
        }
    }

    /** to[at + i] = w[wo + i] * scale. */
    static void widen(int n, byte[] w, int wo, float scale, float[] to, int at) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(w, wo + i).mul(scale).intoArray(to, at + i);
        }
        for (int i = whole; i < n; i++) {
            to[at + i] = w[wo + i] * scale;
        }
    }

    private static float widen(Object w, int at) {
        return w instanceof short[] b ? Float.intBitsToFloat(b[at] << 16) : ((byte[]) w)[at];
    }

    /** Rows and columns beyond the last repeat it: their sums are not used. */
    private static void tile(int m, int n, int k, float[] a, int ao, int lda, Object w, int wo, float[] t) {
        int full = S.loopBound(k);
        if (m == 1) {
            int most = full / (4 * L) * 4 * L;
            for (int j = 0; j < Math.min(WIDE, n); j++) {
                if (w instanceof short[] b) {
                    row(most, a, ao, b, wo + j * k, t, j * L);
                    rest(full - most, a, ao + most, b, wo + j * k + most, t, j * L);
                } else {
                    row(most, a, ao, (byte[]) w, wo + j * k, t, j * L);
                    rest(full - most, a, ao + most, (byte[]) w, wo + j * k + most, t, j * L);
                }
            }
            add(WIDE, t);
        } else if (m == 2) {
            if (w instanceof short[] b) {
                rows2(full, a, ao, ao + lda, b, wo, column(1, n, k), column(2, n, k), column(3, n, k), t);
            } else {
                rows2(full, a, ao, ao + lda, (byte[]) w, wo, column(1, n, k), column(2, n, k), column(3, n, k), t);
            }
            add(8, t);
        } else {
            int last = ao + (m - 1) * lda;
            if (w instanceof short[] b) {
                rows4(full, a, ao, ao + lda, ao + 2 * lda, last, b, wo, column(1, n, k), column(2, n, k),
                        column(3, n, k), t);
            } else {
                rows4(full, a, ao, ao + lda, ao + 2 * lda, last, (byte[]) w, wo, column(1, n, k), column(2, n, k),
                        column(3, n, k), t);
            }
            add(16, t);
        }
    }

    private static int column(int j, int n, int k) {
        return Math.min(j, n - 1) * k;
    }

    /** t[16*L + i] = the sum of t[i*L .. i*L + L - 1]. */
    private static void add(int n, float[] t) {
        for (int i = 0; i < n; i++) {
            FloatVector v = FloatVector.fromArray(S, t, i * L);
            if (L == 16) {
                v = v.add(v.rearrange(X8));
            }
            v = v.add(v.rearrange(X4));
            v = v.add(v.rearrange(X2));
            v = v.add(v.rearrange(X1));
            t[16 * L + i] = v.lane(0);
        }
    }

    private static FloatVector load(short[] w, int at) {
        IntVector wide = (IntVector) ShortVector.fromArray(H, w, at).convertShape(S2I, I, 0);
        return wide.lanewise(LSHL, 16).reinterpretAsFloats();
    }

    private static FloatVector load(byte[] w, int at) {
        return (FloatVector) ByteVector.fromArray(Q, w, at).convertShape(B2F, S, 0);
    }

    private static void row(int k, float[] a, int ao, short[] w, int wo, float[] t, int to) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0;
        for (int q = 0; q < k; q += 4 * L) {
            s0 = FloatVector.fromArray(S, a, ao + q).fma(load(w, wo + q), s0);
            s1 = FloatVector.fromArray(S, a, ao + q + L).fma(load(w, wo + q + L), s1);
            s2 = FloatVector.fromArray(S, a, ao + q + 2 * L).fma(load(w, wo + q + 2 * L), s2);
            s3 = FloatVector.fromArray(S, a, ao + q + 3 * L).fma(load(w, wo + q + 3 * L), s3);
        }
        s0.add(s1).add(s2.add(s3)).intoArray(t, to);
    }

    private static void rest(int k, float[] a, int ao, short[] w, int wo, float[] t, int to) {
        for (int q = 0; q < k; q += L) {
            FloatVector.fromArray(S, a, ao + q).fma(load(w, wo + q), FloatVector.fromArray(S, t, to)).intoArray(t, to);
        }
    }

    private static void row(int k, float[] a, int ao, byte[] w, int wo, float[] t, int to) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0;
        for (int q = 0; q < k; q += 4 * L) {
            s0 = FloatVector.fromArray(S, a, ao + q).fma(load(w, wo + q), s0);
            s1 = FloatVector.fromArray(S, a, ao + q + L).fma(load(w, wo + q + L), s1);
            s2 = FloatVector.fromArray(S, a, ao + q + 2 * L).fma(load(w, wo + q + 2 * L), s2);
            s3 = FloatVector.fromArray(S, a, ao + q + 3 * L).fma(load(w, wo + q + 3 * L), s3);
        }
        s0.add(s1).add(s2.add(s3)).intoArray(t, to);
    }

    private static void rest(int k, float[] a, int ao, byte[] w, int wo, float[] t, int to) {
        for (int q = 0; q < k; q += L) {
            FloatVector.fromArray(S, a, ao + q).fma(load(w, wo + q), FloatVector.fromArray(S, t, to)).intoArray(t, to);
        }
    }

    private static void rows2(int k, float[] a, int ao, int a1, short[] w, int wo, int w1, int w2, int w3, float[] t) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        for (int q = 0; q < k; q += L) {
            FloatVector x = FloatVector.fromArray(S, a, ao + q), y = FloatVector.fromArray(S, a, a1 + q);
            int at = wo + q;
            FloatVector v0 = load(w, at), v1 = load(w, at + w1), v2 = load(w, at + w2), v3 = load(w, at + w3);
            s0 = x.fma(v0, s0);
            s1 = x.fma(v1, s1);
            s2 = x.fma(v2, s2);
            s3 = x.fma(v3, s3);
            s4 = y.fma(v0, s4);
            s5 = y.fma(v1, s5);
            s6 = y.fma(v2, s6);
            s7 = y.fma(v3, s7);
        }
        store8(s0, s1, s2, s3, s4, s5, s6, s7, t, 0);
    }

    private static void rows2(int k, float[] a, int ao, int a1, byte[] w, int wo, int w1, int w2, int w3, float[] t) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        for (int q = 0; q < k; q += L) {
            FloatVector x = FloatVector.fromArray(S, a, ao + q), y = FloatVector.fromArray(S, a, a1 + q);
            int at = wo + q;
            FloatVector v0 = load(w, at), v1 = load(w, at + w1), v2 = load(w, at + w2), v3 = load(w, at + w3);
            s0 = x.fma(v0, s0);
            s1 = x.fma(v1, s1);
            s2 = x.fma(v2, s2);
            s3 = x.fma(v3, s3);
            s4 = y.fma(v0, s4);
            s5 = y.fma(v1, s5);
            s6 = y.fma(v2, s6);
            s7 = y.fma(v3, s7);
        }
        store8(s0, s1, s2, s3, s4, s5, s6, s7, t, 0);
    }

    private static void rows4(int k, float[] a, int ao, int a1, int a2, int a3, short[] w, int wo, int w1, int w2, int w3,
            float[] t) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        FloatVector s8 = s0, s9 = s0, s10 = s0, s11 = s0, s12 = s0, s13 = s0, s14 = s0, s15 = s0;
        for (int q = 0; q < k; q += L) {
            int at = wo + q;
            FloatVector v0 = load(w, at), v1 = load(w, at + w1), v2 = load(w, at + w2), v3 = load(w, at + w3);
            FloatVector x = FloatVector.fromArray(S, a, ao + q);
            s0 = x.fma(v0, s0);
            s1 = x.fma(v1, s1);
            s2 = x.fma(v2, s2);
            s3 = x.fma(v3, s3);
            FloatVector y = FloatVector.fromArray(S, a, a1 + q);
            s4 = y.fma(v0, s4);
            s5 = y.fma(v1, s5);
            s6 = y.fma(v2, s6);
            s7 = y.fma(v3, s7);
            FloatVector z = FloatVector.fromArray(S, a, a2 + q);
            s8 = z.fma(v0, s8);
            s9 = z.fma(v1, s9);
            s10 = z.fma(v2, s10);
            s11 = z.fma(v3, s11);
            FloatVector u = FloatVector.fromArray(S, a, a3 + q);
            s12 = u.fma(v0, s12);
            s13 = u.fma(v1, s13);
            s14 = u.fma(v2, s14);
            s15 = u.fma(v3, s15);
        }
        store8(s0, s1, s2, s3, s4, s5, s6, s7, t, 0);
        store8(s8, s9, s10, s11, s12, s13, s14, s15, t, 8 * L);
    }

    private static void rows4(int k, float[] a, int ao, int a1, int a2, int a3, byte[] w, int wo, int w1, int w2, int w3,
            float[] t) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        FloatVector s8 = s0, s9 = s0, s10 = s0, s11 = s0, s12 = s0, s13 = s0, s14 = s0, s15 = s0;
        for (int q = 0; q < k; q += L) {
            int at = wo + q;
            FloatVector v0 = load(w, at), v1 = load(w, at + w1), v2 = load(w, at + w2), v3 = load(w, at + w3);
            FloatVector x = FloatVector.fromArray(S, a, ao + q);
            s0 = x.fma(v0, s0);
            s1 = x.fma(v1, s1);
            s2 = x.fma(v2, s2);
            s3 = x.fma(v3, s3);
            FloatVector y = FloatVector.fromArray(S, a, a1 + q);
            s4 = y.fma(v0, s4);
            s5 = y.fma(v1, s5);
            s6 = y.fma(v2, s6);
            s7 = y.fma(v3, s7);
            FloatVector z = FloatVector.fromArray(S, a, a2 + q);
            s8 = z.fma(v0, s8);
            s9 = z.fma(v1, s9);
            s10 = z.fma(v2, s10);
            s11 = z.fma(v3, s11);
            FloatVector u = FloatVector.fromArray(S, a, a3 + q);
            s12 = u.fma(v0, s12);
            s13 = u.fma(v1, s13);
            s14 = u.fma(v2, s14);
            s15 = u.fma(v3, s15);
        }
        store8(s0, s1, s2, s3, s4, s5, s6, s7, t, 0);
        store8(s8, s9, s10, s11, s12, s13, s14, s15, t, 8 * L);
    }

    private static void store8(FloatVector s0, FloatVector s1, FloatVector s2, FloatVector s3, FloatVector s4,
            FloatVector s5, FloatVector s6, FloatVector s7, float[] t, int at) {
        s0.intoArray(t, at);
        s1.intoArray(t, at + L);
        s2.intoArray(t, at + 2 * L);
        s3.intoArray(t, at + 3 * L);
        s4.intoArray(t, at + 4 * L);
        s5.intoArray(t, at + 5 * L);
        s6.intoArray(t, at + 6 * L);
        s7.intoArray(t, at + 7 * L);
    }
}
