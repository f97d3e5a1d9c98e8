package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;
import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LE;
import static jdk.incubator.vector.VectorOperators.LSHL;

import jdk.incubator.vector.FloatVector;

/**
 * GELU with the exact error function, in one loop that keeps up with memory. With t = |x| and the normal distribution's
 * upper tail p(t) = erfc(t / sqrt 2) / 2, x &Phi;(x) is max(x, 0) - t p(t), without the cancellation of 1 + erf for negative
 * x. Beyond t = 6, where t p(t) is below 6e-9, the tail counts as 0. Polynomials are our own weighted minimax fits (as in
 * {@link SimdMath}); absolute error below 1e-7 max(|x|, 1).
 *
 * <p>Only the Vector API's own methods are called: C2 stops to inline ours when it has compiled them before as methods of
 * some size, and a vector that crosses a call is boxed.
 */
final class SimdGelu {
    private static final int L = S.length();
    /** 1.5 * 2^23 + 127: added, it rounds to an integer n and leaves n + 127, the exponent of 2^n, in the low bits. */
    private static final float ROUND = 12583039f;
    private static final float CUT = 6f;
    private static final float SLOPE_CUT = 6.5f;
    private static final float HALF_LOG2_E = 0.721347520f;

    private SimdGelu() {}

    /** y = gelu(x); n is a multiple of the vector length. */
    static void value(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = FloatVector.fromArray(S, x, xo + i);
            FloatVector t = v.abs();
            FloatVector q = t.fma(broadcast(S, -2.123386977e-08f), broadcast(S, 6.613079790e-07f)); // log2 p(t)
            q = q.fma(t, broadcast(S, -8.815006368e-06f));
            q = q.fma(t, broadcast(S, 6.368449976e-05f));
            q = q.fma(t, broadcast(S, -2.347643604e-04f));
            q = q.fma(t, broadcast(S, -9.534219134e-05f));
            q = q.fma(t, broadcast(S, 7.066643797e-03f));
            q = q.fma(t, broadcast(S, -5.252494290e-02f));
            q = q.fma(t, broadcast(S, -4.591920972e-01f));
            q = q.fma(t, broadcast(S, -1.151107907e+00f));
            q = q.fma(t, broadcast(S, -9.999999404e-01f));
            FloatVector m = q.add(ROUND);
            FloatVector f = q.sub(m.sub(ROUND));
            FloatVector p = f.fma(broadcast(S, 1.327647129e-03f), broadcast(S, 9.675540961e-03f)); // 2^f
            p = p.fma(f, broadcast(S, 5.550713092e-02f));
            p = p.fma(f, broadcast(S, 2.402212024e-01f));
            p = p.fma(f, broadcast(S, 6.931469440e-01f));
            p = p.fma(f, broadcast(S, 1.000000119e+00f));
            FloatVector tail = p.mul(m.reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats()).mul(t);
            tail = tail.blend(0f, t.compare(GT, CUT));
            v.blend(v.mul(0f), v.compare(LE, 0f)).sub(tail).intoArray(y, yo + i); // NaN for -infinity, as the formula
        }
    }

    /**
     * c = gelu(c + bias) for a matrix of whole vectors whose rows are {@code ldc} apart. One loop over all of them: rows are
     * too short for one each, which would load the polynomials' coefficients anew. The polynomials are those of
     * {@link #value}, written again because a shared method might not be inlined.
     */
    static void rows(int rows, int columns, float[] bias, int bo, float[] c, int co, int ldc) {
        int j = 0;
        int at = co;
        for (int i = 0; i < rows * columns; i += L) {
            FloatVector v = FloatVector.fromArray(S, c, at).add(FloatVector.fromArray(S, bias, bo + j));
            FloatVector t = v.abs();
            FloatVector q = t.fma(broadcast(S, -2.123386977e-08f), broadcast(S, 6.613079790e-07f)); // log2 p(t)
            q = q.fma(t, broadcast(S, -8.815006368e-06f));
            q = q.fma(t, broadcast(S, 6.368449976e-05f));
            q = q.fma(t, broadcast(S, -2.347643604e-04f));
            q = q.fma(t, broadcast(S, -9.534219134e-05f));
            q = q.fma(t, broadcast(S, 7.066643797e-03f));
            q = q.fma(t, broadcast(S, -5.252494290e-02f));
            q = q.fma(t, broadcast(S, -4.591920972e-01f));
            q = q.fma(t, broadcast(S, -1.151107907e+00f));
            q = q.fma(t, broadcast(S, -9.999999404e-01f));
            FloatVector m = q.add(ROUND);
            FloatVector f = q.sub(m.sub(ROUND));
            FloatVector p = f.fma(broadcast(S, 1.327647129e-03f), broadcast(S, 9.675540961e-03f)); // 2^f
            p = p.fma(f, broadcast(S, 5.550713092e-02f));
            p = p.fma(f, broadcast(S, 2.402212024e-01f));
            p = p.fma(f, broadcast(S, 6.931469440e-01f));
            p = p.fma(f, broadcast(S, 1.000000119e+00f));
            FloatVector tail = p.mul(m.reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats()).mul(t);
            tail = tail.blend(0f, t.compare(GT, CUT));
            v.blend(v.mul(0f), v.compare(LE, 0f)).sub(tail).intoArray(c, at); // NaN for -infinity, as the formula
            j += L;
            at += L;
            if (j == columns) {
                j = 0;
                at += ldc - columns;
            }
        }
    }

    /**
     * dx = dy gelu'(x), where gelu'(-t) = p(t) - t exp(-t^2 / 2) / sqrt(2 pi) = exp(-t^2 / 2) g(t) with a polynomial g, and
     * gelu'(t) = 1 - gelu'(-t).
     */
    static void gradient(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = FloatVector.fromArray(S, x, xo + i);
            FloatVector t = v.abs();
            FloatVector s = t.mul(t).mul(-HALF_LOG2_E);
            FloatVector m = s.add(ROUND);
            FloatVector f = s.sub(m.sub(ROUND));
            FloatVector p = f.fma(broadcast(S, 1.327647129e-03f), broadcast(S, 9.675540961e-03f)); // 2^f
            p = p.fma(f, broadcast(S, 5.550713092e-02f));
            p = p.fma(f, broadcast(S, 2.402212024e-01f));
            p = p.fma(f, broadcast(S, 6.931469440e-01f));
            p = p.fma(f, broadcast(S, 1.000000119e+00f));
            p = p.mul(m.reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats());
            FloatVector g = t.fma(broadcast(S, 1.631641226e-06f), broadcast(S, -3.520702012e-05f));
            g = g.fma(t, broadcast(S, 3.397334658e-04f));
            g = g.fma(t, broadcast(S, -1.974609680e-03f));
            g = g.fma(t, broadcast(S, 7.939353585e-03f));
            g = g.fma(t, broadcast(S, -2.431388199e-02f));
            g = g.fma(t, broadcast(S, 6.115484983e-02f));
            g = g.fma(t, broadcast(S, -1.325137764e-01f));
            g = g.fma(t, broadcast(S, 2.499167919e-01f));
            g = g.fma(t, broadcast(S, -7.978788018e-01f));
            g = g.fma(t, broadcast(S, 4.999999404e-01f)).mul(p);
            g = g.blend(0f, t.compare(GT, SLOPE_CUT));
            g = g.blend(g.neg().add(1f), v.compare(GT, 0f));
            g.mul(FloatVector.fromArray(S, dy, yo + i)).intoArray(dx, zo + i);
        }
    }
}
