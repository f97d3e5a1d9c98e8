package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Gradients of a depthwise 3x3 convolution along rows of pixels; conventions as in {@link DepthwiseRows}. */
final class DepthwiseRowGradients {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    private DepthwiseRowGradients() {}

    /**
     * Data gradient of stride 2: squares of 2x2 pixels of dx, at {@code yo} the upper and at {@code zo} the lower row,
     * from two rows of dy. The weights lie in the order of the phases. If {@code half}, the right half of a square that has
     * no dy to its left comes first. The last square has no dy to its right; it is whole if {@code whole}, else only its
     * left half exists.
     *
     * @param pixels whole squares but the last
     */
    static void squares(float[] d0, int o0, float[] d1, int o1, int ds, boolean half, int pixels, boolean whole, float[] w,
            int wo, int ws, float[] y, int yo, float[] z, int zo, int ys) {
        FloatVector w11 = FloatVector.fromArray(S, w, wo), w12 = FloatVector.fromArray(S, w, wo + ws);
        FloatVector w10 = FloatVector.fromArray(S, w, wo + 2 * ws), w21 = FloatVector.fromArray(S, w, wo + 3 * ws);
        FloatVector w01 = FloatVector.fromArray(S, w, wo + 4 * ws), w22 = FloatVector.fromArray(S, w, wo + 5 * ws);
        FloatVector w20 = FloatVector.fromArray(S, w, wo + 6 * ws), w02 = FloatVector.fromArray(S, w, wo + 7 * ws);
        FloatVector w00 = FloatVector.fromArray(S, w, wo + 8 * ws);
        FloatVector a = FloatVector.fromArray(S, d0, o0), b = FloatVector.fromArray(S, d1, o1);
        if (half) {
            a.mul(w10).intoArray(y, yo);
            b.fma(w00, a.mul(w20)).intoArray(z, zo);
            yo += ys;
            zo += ys;
        }
        for (int i = 0; i < pixels; i++) {
            o0 += ds;
            o1 += ds;
            FloatVector a1 = FloatVector.fromArray(S, d0, o0), b1 = FloatVector.fromArray(S, d1, o1);
            a.mul(w11).intoArray(y, yo);
            a1.fma(w10, a.mul(w12)).intoArray(y, yo + ys);
            b.fma(w01, a.mul(w21)).intoArray(z, zo);
            b1.fma(w00, b.fma(w02, a1.fma(w20, a.mul(w22)))).intoArray(z, zo + ys);
            yo += 2 * ys;
            zo += 2 * ys;
            a = a1;
            b = b1;
        }
        a.mul(w11).intoArray(y, yo);
        b.fma(w01, a.mul(w21)).intoArray(z, zo);
        if (whole) {
            a.mul(w12).intoArray(y, yo + ys);
            b.fma(w02, a.mul(w22)).intoArray(z, zo + ys);
        }
    }

    /**
     * Weight gradient of stride 1, added to the nine vectors at {@code so}: from one row of x and the three of dy that it
     * meets with the lower, the middle and the upper taps. So 4 loads serve 9 products, in 13 registers.
     */
    static void weightsOne(float[] x, int xo, int xs, boolean left, boolean right, int pixels, float[] d0, int do0,
            float[] d1, int do1, float[] d2, int do2, int ds, float[] sums, int so) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0;
        FloatVector a = s0;
        if (!left) {
            a = FloatVector.fromArray(S, x, xo);
            xo += xs;
        }
        FloatVector b = FloatVector.fromArray(S, x, xo);
        for (int i = 0; i < pixels; i++) {
            xo += xs;
            FloatVector c = FloatVector.fromArray(S, x, xo);
            FloatVector d = FloatVector.fromArray(S, d2, do2);
            s0 = a.fma(d, s0);
            s1 = b.fma(d, s1);
            s2 = c.fma(d, s2);
            d = FloatVector.fromArray(S, d1, do1);
            s3 = a.fma(d, s3);
            s4 = b.fma(d, s4);
            s5 = c.fma(d, s5);
            d = FloatVector.fromArray(S, d0, do0);
            s6 = a.fma(d, s6);
            s7 = b.fma(d, s7);
            s8 = c.fma(d, s8);
            do0 += ds;
            do1 += ds;
            do2 += ds;
            a = b;
            b = c;
        }
        if (right) {
            FloatVector d = FloatVector.fromArray(S, d2, do2);
            s0 = a.fma(d, s0);
            s1 = b.fma(d, s1);
            d = FloatVector.fromArray(S, d1, do1);
            s3 = a.fma(d, s3);
            s4 = b.fma(d, s4);
            d = FloatVector.fromArray(S, d0, do0);
            s6 = a.fma(d, s6);
            s7 = b.fma(d, s7);
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
    }

    /** Weight gradient of stride 2, from one row of dy and three of x. */
    static void weightsStrided(float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, int xs, boolean left,
            boolean right, int pixels, float[] dy, int dyo, int ds, float[] sums, int so) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0;
        FloatVector a0 = s0, a1 = s0, a2 = s0;
        if (!left) {
            a0 = FloatVector.fromArray(S, x0, o0);
            a1 = FloatVector.fromArray(S, x1, o1);
            a2 = FloatVector.fromArray(S, x2, o2);
            o0 += xs;
            o1 += xs;
            o2 += xs;
        }
        for (int i = 0; i < pixels; i++) {
            FloatVector d = FloatVector.fromArray(S, dy, dyo);
            dyo += ds;
            s0 = a0.fma(d, s0);
            s3 = a1.fma(d, s3);
            s6 = a2.fma(d, s6);
            s1 = FloatVector.fromArray(S, x0, o0).fma(d, s1);
            s4 = FloatVector.fromArray(S, x1, o1).fma(d, s4);
            s7 = FloatVector.fromArray(S, x2, o2).fma(d, s7);
            a0 = FloatVector.fromArray(S, x0, o0 + xs);
            a1 = FloatVector.fromArray(S, x1, o1 + xs);
            a2 = FloatVector.fromArray(S, x2, o2 + xs);
            s2 = a0.fma(d, s2);
            s5 = a1.fma(d, s5);
            s8 = a2.fma(d, s8);
            o0 += 2 * xs;
            o1 += 2 * xs;
            o2 += 2 * xs;
        }
        if (right) {
            FloatVector d = FloatVector.fromArray(S, dy, dyo);
            s0 = a0.fma(d, s0);
            s3 = a1.fma(d, s3);
            s6 = a2.fma(d, s6);
            s1 = FloatVector.fromArray(S, x0, o0).fma(d, s1);
            s4 = FloatVector.fromArray(S, x1, o1).fma(d, s4);
            s7 = FloatVector.fromArray(S, x2, o2).fma(d, s7);
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
    }

    private static void add(FloatVector s, float[] sums, int at) {
        FloatVector.fromArray(S, sums, at).add(s).intoArray(sums, at);
    }

    /** to[0..L] = the sums of {@code n} vectors that lie {@code step} floats apart. */
    static void total(float[] sums, int so, int step, int n, float[] to) {
        FloatVector s = FloatVector.fromArray(S, sums, so);
        for (int i = 1; i < n; i++) {
            s = s.add(FloatVector.fromArray(S, sums, so + i * step));
        }
        s.intoArray(to, 0);
    }
}
