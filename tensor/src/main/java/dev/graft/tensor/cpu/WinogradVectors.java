package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The transforms of Winograd F(4x4,3x3) and, for edges, F(3,3) and F(2,3) at a part of its points, for one vector of
 * channels (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.3). The smaller ones take
 * the transformed weights of F(4,3); what differs in scale is in their input transform. Each goes over columns, then over
 * rows; the values between stay in L1. {@link PlainWinograd} has the same as formulas.
 */
final class WinogradVectors {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;

    private WinogradVectors() {}

    static void input(int rows, int cols, float[] x, int xo, int rs, int cs, float[] v, int vo, int vs, float[] t) {
        for (int j = 0; j < cols + 2; j++) {
            switch (rows) {
                case 4 -> input4(x, xo + j * cs, rs, t, j * L, 6 * L);
                case 3 -> input3(x, xo + j * cs, rs, t, j * L, 6 * L);
                default -> input2(x, xo + j * cs, rs, t, j * L, 6 * L);
            }
        }
        for (int i = 0; i < 6; i++) {
            if (WinogradTiles.uses(rows, i)) {
                switch (cols) {
                    case 4 -> input4(t, 6 * i * L, L, v, vo + 6 * i * vs, vs);
                    case 3 -> input3(t, 6 * i * L, L, v, vo + 6 * i * vs, vs);
                    default -> input2(t, 6 * i * L, L, v, vo + 6 * i * vs, vs);
                }
            }
        }
    }

    private static void input4(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector d0 = FloatVector.fromArray(S, a, ao);
        FloatVector d1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector d2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector d3 = FloatVector.fromArray(S, a, ao + 3 * as);
        FloatVector d4 = FloatVector.fromArray(S, a, ao + 4 * as);
        FloatVector d5 = FloatVector.fromArray(S, a, ao + 5 * as);
        FloatVector even = d4.sub(d2.mul(4f));
        FloatVector odd = d3.sub(d1.mul(4f));
        FloatVector near = d4.sub(d2);
        FloatVector twice = d3.sub(d1).mul(2f);
        d0.mul(4f).sub(d2.mul(5f)).add(d4).intoArray(r, ro);
        even.add(odd).intoArray(r, ro + rs);
        even.sub(odd).intoArray(r, ro + 2 * rs);
        near.add(twice).intoArray(r, ro + 3 * rs);
        near.sub(twice).intoArray(r, ro + 4 * rs);
        d1.mul(4f).sub(d3.mul(5f)).add(d5).intoArray(r, ro + 5 * rs);
    }

    private static void input3(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector d0 = FloatVector.fromArray(S, a, ao);
        FloatVector d1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector d2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector d3 = FloatVector.fromArray(S, a, ao + 3 * as);
        FloatVector d4 = FloatVector.fromArray(S, a, ao + 4 * as);
        FloatVector odd = d3.sub(d1);
        odd.add(d0.sub(d2).mul(2f)).mul(2f).intoArray(r, ro);
        d3.sub(d2).sub(d1.mul(2f)).mul(3f).intoArray(r, ro + rs);
        d3.sub(d2.mul(3f)).add(d1.mul(2f)).intoArray(r, ro + 2 * rs);
        odd.mul(4f).intoArray(r, ro + 3 * rs);
        d4.sub(d2).sub(odd.mul(2f)).intoArray(r, ro + 5 * rs);
    }

    private static void input2(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector d0 = FloatVector.fromArray(S, a, ao);
        FloatVector d1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector d2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector d3 = FloatVector.fromArray(S, a, ao + 3 * as);
        d0.sub(d2).mul(4f).intoArray(r, ro);
        d1.add(d2).mul(-3f).intoArray(r, ro + rs);
        d1.sub(d2).mul(3f).intoArray(r, ro + 2 * rs);
        d3.sub(d1).intoArray(r, ro + 5 * rs);
    }

    static void weights(float[] w, int wo, int ws, float[] u, int uo, int us, float[] t) {
        for (int j = 0; j < 3; j++) {
            weights(w, wo + j * ws, 3 * ws, t, j * L, 3 * L);
        }
        for (int i = 0; i < 6; i++) {
            weights(t, 3 * i * L, L, u, uo + 6 * i * us, us);
        }
    }

    private static void weights(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector g0 = FloatVector.fromArray(S, a, ao);
        FloatVector g1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector g2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector outer = g0.add(g2).mul(-1f / 6);
        FloatVector middle = g1.mul(1f / 6);
        FloatVector far = g0.mul(1f / 24).add(g2.mul(1f / 6));
        FloatVector half = g1.mul(1f / 12);
        g0.mul(0.25f).intoArray(r, ro);
        outer.sub(middle).intoArray(r, ro + rs);
        outer.add(middle).intoArray(r, ro + 2 * rs);
        far.add(half).intoArray(r, ro + 3 * rs);
        far.sub(half).intoArray(r, ro + 4 * rs);
        g2.intoArray(r, ro + 5 * rs);
    }

    /** Positions 0 to 17 or 18 to 35 of the weight transform, the values u[uo + i*us], with the bits of {@link #weights}. */
    static void weightsHalf(int half, float[] w, int wo, int ws, float[] u, int uo, int us, float[] t) {
        for (int j = 0; j < 3; j++) {
            if (half == 0) {
                upper(w, wo + j * ws, 3 * ws, t, j * L, 3 * L);
            } else {
                lower(w, wo + j * ws, 3 * ws, t, j * L, 3 * L);
            }
        }
        for (int i = 0; i < 3; i++) {
            weights(t, 3 * i * L, L, u, uo + 6 * i * us, us);
        }
    }

    private static void upper(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector g0 = FloatVector.fromArray(S, a, ao);
        FloatVector outer = g0.add(FloatVector.fromArray(S, a, ao + 2 * as)).mul(-1f / 6);
        FloatVector middle = FloatVector.fromArray(S, a, ao + as).mul(1f / 6);
        g0.mul(0.25f).intoArray(r, ro);
        outer.sub(middle).intoArray(r, ro + rs);
        outer.add(middle).intoArray(r, ro + 2 * rs);
    }

    private static void lower(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector g2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector far = FloatVector.fromArray(S, a, ao).mul(1f / 24).add(g2.mul(1f / 6));
        FloatVector half = FloatVector.fromArray(S, a, ao + as).mul(1f / 12);
        far.add(half).intoArray(r, ro);
        far.sub(half).intoArray(r, ro + rs);
        g2.intoArray(r, ro + 2 * rs);
    }

    /** Columns all of them, then as many rows as lie in the image; {@code down} and {@code across} say how many do. */
    static void output(int rows, int cols, float[] m, int mo, int ms, float[] y, int yo, int rs, int cs, int down,
            int across, float[] t) {
        for (int j = 0; j < 6; j++) {
            if (WinogradTiles.uses(cols, j)) {
                switch (rows) {
                    case 4 -> output4(m, mo + j * ms, 6 * ms, t, j * L, 6 * L, 4);
                    case 3 -> output3(m, mo + j * ms, 6 * ms, t, j * L, 6 * L, 3);
                    default -> output2(m, mo + j * ms, 6 * ms, t, j * L, 6 * L, 2);
                }
            }
        }
        for (int i = 0; i < down; i++) {
            switch (cols) {
                case 4 -> output4(t, 6 * i * L, L, y, yo + i * rs, cs, across);
                case 3 -> output3(t, 6 * i * L, L, y, yo + i * rs, cs, across);
                default -> output2(t, 6 * i * L, L, y, yo + i * rs, cs, across);
            }
        }
    }

    private static void output4(float[] a, int ao, int as, float[] r, int ro, int rs, int n) {
        FloatVector m0 = FloatVector.fromArray(S, a, ao);
        FloatVector m1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector m2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector m3 = FloatVector.fromArray(S, a, ao + 3 * as);
        FloatVector m4 = FloatVector.fromArray(S, a, ao + 4 * as);
        FloatVector m5 = FloatVector.fromArray(S, a, ao + 5 * as);
        FloatVector a12 = m1.add(m2);
        FloatVector s12 = m1.sub(m2);
        FloatVector a34 = m3.add(m4);
        FloatVector s34 = m3.sub(m4);
        m0.add(a12).add(a34).intoArray(r, ro);
        if (n > 1) {
            s12.add(s34.mul(2f)).intoArray(r, ro + rs);
        }
        if (n > 2) {
            a12.add(a34.mul(4f)).intoArray(r, ro + 2 * rs);
        }
        if (n > 3) {
            s12.add(s34.mul(8f)).add(m5).intoArray(r, ro + 3 * rs);
        }
    }

    private static void output3(float[] a, int ao, int as, float[] r, int ro, int rs, int n) {
        FloatVector m0 = FloatVector.fromArray(S, a, ao);
        FloatVector m1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector m2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector m3 = FloatVector.fromArray(S, a, ao + 3 * as);
        FloatVector m5 = FloatVector.fromArray(S, a, ao + 5 * as);
        FloatVector a12 = m1.add(m2);
        m0.add(a12).add(m3).intoArray(r, ro);
        if (n > 1) {
            m1.sub(m2).add(m3.mul(2f)).intoArray(r, ro + rs);
        }
        if (n > 2) {
            a12.add(m3.mul(4f)).add(m5).intoArray(r, ro + 2 * rs);
        }
    }

    private static void output2(float[] a, int ao, int as, float[] r, int ro, int rs, int n) {
        FloatVector m0 = FloatVector.fromArray(S, a, ao);
        FloatVector m1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector m2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector m5 = FloatVector.fromArray(S, a, ao + 5 * as);
        m0.add(m1.add(m2)).intoArray(r, ro);
        if (n > 1) {
            m1.sub(m2).add(m5).intoArray(r, ro + rs);
        }
    }

    static void outputGradient(int rows, int cols, float[] dy, int dyo, int rs, int cs, float[] v, int vo, int vs,
            float[] t) {
        for (int j = 0; j < cols; j++) {
            switch (rows) {
                case 4 -> outputGradient4(dy, dyo + j * cs, rs, t, j * L, 4 * L);
                case 3 -> outputGradient3(dy, dyo + j * cs, rs, t, j * L, 4 * L);
                default -> outputGradient2(dy, dyo + j * cs, rs, t, j * L, 4 * L);
            }
        }
        for (int i = 0; i < 6; i++) {
            if (WinogradTiles.uses(rows, i)) {
                switch (cols) {
                    case 4 -> outputGradient4(t, 4 * i * L, L, v, vo + 6 * i * vs, vs);
                    case 3 -> outputGradient3(t, 4 * i * L, L, v, vo + 6 * i * vs, vs);
                    default -> outputGradient2(t, 4 * i * L, L, v, vo + 6 * i * vs, vs);
                }
            }
        }
    }

    private static void outputGradient4(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector d0 = FloatVector.fromArray(S, a, ao);
        FloatVector d1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector d2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector d3 = FloatVector.fromArray(S, a, ao + 3 * as);
        FloatVector even = d0.add(d2);
        FloatVector odd = d1.add(d3);
        FloatVector even2 = d2.mul(4f).add(d0);
        FloatVector odd2 = d3.mul(8f).add(d1.mul(2f));
        d0.intoArray(r, ro);
        even.add(odd).intoArray(r, ro + rs);
        even.sub(odd).intoArray(r, ro + 2 * rs);
        even2.add(odd2).intoArray(r, ro + 3 * rs);
        even2.sub(odd2).intoArray(r, ro + 4 * rs);
        d3.intoArray(r, ro + 5 * rs);
    }

    private static void outputGradient3(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector d0 = FloatVector.fromArray(S, a, ao);
        FloatVector d1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector d2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector even = d0.add(d2);
        d0.intoArray(r, ro);
        even.add(d1).intoArray(r, ro + rs);
        even.sub(d1).intoArray(r, ro + 2 * rs);
        d0.add(d1.mul(2f)).add(d2.mul(4f)).intoArray(r, ro + 3 * rs);
        d2.intoArray(r, ro + 5 * rs);
    }

    private static void outputGradient2(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector d0 = FloatVector.fromArray(S, a, ao);
        FloatVector d1 = FloatVector.fromArray(S, a, ao + as);
        d0.intoArray(r, ro);
        d0.add(d1).intoArray(r, ro + rs);
        d0.sub(d1).intoArray(r, ro + 2 * rs);
        d1.intoArray(r, ro + 5 * rs);
    }

    static void weightGradient(float[] u, int uo, int us, float[] dw, int dwo, int dws, float[] t) {
        for (int j = 0; j < 6; j++) {
            weightGradient(u, uo + j * us, 6 * us, t, j * L, 6 * L);
        }
        for (int i = 0; i < 3; i++) {
            weightGradient(t, 6 * i * L, L, dw, dwo + 3 * i * dws, dws);
        }
    }

    private static void weightGradient(float[] a, int ao, int as, float[] r, int ro, int rs) {
        FloatVector u1 = FloatVector.fromArray(S, a, ao + as);
        FloatVector u2 = FloatVector.fromArray(S, a, ao + 2 * as);
        FloatVector u3 = FloatVector.fromArray(S, a, ao + 3 * as);
        FloatVector u4 = FloatVector.fromArray(S, a, ao + 4 * as);
        FloatVector near = u1.add(u2).mul(1f / 6);
        FloatVector far = u3.add(u4);
        FloatVector.fromArray(S, a, ao).mul(0.25f).sub(near).add(far.mul(1f / 24)).intoArray(r, ro);
        u2.sub(u1).mul(1f / 6).add(u3.sub(u4).mul(1f / 12)).intoArray(r, ro + rs);
        far.mul(1f / 6).sub(near).add(FloatVector.fromArray(S, a, ao + 5 * as)).intoArray(r, ro + 2 * rs);
    }
}
