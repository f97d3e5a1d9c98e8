package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Depthwise 3x3 convolution with stride 1 of squares of 2 x 2 pixels for many vectors of channels: 16 loads of the image and
 * 9 of weights serve 36 products, all weights and sums fit into 16 registers, and memory is read and written from begin to
 * end, as the processor fetches it ahead.
 *
 * <p>The compiler stops inlining, and then allocates vectors, where a method has grown to 18,000 nodes of its graph
 * (NodeCountInliningCutoff). This one comes near it: hence offsets that advance instead of an index that is added to each,
 * and a clamp of its own, while the results are in the cache.
 */
final class DepthwiseSquares {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    private DepthwiseSquares() {}

    /** {@code count} times two pixels of two rows of results, y and z, from four rows of x; all columns exist. */
    static void run(int count, int n, float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3, int o3, int c,
            float[] w, int wo, float[] bias, int bo, float[] y, int yo, float[] z, int zo) {
        for (int p = 0; p < count; p++) {
            int d = 2 * p * c;
            square(n, x0, o0 + d, x1, o1 + d, x2, o2 + d, x3, o3 + d, c, w, wo, bias, bo, y, yo + d, z, zo + d);
        }
    }

    private static void square(int n, float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3, int o3, int c,
            float[] w, int wo, float[] bias, int bo, float[] y, int yo, float[] z, int zo) {
        for (int k = 0; k < n; k++) {
            FloatVector w0 = FloatVector.fromArray(S, w, wo);
            FloatVector w1 = FloatVector.fromArray(S, w, wo + c);
            FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * c);
            FloatVector w3 = FloatVector.fromArray(S, w, wo + 3 * c);
            FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * c);
            FloatVector w5 = FloatVector.fromArray(S, w, wo + 5 * c);
            FloatVector w6 = FloatVector.fromArray(S, w, wo + 6 * c);
            FloatVector w7 = FloatVector.fromArray(S, w, wo + 7 * c);
            FloatVector w8 = FloatVector.fromArray(S, w, wo + 8 * c);
            FloatVector s = FloatVector.fromArray(S, bias, bo), t = s, u = s, v = s;
            FloatVector x = FloatVector.fromArray(S, x0, o0);
            s = x.fma(w0, s);
            x = FloatVector.fromArray(S, x1, o1);
            s = x.fma(w3, s);
            u = x.fma(w0, u);
            x = FloatVector.fromArray(S, x2, o2);
            s = x.fma(w6, s);
            u = x.fma(w3, u);
            x = FloatVector.fromArray(S, x3, o3);
            u = x.fma(w6, u);
            x = FloatVector.fromArray(S, x0, o0 + c);
            s = x.fma(w1, s);
            t = x.fma(w0, t);
            x = FloatVector.fromArray(S, x1, o1 + c);
            s = x.fma(w4, s);
            t = x.fma(w3, t);
            u = x.fma(w1, u);
            v = x.fma(w0, v);
            x = FloatVector.fromArray(S, x2, o2 + c);
            s = x.fma(w7, s);
            t = x.fma(w6, t);
            u = x.fma(w4, u);
            v = x.fma(w3, v);
            x = FloatVector.fromArray(S, x3, o3 + c);
            u = x.fma(w7, u);
            v = x.fma(w6, v);
            x = FloatVector.fromArray(S, x0, o0 + 2 * c);
            s = x.fma(w2, s);
            t = x.fma(w1, t);
            x = FloatVector.fromArray(S, x1, o1 + 2 * c);
            s = x.fma(w5, s);
            t = x.fma(w4, t);
            u = x.fma(w2, u);
            v = x.fma(w1, v);
            x = FloatVector.fromArray(S, x2, o2 + 2 * c);
            s = x.fma(w8, s);
            t = x.fma(w7, t);
            u = x.fma(w5, u);
            v = x.fma(w4, v);
            x = FloatVector.fromArray(S, x3, o3 + 2 * c);
            u = x.fma(w8, u);
            v = x.fma(w7, v);
            x = FloatVector.fromArray(S, x0, o0 + 3 * c);
            t = x.fma(w2, t);
            x = FloatVector.fromArray(S, x1, o1 + 3 * c);
            t = x.fma(w5, t);
            v = x.fma(w2, v);
            x = FloatVector.fromArray(S, x2, o2 + 3 * c);
            t = x.fma(w8, t);
            v = x.fma(w5, v);
            x = FloatVector.fromArray(S, x3, o3 + 3 * c);
            v = x.fma(w8, v);
            s.intoArray(y, yo);
            t.intoArray(y, yo + c);
            u.intoArray(z, zo);
            v.intoArray(z, zo + c);
            o0 += L;
            o1 += L;
            o2 += L;
            o3 += L;
            wo += L;
            bo += L;
            yo += L;
            zo += L;
        }
    }

    /** Of n floats, at least a vector; the last vector may cover some again. NaN stays NaN. */
    static void clamp(int n, float low, float high, float[] y, int at) {
        FloatVector lo = FloatVector.broadcast(S, low), hi = FloatVector.broadcast(S, high);
        for (int i = 0; i < n; i += L) {
            int k = at + Math.min(i, n - L);
            FloatVector s = FloatVector.fromArray(S, y, k);
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, k);
        }
    }
}
