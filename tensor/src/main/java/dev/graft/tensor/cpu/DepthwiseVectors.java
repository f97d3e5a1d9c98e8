package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/** Depthwise convolution for one vector of channels: several pixels, or several taps, are summed at once. */
final class DepthwiseVectors {
    private static final VectorSpecies<Float> S = VectorKernels.S;

    /** Taps whose weight gradients are summed in one pass over the pixels: a 3x3 kernel at once. */
    static final int GROUP = 9;

    private DepthwiseVectors() {}

    static void pixels8(int taps, int[] offsets, float[] x, int xo, int xs, float[] w, int wo, int ws,
            float[] y, int yo, int ys) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        int x2 = 2 * xs, x3 = 3 * xs, x4 = 4 * xs, x5 = 5 * xs, x6 = 6 * xs, x7 = 7 * xs;
        for (int t = 0; t < taps; t++) {
            FloatVector k = FloatVector.fromArray(S, w, wo + t * ws);
            int p = xo + offsets[t];
            s0 = k.fma(FloatVector.fromArray(S, x, p), s0);
            s1 = k.fma(FloatVector.fromArray(S, x, p + xs), s1);
            s2 = k.fma(FloatVector.fromArray(S, x, p + x2), s2);
            s3 = k.fma(FloatVector.fromArray(S, x, p + x3), s3);
            s4 = k.fma(FloatVector.fromArray(S, x, p + x4), s4);
            s5 = k.fma(FloatVector.fromArray(S, x, p + x5), s5);
            s6 = k.fma(FloatVector.fromArray(S, x, p + x6), s6);
            s7 = k.fma(FloatVector.fromArray(S, x, p + x7), s7);
        }
        s0.intoArray(y, yo);
        s1.intoArray(y, yo + ys);
        s2.intoArray(y, yo + 2 * ys);
        s3.intoArray(y, yo + 3 * ys);
        s4.intoArray(y, yo + 4 * ys);
        s5.intoArray(y, yo + 5 * ys);
        s6.intoArray(y, yo + 6 * ys);
        s7.intoArray(y, yo + 7 * ys);
    }

    static void pixels4(int taps, int[] offsets, float[] x, int xo, int xs, float[] w, int wo, int ws,
            float[] y, int yo, int ys) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0;
        for (int t = 0; t < taps; t++) {
            FloatVector k = FloatVector.fromArray(S, w, wo + t * ws);
            int p = xo + offsets[t];
            s0 = k.fma(FloatVector.fromArray(S, x, p), s0);
            s1 = k.fma(FloatVector.fromArray(S, x, p + xs), s1);
            s2 = k.fma(FloatVector.fromArray(S, x, p + 2 * xs), s2);
            s3 = k.fma(FloatVector.fromArray(S, x, p + 3 * xs), s3);
        }
        s0.intoArray(y, yo);
        s1.intoArray(y, yo + ys);
        s2.intoArray(y, yo + 2 * ys);
        s3.intoArray(y, yo + 3 * ys);
    }

    static void pixel(int taps, int[] offsets, float[] x, int xo, float[] w, int wo, int ws, float[] y, int yo) {
        FloatVector s = FloatVector.zero(S);
        for (int t = 0; t < taps; t++) {
            s = FloatVector.fromArray(S, w, wo + t * ws).fma(FloatVector.fromArray(S, x, xo + offsets[t]), s);
        }
        s.intoArray(y, yo);
    }

    /** Up to {@link #GROUP} taps from {@code first} on; missing ones repeat the first and are not stored. */
    static void weights(int taps, int[] offsets, int first, float[] x, int xo, int xs, float[] dy, int dyo, int dys,
            float[] dw, int dwo, int dws, int pixels, VectorMask<Float> fresh) {
        int o0 = offsets[first], o1 = taps > 1 ? offsets[first + 1] : o0, o2 = taps > 2 ? offsets[first + 2] : o0;
        int o3 = taps > 3 ? offsets[first + 3] : o0, o4 = taps > 4 ? offsets[first + 4] : o0;
        int o5 = taps > 5 ? offsets[first + 5] : o0, o6 = taps > 6 ? offsets[first + 6] : o0;
        int o7 = taps > 7 ? offsets[first + 7] : o0, o8 = taps > 8 ? offsets[first + 8] : o0;
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0;
        int p = xo;
        int q = dyo;
        for (int i = 0; i < pixels; i++) {
            FloatVector d = FloatVector.fromArray(S, dy, q);
            s0 = d.fma(FloatVector.fromArray(S, x, p + o0), s0);
            s1 = d.fma(FloatVector.fromArray(S, x, p + o1), s1);
            s2 = d.fma(FloatVector.fromArray(S, x, p + o2), s2);
            s3 = d.fma(FloatVector.fromArray(S, x, p + o3), s3);
            s4 = d.fma(FloatVector.fromArray(S, x, p + o4), s4);
            s5 = d.fma(FloatVector.fromArray(S, x, p + o5), s5);
            s6 = d.fma(FloatVector.fromArray(S, x, p + o6), s6);
            s7 = d.fma(FloatVector.fromArray(S, x, p + o7), s7);
            s8 = d.fma(FloatVector.fromArray(S, x, p + o8), s8);
            p += xs;
            q += dys;
        }
        add(s0, dw, dwo, fresh);
        if (taps > 1) add(s1, dw, dwo + dws, fresh);
        if (taps > 2) add(s2, dw, dwo + 2 * dws, fresh);
        if (taps > 3) add(s3, dw, dwo + 3 * dws, fresh);
        if (taps > 4) add(s4, dw, dwo + 4 * dws, fresh);
        if (taps > 5) add(s5, dw, dwo + 5 * dws, fresh);
        if (taps > 6) add(s6, dw, dwo + 6 * dws, fresh);
        if (taps > 7) add(s7, dw, dwo + 7 * dws, fresh);
        if (taps > 8) add(s8, dw, dwo + 8 * dws, fresh);
    }

    private static void add(FloatVector s, float[] dw, int at, VectorMask<Float> fresh) {
        FloatVector old = FloatVector.fromArray(S, dw, at);
        old.add(s, fresh).intoArray(dw, at);
    }
}
