package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;
import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The loops of softmax along a row. As {@link SimdGelu} they call the Vector API's own methods only. */
final class SimdSoftmax {
    private static final int L = S.length();
    /** 1.5 * 2^23 + 127: added, it rounds to an integer n and leaves n + 127, the exponent of 2^n, in the low bits. */
    private static final float ROUND = 12583039f;
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0x1.62e4p-1f;
    private static final float LN2_LOW = 0x1.7f7d1cp-20f;
    private static final float UNDERFLOW = -86f;

    private SimdSoftmax() {}

    /** {@link RowLoops#largest} of at least one vector of elements; a comparison is quicker than max, which minds NaN. */
    static float largest(float[] x, int xo, int n) {
        FloatVector a = FloatVector.fromArray(S, x, xo + n - L); // overlaps the last one of the loop
        FloatVector b = FloatVector.fromArray(S, x, xo);
        FloatVector c = b;
        FloatVector d = b;
        int quads = n - n % (4 * L);
        for (int i = 0; i < quads; i += 4 * L) {
            FloatVector t = FloatVector.fromArray(S, x, xo + i);
            FloatVector u = FloatVector.fromArray(S, x, xo + i + L);
            FloatVector v = FloatVector.fromArray(S, x, xo + i + 2 * L);
            FloatVector w = FloatVector.fromArray(S, x, xo + i + 3 * L);
            a = a.blend(t, t.compare(GT, a));
            b = b.blend(u, u.compare(GT, b));
            c = c.blend(v, v.compare(GT, c));
            d = d.blend(w, w.compare(GT, d));
        }
        for (int i = quads; i <= n - L; i += L) {
            FloatVector t = FloatVector.fromArray(S, x, xo + i);
            a = a.blend(t, t.compare(GT, a));
        }
        b = b.blend(c, c.compare(GT, b));
        a = a.blend(d, d.compare(GT, a));
        a = a.blend(b, b.compare(GT, a));
        if (L > 16 || L < 4) {
            return a.reduceLanes(VectorOperators.MAX);
        }
        if (L == 16) {
            b = a.rearrange(SimdMath.BY_8);
            a = a.blend(b, b.compare(GT, a));
        }
        if (L >= 8) {
            b = a.rearrange(SimdMath.BY_4);
            a = a.blend(b, b.compare(GT, a));
        }
        b = a.rearrange(SimdMath.BY_2);
        a = a.blend(b, b.compare(GT, a));
        return Math.max(a.lane(0), a.lane(1));
    }

    static float expSum(float[] x, int xo, float max, float[] y, int yo, int n) {
        int rest = n % (2 * L);
        float s = rest < n ? expSumPairs(x, xo, max, y, yo, n - rest) : 0f;
        if (rest > 0) {
            float[] t = new float[2 * L];
            System.arraycopy(x, xo + n - rest, t, 0, rest);
            Arrays.fill(t, rest, 2 * L, Float.NEGATIVE_INFINITY);
            s += expSumPairs(t, 0, max, t, 0, 2 * L);
            System.arraycopy(t, 0, y, yo + n - rest, rest);
        }
        return s;
    }

    /**
     * Two vectors at a time. This also makes the method too large to be inlined into loops over rows, where C2 leaves
     * constants and bounds checks in the inner loop and takes twice the time.
     */
    private static float expSumPairs(float[] x, int xo, float max, float[] y, int yo, int n) {
        FloatVector s = FloatVector.zero(S);
        FloatVector z = s;
        for (int i = 0; i < n; i += 2 * L) {
            FloatVector d = FloatVector.fromArray(S, x, xo + i).sub(max);
            FloatVector c = FloatVector.fromArray(S, x, xo + i + L).sub(max);
            FloatVector m = d.fma(broadcast(S, LOG2_E), broadcast(S, ROUND));
            FloatVector o = c.fma(broadcast(S, LOG2_E), broadcast(S, ROUND));
            FloatVector k = m.sub(ROUND);
            FloatVector l = o.sub(ROUND);
            FloatVector r = k.fma(broadcast(S, -LN2_HIGH), d);
            FloatVector u = l.fma(broadcast(S, -LN2_HIGH), c);
            r = k.fma(broadcast(S, -LN2_LOW), r);
            u = l.fma(broadcast(S, -LN2_LOW), u);
            FloatVector p = r.fma(broadcast(S, 1.381459646e-3f), broadcast(S, 8.368717507e-3f));
            FloatVector q = u.fma(broadcast(S, 1.381459646e-3f), broadcast(S, 8.368717507e-3f));
            p = p.fma(r, broadcast(S, 4.166838899e-2f));
            q = q.fma(u, broadcast(S, 4.166838899e-2f));
            p = p.fma(r, broadcast(S, 1.666652113e-1f));
            q = q.fma(u, broadcast(S, 1.666652113e-1f));
            p = p.fma(r, broadcast(S, 4.999999404e-1f));
            q = q.fma(u, broadcast(S, 4.999999404e-1f));
            p = p.fma(r, broadcast(S, 1f));
            q = q.fma(u, broadcast(S, 1f));
            p = p.fma(r, broadcast(S, 1f));
            q = q.fma(u, broadcast(S, 1f));
            p = p.mul(m.reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats());
            q = q.mul(o.reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats());
            p = p.blend(0f, d.compare(LT, UNDERFLOW));
            q = q.blend(0f, c.compare(LT, UNDERFLOW));
            p.intoArray(y, yo + i);
            q.intoArray(y, yo + i + L);
            s = s.add(p);
            z = z.add(q);
        }
        s = s.add(z);
        if (L > 16 || L < 4) {
            return SimdMath.sum(s.toArray());
        }
        if (L == 16) { // as SimdMath.sum
            s = s.add(s.rearrange(SimdMath.BY_8));
        }
        if (L >= 8) {
            s = s.add(s.rearrange(SimdMath.BY_4));
        }
        s = s.add(s.rearrange(SimdMath.BY_2));
        return s.add(s.rearrange(SimdMath.BY_1)).lane(0);
    }
}
