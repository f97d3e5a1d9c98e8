package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Depthwise 3x3 convolution along rows of pixels, for one vector of channels: the nine weights stay in registers, and so
 * do the columns of the image that the next pixel needs again. Rows come as arrays of their own, so that a row outside
 * the image can be one of zeros; columns outside exist as the first ({@code left}) and the last ({@code right}) only.
 *
 * <p>Offsets of x point to the first column that exists, those of y to the first pixel; {@code pixels} counts the pixels
 * whose last column exists. What is written is clamp(sum + bias), NaN staying NaN.
 */
final class DepthwiseRows {
    private static final VectorSpecies<Float> S = VectorKernels.S;

    private DepthwiseRows() {}

    /** Two rows of results from four of x, stride 1. */
    static void two(float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3, int o3, int xs,
            boolean left, boolean right, int pixels, float[] w, int wo, int ws, float[] bias, int bo, float low, float high,
            float[] y, int yo, float[] z, int zo, int ys) {
        FloatVector w0 = FloatVector.fromArray(S, w, wo), w1 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * ws), w3 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * ws), w5 = FloatVector.fromArray(S, w, wo + 5 * ws);
        FloatVector w6 = FloatVector.fromArray(S, w, wo + 6 * ws), w7 = FloatVector.fromArray(S, w, wo + 7 * ws);
        FloatVector w8 = FloatVector.fromArray(S, w, wo + 8 * ws);
        FloatVector k = FloatVector.fromArray(S, bias, bo);
        FloatVector lo = FloatVector.broadcast(S, low), hi = FloatVector.broadcast(S, high);
        FloatVector a0 = FloatVector.zero(S), a1 = a0, a2 = a0, a3 = a0;
        if (!left) {
            a0 = FloatVector.fromArray(S, x0, o0);
            a1 = FloatVector.fromArray(S, x1, o1);
            a2 = FloatVector.fromArray(S, x2, o2);
            a3 = FloatVector.fromArray(S, x3, o3);
            o0 += xs;
            o1 += xs;
            o2 += xs;
            o3 += xs;
        }
        FloatVector b0 = FloatVector.fromArray(S, x0, o0), b1 = FloatVector.fromArray(S, x1, o1);
        FloatVector b2 = FloatVector.fromArray(S, x2, o2), b3 = FloatVector.fromArray(S, x3, o3);
        for (int i = 0; i < pixels; i++) {
            o0 += xs;
            o1 += xs;
            o2 += xs;
            o3 += xs;
            FloatVector c0 = FloatVector.fromArray(S, x0, o0), c1 = FloatVector.fromArray(S, x1, o1);
            FloatVector c2 = FloatVector.fromArray(S, x2, o2), c3 = FloatVector.fromArray(S, x3, o3);
            FloatVector s = a2.fma(w6, a1.fma(w3, a0.fma(w0, k)));
            FloatVector t = a3.fma(w6, a2.fma(w3, a1.fma(w0, k)));
            s = b2.fma(w7, b1.fma(w4, b0.fma(w1, s)));
            t = b3.fma(w7, b2.fma(w4, b1.fma(w1, t)));
            s = c2.fma(w8, c1.fma(w5, c0.fma(w2, s)));
            t = c3.fma(w8, c2.fma(w5, c1.fma(w2, t)));
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            t = t.blend(lo, t.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, yo);
            t.blend(hi, hi.compare(VectorOperators.LT, t)).intoArray(z, zo);
            yo += ys;
            zo += ys;
            a0 = b0;
            a1 = b1;
            a2 = b2;
            a3 = b3;
            b0 = c0;
            b1 = c1;
            b2 = c2;
            b3 = c3;
        }
        if (right) {
            FloatVector s = a2.fma(w6, a1.fma(w3, a0.fma(w0, k)));
            FloatVector t = a3.fma(w6, a2.fma(w3, a1.fma(w0, k)));
            s = b2.fma(w7, b1.fma(w4, b0.fma(w1, s)));
            t = b3.fma(w7, b2.fma(w4, b1.fma(w1, t)));
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            t = t.blend(lo, t.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, yo);
            t.blend(hi, hi.compare(VectorOperators.LT, t)).intoArray(z, zo);
        }
    }

    /** One row of results from three of x, stride 1: for 16 registers. */
    static void one(float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, int xs, boolean left, boolean right,
            int pixels, float[] w, int wo, int ws, float[] bias, int bo, float low, float high, float[] y, int yo, int ys) {
        FloatVector w0 = FloatVector.fromArray(S, w, wo), w1 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * ws), w3 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * ws), w5 = FloatVector.fromArray(S, w, wo + 5 * ws);
        FloatVector w6 = FloatVector.fromArray(S, w, wo + 6 * ws), w7 = FloatVector.fromArray(S, w, wo + 7 * ws);
        FloatVector w8 = FloatVector.fromArray(S, w, wo + 8 * ws);
        FloatVector k = FloatVector.fromArray(S, bias, bo);
        FloatVector lo = FloatVector.broadcast(S, low), hi = FloatVector.broadcast(S, high);
        // What the pixel has got from its left column, and from its left and middle one: sums need fewer registers.
        FloatVector s = k;
        if (!left) {
            s = FloatVector.fromArray(S, x2, o2).fma(w6, FloatVector.fromArray(S, x1, o1).fma(w3,
                    FloatVector.fromArray(S, x0, o0).fma(w0, k)));
            o0 += xs;
            o1 += xs;
            o2 += xs;
        }
        FloatVector b0 = FloatVector.fromArray(S, x0, o0), b1 = FloatVector.fromArray(S, x1, o1);
        FloatVector b2 = FloatVector.fromArray(S, x2, o2);
        s = b2.fma(w7, b1.fma(w4, b0.fma(w1, s)));
        FloatVector t = b2.fma(w6, b1.fma(w3, b0.fma(w0, k)));
        for (int i = 0; i < pixels; i++) {
            o0 += xs;
            o1 += xs;
            o2 += xs;
            FloatVector c0 = FloatVector.fromArray(S, x0, o0), c1 = FloatVector.fromArray(S, x1, o1);
            FloatVector c2 = FloatVector.fromArray(S, x2, o2);
            s = c2.fma(w8, c1.fma(w5, c0.fma(w2, s)));
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, yo);
            yo += ys;
            s = c2.fma(w7, c1.fma(w4, c0.fma(w1, t)));
            t = c2.fma(w6, c1.fma(w3, c0.fma(w0, k)));
        }
        if (right) {
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, yo);
        }
    }

    /** One row of results from three of x, stride 2. */
    static void strided(float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, int xs, boolean left, boolean right,
            int pixels, float[] w, int wo, int ws, float[] bias, int bo, float low, float high, float[] y, int yo, int ys) {
        FloatVector w0 = FloatVector.fromArray(S, w, wo), w1 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * ws), w3 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * ws), w5 = FloatVector.fromArray(S, w, wo + 5 * ws);
        FloatVector w6 = FloatVector.fromArray(S, w, wo + 6 * ws), w7 = FloatVector.fromArray(S, w, wo + 7 * ws);
        FloatVector w8 = FloatVector.fromArray(S, w, wo + 8 * ws);
        FloatVector k = FloatVector.fromArray(S, bias, bo);
        FloatVector lo = FloatVector.broadcast(S, low), hi = FloatVector.broadcast(S, high);
        FloatVector s = k;
        if (!left) {
            s = FloatVector.fromArray(S, x2, o2).fma(w6, FloatVector.fromArray(S, x1, o1).fma(w3,
                    FloatVector.fromArray(S, x0, o0).fma(w0, k)));
            o0 += xs;
            o1 += xs;
            o2 += xs;
        }
        for (int i = 0; i < pixels; i++) {
            FloatVector b0 = FloatVector.fromArray(S, x0, o0), b1 = FloatVector.fromArray(S, x1, o1);
            FloatVector b2 = FloatVector.fromArray(S, x2, o2);
            FloatVector c0 = FloatVector.fromArray(S, x0, o0 + xs), c1 = FloatVector.fromArray(S, x1, o1 + xs);
            FloatVector c2 = FloatVector.fromArray(S, x2, o2 + xs);
            o0 += 2 * xs;
            o1 += 2 * xs;
            o2 += 2 * xs;
            s = b2.fma(w7, b1.fma(w4, b0.fma(w1, s)));
            s = c2.fma(w8, c1.fma(w5, c0.fma(w2, s)));
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, yo);
            yo += ys;
            s = c2.fma(w6, c1.fma(w3, c0.fma(w0, k)));
        }
        if (right) {
            FloatVector b0 = FloatVector.fromArray(S, x0, o0), b1 = FloatVector.fromArray(S, x1, o1);
            FloatVector b2 = FloatVector.fromArray(S, x2, o2);
            s = b2.fma(w7, b1.fma(w4, b0.fma(w1, s)));
            s = s.blend(lo, s.compare(VectorOperators.LT, lo));
            s.blend(hi, hi.compare(VectorOperators.LT, s)).intoArray(y, yo);
        }
    }
}
