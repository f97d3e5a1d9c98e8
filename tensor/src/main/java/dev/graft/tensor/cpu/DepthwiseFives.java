package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Depthwise 5x5 convolution and its gradients along rows of pixels, for one vector of channels and 32 registers: the 25
 * weights, or their 25 gradients, stay in registers, and so do the sums of the pixels that a column of the image belongs to.
 * Rows come as arrays of their own, so that a row outside the image can be one of zeros.
 */
final class DepthwiseFives {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    private DepthwiseFives() {}

    /**
     * {@code columns} columns of five rows of x, stride 1: each completes a pixel of y. The sums of the four pixels that the
     * next columns will complete are read from {@code sums} and written there.
     */
    static void columns(float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3, int o3, float[] x4, int o4,
            int xs, int columns, float[] w, int wo, int ws, float[] sums, float[] y, int yo, int ys) {
        FloatVector w0 = FloatVector.fromArray(S, w, wo), w1 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * ws), w3 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * ws);
        FloatVector w5 = FloatVector.fromArray(S, w, wo + 5 * ws), w6 = FloatVector.fromArray(S, w, wo + 6 * ws);
        FloatVector w7 = FloatVector.fromArray(S, w, wo + 7 * ws), w8 = FloatVector.fromArray(S, w, wo + 8 * ws);
        FloatVector w9 = FloatVector.fromArray(S, w, wo + 9 * ws);
        FloatVector w10 = FloatVector.fromArray(S, w, wo + 10 * ws), w11 = FloatVector.fromArray(S, w, wo + 11 * ws);
        FloatVector w12 = FloatVector.fromArray(S, w, wo + 12 * ws), w13 = FloatVector.fromArray(S, w, wo + 13 * ws);
        FloatVector w14 = FloatVector.fromArray(S, w, wo + 14 * ws);
        FloatVector w15 = FloatVector.fromArray(S, w, wo + 15 * ws), w16 = FloatVector.fromArray(S, w, wo + 16 * ws);
        FloatVector w17 = FloatVector.fromArray(S, w, wo + 17 * ws), w18 = FloatVector.fromArray(S, w, wo + 18 * ws);
        FloatVector w19 = FloatVector.fromArray(S, w, wo + 19 * ws);
        FloatVector w20 = FloatVector.fromArray(S, w, wo + 20 * ws), w21 = FloatVector.fromArray(S, w, wo + 21 * ws);
        FloatVector w22 = FloatVector.fromArray(S, w, wo + 22 * ws), w23 = FloatVector.fromArray(S, w, wo + 23 * ws);
        FloatVector w24 = FloatVector.fromArray(S, w, wo + 24 * ws);
        FloatVector s0 = FloatVector.fromArray(S, sums, 0), s1 = FloatVector.fromArray(S, sums, L);
        FloatVector s2 = FloatVector.fromArray(S, sums, 2 * L), s3 = FloatVector.fromArray(S, sums, 3 * L);
        for (int i = 0; i < columns; i++) {
            FloatVector v = FloatVector.fromArray(S, x0, o0);
            s0 = v.fma(w4, s0);
            s1 = v.fma(w3, s1);
            s2 = v.fma(w2, s2);
            s3 = v.fma(w1, s3);
            FloatVector s4 = v.mul(w0);
            v = FloatVector.fromArray(S, x1, o1);
            s0 = v.fma(w9, s0);
            s1 = v.fma(w8, s1);
            s2 = v.fma(w7, s2);
            s3 = v.fma(w6, s3);
            s4 = v.fma(w5, s4);
            v = FloatVector.fromArray(S, x2, o2);
            s0 = v.fma(w14, s0);
            s1 = v.fma(w13, s1);
            s2 = v.fma(w12, s2);
            s3 = v.fma(w11, s3);
            s4 = v.fma(w10, s4);
            v = FloatVector.fromArray(S, x3, o3);
            s0 = v.fma(w19, s0);
            s1 = v.fma(w18, s1);
            s2 = v.fma(w17, s2);
            s3 = v.fma(w16, s3);
            s4 = v.fma(w15, s4);
            v = FloatVector.fromArray(S, x4, o4);
            s0 = v.fma(w24, s0);
            s1 = v.fma(w23, s1);
            s2 = v.fma(w22, s2);
            s3 = v.fma(w21, s3);
            s4 = v.fma(w20, s4);
            s0.intoArray(y, yo);
            s0 = s1;
            s1 = s2;
            s2 = s3;
            s3 = s4;
            yo += ys;
            o0 += xs;
            o1 += xs;
            o2 += xs;
            o3 += xs;
            o4 += xs;
        }
        s0.intoArray(sums, 0);
        s1.intoArray(sums, L);
        s2.intoArray(sums, 2 * L);
        s3.intoArray(sums, 3 * L);
    }

    /** As {@link #columns} with stride 2: {@code pairs} pairs of columns, and two pixels that are not complete. */
    static void pairs(float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3, int o3, float[] x4, int o4,
            int xs, int pairs, float[] w, int wo, int ws, float[] sums, float[] y, int yo, int ys) {
        FloatVector w0 = FloatVector.fromArray(S, w, wo), w1 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * ws), w3 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * ws);
        FloatVector w5 = FloatVector.fromArray(S, w, wo + 5 * ws), w6 = FloatVector.fromArray(S, w, wo + 6 * ws);
        FloatVector w7 = FloatVector.fromArray(S, w, wo + 7 * ws), w8 = FloatVector.fromArray(S, w, wo + 8 * ws);
        FloatVector w9 = FloatVector.fromArray(S, w, wo + 9 * ws);
        FloatVector w10 = FloatVector.fromArray(S, w, wo + 10 * ws), w11 = FloatVector.fromArray(S, w, wo + 11 * ws);
        FloatVector w12 = FloatVector.fromArray(S, w, wo + 12 * ws), w13 = FloatVector.fromArray(S, w, wo + 13 * ws);
        FloatVector w14 = FloatVector.fromArray(S, w, wo + 14 * ws);
        FloatVector w15 = FloatVector.fromArray(S, w, wo + 15 * ws), w16 = FloatVector.fromArray(S, w, wo + 16 * ws);
        FloatVector w17 = FloatVector.fromArray(S, w, wo + 17 * ws), w18 = FloatVector.fromArray(S, w, wo + 18 * ws);
        FloatVector w19 = FloatVector.fromArray(S, w, wo + 19 * ws);
        FloatVector w20 = FloatVector.fromArray(S, w, wo + 20 * ws), w21 = FloatVector.fromArray(S, w, wo + 21 * ws);
        FloatVector w22 = FloatVector.fromArray(S, w, wo + 22 * ws), w23 = FloatVector.fromArray(S, w, wo + 23 * ws);
        FloatVector w24 = FloatVector.fromArray(S, w, wo + 24 * ws);
        FloatVector s0 = FloatVector.fromArray(S, sums, 0), s1 = FloatVector.fromArray(S, sums, L);
        for (int i = 0; i < pairs; i++) {
            FloatVector v = FloatVector.fromArray(S, x0, o0);
            s0 = v.fma(w4, s0);
            s1 = v.fma(w2, s1);
            FloatVector s2 = v.mul(w0);
            v = FloatVector.fromArray(S, x0, o0 + xs);
            s1 = v.fma(w3, s1);
            s2 = v.fma(w1, s2);
            v = FloatVector.fromArray(S, x1, o1);
            s0 = v.fma(w9, s0);
            s1 = v.fma(w7, s1);
            s2 = v.fma(w5, s2);
            v = FloatVector.fromArray(S, x1, o1 + xs);
            s1 = v.fma(w8, s1);
            s2 = v.fma(w6, s2);
            v = FloatVector.fromArray(S, x2, o2);
            s0 = v.fma(w14, s0);
            s1 = v.fma(w12, s1);
            s2 = v.fma(w10, s2);
            v = FloatVector.fromArray(S, x2, o2 + xs);
            s1 = v.fma(w13, s1);
            s2 = v.fma(w11, s2);
            v = FloatVector.fromArray(S, x3, o3);
            s0 = v.fma(w19, s0);
            s1 = v.fma(w17, s1);
            s2 = v.fma(w15, s2);
            v = FloatVector.fromArray(S, x3, o3 + xs);
            s1 = v.fma(w18, s1);
            s2 = v.fma(w16, s2);
            v = FloatVector.fromArray(S, x4, o4);
            s0 = v.fma(w24, s0);
            s1 = v.fma(w22, s1);
            s2 = v.fma(w20, s2);
            v = FloatVector.fromArray(S, x4, o4 + xs);
            s1 = v.fma(w23, s1);
            s2 = v.fma(w21, s2);
            s0.intoArray(y, yo);
            s0 = s1;
            s1 = s2;
            yo += ys;
            o0 += 2 * xs;
            o1 += 2 * xs;
            o2 += 2 * xs;
            o3 += 2 * xs;
            o4 += 2 * xs;
        }
        s0.intoArray(sums, 0);
        s1.intoArray(sums, L);
    }

    /**
     * Data gradient of stride 2 and padding 2: a row of dx of even number, from three rows of dy. The weights lie in the
     * order of the phases. The last pixel of dy has none to its right; it makes two of dx if {@code whole}, else one.
     *
     * @param pixels of dy but the last
     */
    static void evenRow(float[] d0, int o0, float[] d1, int o1, float[] d2, int o2,
            int ds, int pixels, boolean whole, float[] w, int wo, int ws, float[] y, int yo, int ys) {
        FloatVector w0 = FloatVector.fromArray(S, w, wo), w1 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w2 = FloatVector.fromArray(S, w, wo + 2 * ws), w3 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w4 = FloatVector.fromArray(S, w, wo + 4 * ws), w5 = FloatVector.fromArray(S, w, wo + 5 * ws);
        FloatVector w6 = FloatVector.fromArray(S, w, wo + 6 * ws), w7 = FloatVector.fromArray(S, w, wo + 7 * ws);
        FloatVector w8 = FloatVector.fromArray(S, w, wo + 8 * ws), w9 = FloatVector.fromArray(S, w, wo + 9 * ws);
        FloatVector w10 = FloatVector.fromArray(S, w, wo + 10 * ws), w11 = FloatVector.fromArray(S, w, wo + 11 * ws);
        FloatVector w12 = FloatVector.fromArray(S, w, wo + 12 * ws), w13 = FloatVector.fromArray(S, w, wo + 13 * ws);
        FloatVector w14 = FloatVector.fromArray(S, w, wo + 14 * ws);
        FloatVector a0 = FloatVector.zero(S), a1 = a0, a2 = a0;
        FloatVector b0 = FloatVector.fromArray(S, d0, o0);
        FloatVector b1 = FloatVector.fromArray(S, d1, o1);
        FloatVector b2 = FloatVector.fromArray(S, d2, o2);
        for (int i = 0; i < pixels; i++) {
            o0 += ds;
            o1 += ds;
            o2 += ds;
            FloatVector c0 = FloatVector.fromArray(S, d0, o0);
            FloatVector c1 = FloatVector.fromArray(S, d1, o1);
            FloatVector c2 = FloatVector.fromArray(S, d2, o2);
            FloatVector s = a0.mul(w0);
            s = b0.fma(w1, s);
            s = c0.fma(w2, s);
            s = a1.fma(w3, s);
            s = b1.fma(w4, s);
            s = c1.fma(w5, s);
            s = a2.fma(w6, s);
            s = b2.fma(w7, s);
            s = c2.fma(w8, s);
            s.intoArray(y, yo);
            s = b0.mul(w9);
            s = c0.fma(w10, s);
            s = b1.fma(w11, s);
            s = c1.fma(w12, s);
            s = b2.fma(w13, s);
            s = c2.fma(w14, s);
            s.intoArray(y, yo + ys);
            yo += 2 * ys;
            a0 = b0;
            b0 = c0;
            a1 = b1;
            b1 = c1;
            a2 = b2;
            b2 = c2;
        }
        FloatVector s = a0.mul(w0);
        s = b0.fma(w1, s);
        s = a1.fma(w3, s);
        s = b1.fma(w4, s);
        s = a2.fma(w6, s);
        s = b2.fma(w7, s);
        s.intoArray(y, yo);
        if (whole) {
            s = b0.mul(w9);
            s = b1.fma(w11, s);
            s = b2.fma(w13, s);
            s.intoArray(y, yo + ys);
        }
    }

    /** As {@link #evenRow}, a row of odd number from two of dy. */
    static void oddRow(float[] d0, int o0, float[] d1, int o1,
            int ds, int pixels, boolean whole, float[] w, int wo, int ws, float[] y, int yo, int ys) {
        FloatVector w15 = FloatVector.fromArray(S, w, wo + 15 * ws), w16 = FloatVector.fromArray(S, w, wo + 16 * ws);
        FloatVector w17 = FloatVector.fromArray(S, w, wo + 17 * ws), w18 = FloatVector.fromArray(S, w, wo + 18 * ws);
        FloatVector w19 = FloatVector.fromArray(S, w, wo + 19 * ws), w20 = FloatVector.fromArray(S, w, wo + 20 * ws);
        FloatVector w21 = FloatVector.fromArray(S, w, wo + 21 * ws), w22 = FloatVector.fromArray(S, w, wo + 22 * ws);
        FloatVector w23 = FloatVector.fromArray(S, w, wo + 23 * ws), w24 = FloatVector.fromArray(S, w, wo + 24 * ws);
        FloatVector a0 = FloatVector.zero(S), a1 = a0;
        FloatVector b0 = FloatVector.fromArray(S, d0, o0);
        FloatVector b1 = FloatVector.fromArray(S, d1, o1);
        for (int i = 0; i < pixels; i++) {
            o0 += ds;
            o1 += ds;
            FloatVector c0 = FloatVector.fromArray(S, d0, o0);
            FloatVector c1 = FloatVector.fromArray(S, d1, o1);
            FloatVector s = a0.mul(w15);
            s = b0.fma(w16, s);
            s = c0.fma(w17, s);
            s = a1.fma(w18, s);
            s = b1.fma(w19, s);
            s = c1.fma(w20, s);
            s.intoArray(y, yo);
            s = b0.mul(w21);
            s = c0.fma(w22, s);
            s = b1.fma(w23, s);
            s = c1.fma(w24, s);
            s.intoArray(y, yo + ys);
            yo += 2 * ys;
            a0 = b0;
            b0 = c0;
            a1 = b1;
            b1 = c1;
        }
        FloatVector s = a0.mul(w15);
        s = b0.fma(w16, s);
        s = a1.fma(w18, s);
        s = b1.fma(w19, s);
        s.intoArray(y, yo);
        if (whole) {
            s = b0.mul(w21);
            s = b1.fma(w23, s);
            s.intoArray(y, yo + ys);
        }
    }

    /**
     * Weight gradient of stride 1 and padding 2, added to the 25 vectors at {@code so}: from one row of x and the five of dy
     * that it meets. The first pixel's columns but the last are at {@code xo}; two of them do not exist if {@code left}. The
     * last column of every pixel is at {@code eo}.
     */
    static void weights(float[] x, int xo, int xs, boolean left, float[] ex, int eo, int es, int pixels, float[] d0, int o0,
            float[] d1, int o1, float[] d2, int o2, float[] d3, int o3, float[] d4, int o4, int ds, float[] sums, int so) {
        FloatVector zero = FloatVector.zero(S);
        FloatVector s0 = zero, s1 = zero, s2 = zero, s3 = zero, s4 = zero;
        FloatVector s5 = zero, s6 = zero, s7 = zero, s8 = zero, s9 = zero;
        FloatVector s10 = zero, s11 = zero, s12 = zero, s13 = zero, s14 = zero;
        FloatVector s15 = zero, s16 = zero, s17 = zero, s18 = zero, s19 = zero;
        FloatVector s20 = zero, s21 = zero, s22 = zero, s23 = zero, s24 = zero;
        FloatVector a = zero, b = zero;
        if (!left) {
            a = FloatVector.fromArray(S, x, xo);
            b = FloatVector.fromArray(S, x, xo + xs);
            xo += 2 * xs;
        }
        FloatVector c = FloatVector.fromArray(S, x, xo), d = FloatVector.fromArray(S, x, xo + xs);
        for (int i = 0; i < pixels; i++) {
            FloatVector e = FloatVector.fromArray(S, ex, eo);
            FloatVector g = FloatVector.fromArray(S, d0, o0);
            s0 = a.fma(g, s0);
            s1 = b.fma(g, s1);
            s2 = c.fma(g, s2);
            s3 = d.fma(g, s3);
            s4 = e.fma(g, s4);
            o0 += ds;
            g = FloatVector.fromArray(S, d1, o1);
            s5 = a.fma(g, s5);
            s6 = b.fma(g, s6);
            s7 = c.fma(g, s7);
            s8 = d.fma(g, s8);
            s9 = e.fma(g, s9);
            o1 += ds;
            g = FloatVector.fromArray(S, d2, o2);
            s10 = a.fma(g, s10);
            s11 = b.fma(g, s11);
            s12 = c.fma(g, s12);
            s13 = d.fma(g, s13);
            s14 = e.fma(g, s14);
            o2 += ds;
            g = FloatVector.fromArray(S, d3, o3);
            s15 = a.fma(g, s15);
            s16 = b.fma(g, s16);
            s17 = c.fma(g, s17);
            s18 = d.fma(g, s18);
            s19 = e.fma(g, s19);
            o3 += ds;
            g = FloatVector.fromArray(S, d4, o4);
            s20 = a.fma(g, s20);
            s21 = b.fma(g, s21);
            s22 = c.fma(g, s22);
            s23 = d.fma(g, s23);
            s24 = e.fma(g, s24);
            o4 += ds;
            eo += es;
            a = b;
            b = c;
            c = d;
            d = e;
        }
        add(s0, sums, so);
        add(s1, sums, so + L);
        add(s2, sums, so + 2 * L);
        add(s3, sums, so + 3 * L);
        add(s4, sums, so + 4 * L);
        add(s5, sums, so + 5 * L);
        add(s6, sums, so + 6 * L);
        add(s7, sums, so + 7 * L);
        add(s8, sums, so + 8 * L);
        add(s9, sums, so + 9 * L);
        add(s10, sums, so + 10 * L);
        add(s11, sums, so + 11 * L);
        add(s12, sums, so + 12 * L);
        add(s13, sums, so + 13 * L);
        add(s14, sums, so + 14 * L);
        add(s15, sums, so + 15 * L);
        add(s16, sums, so + 16 * L);
        add(s17, sums, so + 17 * L);
        add(s18, sums, so + 18 * L);
        add(s19, sums, so + 19 * L);
        add(s20, sums, so + 20 * L);
        add(s21, sums, so + 21 * L);
        add(s22, sums, so + 22 * L);
        add(s23, sums, so + 23 * L);
        add(s24, sums, so + 24 * L);
    }

    /**
     * Weight gradient of stride 2, added to three times five vectors: at {@code s0}, at {@code s1} and at {@code s2} of
     * {@code more}, from one row of x and the three of dy that it meets. The first pixel's first three columns are at
     * {@code xo}, of which two do not exist if {@code left}; the other two of every pixel are at {@code fo} and {@code eo}.
     */
    static void weightsStrided(float[] x, int xo, int xs, boolean left, float[] fx, int fo, float[] ex, int eo, int es,
            int pixels, float[] d0, int o0, float[] d1, int o1, float[] d2, int o2, int ds, float[] sums, int s0, int s1,
            float[] more, int s2) {
        FloatVector zero = FloatVector.zero(S);
        FloatVector t0 = zero, t1 = zero, t2 = zero, t3 = zero, t4 = zero;
        FloatVector t5 = zero, t6 = zero, t7 = zero, t8 = zero, t9 = zero;
        FloatVector t10 = zero, t11 = zero, t12 = zero, t13 = zero, t14 = zero;
        FloatVector a = zero, b = zero;
        if (!left) {
            a = FloatVector.fromArray(S, x, xo);
            b = FloatVector.fromArray(S, x, xo + xs);
            xo += 2 * xs;
        }
        FloatVector c = FloatVector.fromArray(S, x, xo);
        for (int i = 0; i < pixels; i++) {
            FloatVector d = FloatVector.fromArray(S, fx, fo), e = FloatVector.fromArray(S, ex, eo);
            FloatVector g = FloatVector.fromArray(S, d0, o0);
            t0 = a.fma(g, t0);
            t1 = b.fma(g, t1);
            t2 = c.fma(g, t2);
            t3 = d.fma(g, t3);
            t4 = e.fma(g, t4);
            o0 += ds;
            g = FloatVector.fromArray(S, d1, o1);
            t5 = a.fma(g, t5);
            t6 = b.fma(g, t6);
            t7 = c.fma(g, t7);
            t8 = d.fma(g, t8);
            t9 = e.fma(g, t9);
            o1 += ds;
            g = FloatVector.fromArray(S, d2, o2);
            t10 = a.fma(g, t10);
            t11 = b.fma(g, t11);
            t12 = c.fma(g, t12);
            t13 = d.fma(g, t13);
            t14 = e.fma(g, t14);
            o2 += ds;
            fo += es;
            eo += es;
            a = c;
            b = d;
            c = e;
        }
        add(t0, sums, s0);
        add(t1, sums, s0 + L);
        add(t2, sums, s0 + 2 * L);
        add(t3, sums, s0 + 3 * L);
        add(t4, sums, s0 + 4 * L);
        add(t5, sums, s1);
        add(t6, sums, s1 + L);
        add(t7, sums, s1 + 2 * L);
        add(t8, sums, s1 + 3 * L);
        add(t9, sums, s1 + 4 * L);
        add(t10, more, s2);
        add(t11, more, s2 + L);
        add(t12, more, s2 + 2 * L);
        add(t13, more, s2 + 3 * L);
        add(t14, more, s2 + 4 * L);
    }

    private static void add(FloatVector s, float[] sums, int at) {
        FloatVector.fromArray(S, sums, at).add(s).intoArray(sums, at);
    }
}
