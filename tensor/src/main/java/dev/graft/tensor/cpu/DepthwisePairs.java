package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Depthwise 3x3 convolution with stride 2 of two neighbouring pixels for many vectors of channels: memory is read and
 * written from begin to end, as the processor fetches it ahead. {@link DepthwiseRows} keeps weights in registers instead
 * and goes through memory once for each vector of channels, which is faster in short rows with stride 1, where every value
 * is used more often; wide ones go by {@link DepthwiseSquares}. Same sums in the same order, so the same bits.
 */
final class DepthwisePairs {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    private DepthwisePairs() {}

    /** {@code pairs} times two pixels of a row of results from three of x, stride 2; all columns exist. */
    static void strided(int pairs, int n, float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, int c, float[] w,
            int wo, float[] bias, int bo, float low, float high, float[] y, int yo) {
        for (int p = 0; p < pairs; p++) {
            int d = 2 * p * c;
            pair(n, x0, o0 + 2 * d, x1, o1 + 2 * d, x2, o2 + 2 * d, c, w, wo, bias, bo, low, high, y, yo + d);
        }
    }

    /**
     * Reads {@code n} floats, but for less than four vectors at their end, so that they are in the cache. The sum is
     * returned only so that the compiler keeps the loads.
     */
    static float fetch(int n, float[] x, int at) {
        FloatVector a = FloatVector.zero(S), b = a, c = a, d = a;
        int i = 0;
        for (; i <= n - 4 * L; i += 4 * L) {
            a = a.add(FloatVector.fromArray(S, x, at + i));
            b = b.add(FloatVector.fromArray(S, x, at + i + L));
            c = c.add(FloatVector.fromArray(S, x, at + i + 2 * L));
            d = d.add(FloatVector.fromArray(S, x, at + i + 3 * L));
        }
        return a.add(b).add(c.add(d)).lane(0);
    }

    private static void pair(int n, float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, int c, float[] w, int wo,
            float[] bias, int bo, float low, float high, float[] y, int yo) {
        FloatVector lo = FloatVector.broadcast(S, low), hi = FloatVector.broadcast(S, high);
        int w1 = wo + c, w2 = w1 + c, w3 = w2 + c, w4 = w3 + c, w5 = w4 + c, w6 = w5 + c, w7 = w6 + c, w8 = w7 + c;
        for (int k = 0; k < n; k++) {
            int i = k * L;
            FloatVector s = FloatVector.fromArray(S, bias, bo + i);
            FloatVector u = s;
            FloatVector m0 = FloatVector.fromArray(S, w, wo + i), m3 = FloatVector.fromArray(S, w, w3 + i);
            FloatVector m6 = FloatVector.fromArray(S, w, w6 + i);
            s = FloatVector.fromArray(S, x0, o0 + i).fma(m0, s);
            s = FloatVector.fromArray(S, x1, o1 + i).fma(m3, s);
            s = FloatVector.fromArray(S, x2, o2 + i).fma(m6, s);
            FloatVector b0 = FloatVector.fromArray(S, x0, o0 + 2 * c + i), b1 = FloatVector.fromArray(S, x1, o1 + 2 * c + i);
            FloatVector b2 = FloatVector.fromArray(S, x2, o2 + 2 * c + i);
            u = b2.fma(m6, b1.fma(m3, b0.fma(m0, u)));
            FloatVector m1 = FloatVector.fromArray(S, w, w1 + i), m4 = FloatVector.fromArray(S, w, w4 + i);
            FloatVector m7 = FloatVector.fromArray(S, w, w7 + i);
            s = FloatVector.fromArray(S, x0, o0 + c + i).fma(m1, s);
            s = FloatVector.fromArray(S, x1, o1 + c + i).fma(m4, s);
            s = FloatVector.fromArray(S, x2, o2 + c + i).fma(m7, s);
            u = FloatVector.fromArray(S, x0, o0 + 3 * c + i).fma(m1, u);
            u = FloatVector.fromArray(S, x1, o1 + 3 * c + i).fma(m4, u);
            u = FloatVector.fromArray(S, x2, o2 + 3 * c + i).fma(m7, u);
            FloatVector m2 = FloatVector.fromArray(S, w, w2 + i), m5 = FloatVector.fromArray(S, w, w5 + i);
            FloatVector m8 = FloatVector.fromArray(S, w, w8 + i);
            s = b2.fma(m8, b1.fma(m5, b0.fma(m2, s)));
            u = FloatVector.fromArray(S, x0, o0 + 4 * c + i).fma(m2, u);
            u = FloatVector.fromArray(S, x1, o1 + 4 * c + i).fma(m5, u);
            u = FloatVector.fromArray(S, x2, o2 + 4 * c + i).fma(m8, u);
            store(s, lo, hi, y, yo + i);
            store(u, lo, hi, y, yo + c + i);
        }
    }

    private static void store(FloatVector s, FloatVector lo, FloatVector hi, float[] y, int at) {
        s = s.blend(lo, s.compare(VectorOperators.LT, lo));
        s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, at);
    }
}
