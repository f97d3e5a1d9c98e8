package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Elementary functions on float vectors, a few units in the last place from the exact value, with the results of
 * {@link Math} for infinities, NaN and out-of-range arguments. Each reduces its argument to a small interval and
 * evaluates a polynomial there; the coefficients are our own minimax fits (iteratively reweighted least squares on
 * Chebyshev nodes, minimising the relative error of the result).
 *
 * <p>C2 inlines methods of ours only while the code inlined so far is below limits that about 40 vector operations
 * reach (DesiredMethodLimit, NodeCountInliningCutoff), and a vector that crosses a call is boxed, ten times slower. So the
 * largest call comes last where possible, followed only by the Vector API's own methods, which are always inlined; a
 * loop that needs two of these functions is cut in two.
 */
final class SimdMath {
    static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;

    /** Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: no slow float-to-int conversion. */
    private static final float ROUND = 12582912f;
    private static final int ROUND_BITS = 0x4B400000;
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0x1.62e4p-1f; // few bits: exact when multiplied by an exponent
    private static final float LN2_LOW = 0x1.7f7d1cp-20f;
    private static final float EXP_MAX = 88.72284f; // larger arguments overflow
    private static final float EXP_MIN = -104f; // smaller ones underflow to 0

    /** Arguments of {@link #sin} and {@link #cos} must not be larger: the reduction uses 72 bits of pi / 2. */
    static final float TRIG_LIMIT = 8192f;

    private static final int LANES = S.length();
    /** Lanes that lie so far apart swapped. */
    static final VectorShuffle<Float> BY_8 = swap(8);
    static final VectorShuffle<Float> BY_4 = swap(4);
    static final VectorShuffle<Float> BY_2 = swap(2);
    static final VectorShuffle<Float> BY_1 = swap(1);

    private SimdMath() {}

    private static VectorShuffle<Float> swap(int distance) {
        return VectorShuffle.fromOp(S, i -> (i ^ distance) & (S.length() - 1));
    }

    /**
     * Sum of the lanes, added as a tree. {@code reduceLanes(ADD)} adds in an order that may change when a method is
     * compiled, and results must not depend on how warm the JVM is.
     */
    static float sum(FloatVector v) {
        if (LANES > 16 || LANES < 4) {
            return sum(v.toArray());
        }
        FloatVector t = v;
        if (LANES == 16) {
            t = t.add(t.rearrange(BY_8));
        }
        if (LANES >= 8) {
            t = t.add(t.rearrange(BY_4));
        }
        t = t.add(t.rearrange(BY_2));
        t = t.add(t.rearrange(BY_1));
        return t.lane(0);
    }

    static float sum(float[] t) {
        for (int h = t.length / 2; h > 0; h /= 2) {
            for (int i = 0; i < h; i++) {
                t[i] += t[i + h];
            }
        }
        return t[0];
    }

    static FloatVector all(float v) {
        return FloatVector.broadcast(S, v);
    }

    static FloatVector exp(FloatVector x) {
        FloatVector t = x.fma(all(LOG2_E), all(ROUND));
        FloatVector p = expReduced(x, t.sub(ROUND));
        IntVector n = t.reinterpretAsInts().sub(ROUND_BITS);
        IntVector half = n.lanewise(VectorOperators.ASHR, 1); // two factors: 2^n itself may be out of range
        FloatVector y = p.mul(powerOfTwo(half)).mul(powerOfTwo(n.sub(half)));
        y = y.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_MAX));
        return y.blend(0f, x.compare(VectorOperators.LT, EXP_MIN));
    }

    /** exp(x - n ln 2) for |x - n ln 2| <= ln(2) / 2. */
    private static FloatVector expReduced(FloatVector x, FloatVector n) {
        FloatVector r = n.fma(all(-LN2_HIGH), x);
        r = n.fma(all(-LN2_LOW), r);
        FloatVector p = r.fma(all(1.381459646e-3f), all(8.368717507e-3f));
        p = p.fma(r, all(4.166838899e-2f));
        p = p.fma(r, all(1.666652113e-1f));
        p = p.fma(r, all(4.999999404e-1f));
        return p.fma(r.mul(r), r).add(1f);
    }

    private static FloatVector powerOfTwo(IntVector n) {
        return n.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    }

    static FloatVector expm1(FloatVector x) {
        FloatVector y = expm1InRange(x);
        y = y.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_MAX));
        return y.blend(-1f, x.compare(VectorOperators.LT, -20f));
    }

    /** exp(x) - 1 for arguments from -80 to 88: 2^n (exp(r) - 1) + (2^n - 1), scaled by 1/2 to keep 2^n finite. */
    private static FloatVector expm1InRange(FloatVector x) {
        FloatVector t = x.fma(all(LOG2_E), all(ROUND));
        FloatVector n = t.sub(ROUND);
        FloatVector r = n.fma(all(-LN2_HIGH), x);
        r = n.fma(all(-LN2_LOW), r);
        FloatVector p = r.fma(all(1.984587725e-4f), all(1.394062769e-3f));
        p = p.fma(r, all(8.333389647e-3f));
        p = p.fma(r, all(4.166636243e-2f));
        p = p.fma(r, all(1.666666567e-1f));
        p = p.fma(r, all(0.5f));
        p = p.fma(r.mul(r), r);
        FloatVector s = powerOfTwo(t.reinterpretAsInts().sub(ROUND_BITS + 1));
        FloatVector y = s.fma(p, s.sub(0.5f));
        return y.add(y);
    }

    static FloatVector log(FloatVector x) {
        VectorMask<Float> tiny = x.compare(VectorOperators.LT, Float.MIN_NORMAL);
        FloatVector v = x.blend(x.mul(8388608f), tiny);
        IntVector bits = v.reinterpretAsInts();
        IntVector e = bits.sub(0x3f3504f3).lanewise(VectorOperators.ASHR, 23); // mantissa from sqrt(1/2) to sqrt(2)
        FloatVector f = bits.sub(e.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats().sub(1f);
        FloatVector n = (FloatVector) e.convertShape(VectorOperators.I2F, S, 0);
        n = n.blend(n.sub(23f), tiny);
        FloatVector p = f.fma(all(-7.634320855e-2f), all(1.276540160e-1f));
        p = p.fma(f, all(-1.316201687e-1f));
        p = p.fma(f, all(1.420137286e-1f));
        p = p.fma(f, all(-1.662314385e-1f));
        p = p.fma(f, all(2.000123560e-1f));
        p = p.fma(f, all(-2.500082552e-1f));
        p = p.fma(f, all(3.333333135e-1f));
        FloatVector ff = f.mul(f);
        FloatVector y = n.fma(all(LN2_LOW), p.mul(f).mul(ff));
        y = ff.fma(all(-0.5f), y);
        y = n.fma(all(LN2_HIGH), f.add(y));
        y = x.blend(y, x.compare(VectorOperators.LT, Float.POSITIVE_INFINITY)); // infinity and NaN stay
        y = y.blend(Float.NaN, x.compare(VectorOperators.LT, 0f));
        return y.blend(Float.NEGATIVE_INFINITY, x.compare(VectorOperators.EQ, 0f));
    }

    /** log(u) + (x - (u - 1)) / u with u = fl(1 + x): the second term is what the addition rounded away. */
    static FloatVector log1p(FloatVector x) {
        FloatVector u = x.add(1f);
        FloatVector lost = x.sub(u.sub(1f)).div(u);
        VectorMask<Float> usable = u.compare(VectorOperators.LT, Float.POSITIVE_INFINITY)
                .and(u.compare(VectorOperators.GT, 0f));
        lost = all(0f).blend(lost, usable);
        return log(u).add(lost);
    }

    /** sin for |x| up to {@link #TRIG_LIMIT}. */
    static FloatVector sin(FloatVector x) {
        return sinQuadrant(x, 0);
    }

    /** cos for |x| up to {@link #TRIG_LIMIT}. */
    static FloatVector cos(FloatVector x) {
        return sinQuadrant(x, 1);
    }

    /** sin(x + quadrant * pi / 2). */
    private static FloatVector sinQuadrant(FloatVector x, int quadrant) {
        FloatVector t = x.fma(all(0.636619772f), all(ROUND));
        FloatVector n = t.sub(ROUND);
        FloatVector r = n.fma(all(-0x1.921fb6p0f), x); // pi / 2 in three parts
        r = n.fma(all(0x1.777a5cp-25f), r);
        r = n.fma(all(0x1.ee59dap-50f), r);
        FloatVector s = r.mul(r);
        FloatVector p = s.fma(all(-1.951463055e-4f), all(8.332155645e-3f));
        p = p.fma(s, all(-1.666665524e-1f));
        FloatVector sin = p.fma(s.mul(r), r);
        FloatVector q = s.fma(all(2.443772792e-5f), all(-1.388736186e-3f));
        q = q.fma(s, all(4.166664556e-2f));
        FloatVector cos = q.fma(s.mul(s), s.fma(all(-0.5f), all(1f)));
        IntVector k = t.reinterpretAsInts().add(quadrant);
        VectorMask<Float> odd = k.and(1).compare(VectorOperators.NE, 0).cast(S);
        IntVector sign = k.and(2).lanewise(VectorOperators.LSHL, 30);
        return sin.blend(cos, odd).reinterpretAsInts().lanewise(VectorOperators.XOR, sign).reinterpretAsFloats();
    }

    static FloatVector sigmoid(FloatVector x) {
        return all(1f).div(exp(x.neg()).add(1f));
    }

    /** {@code magnitude}, which is not negative, with the sign of {@code x}. */
    private static FloatVector copySign(FloatVector magnitude, FloatVector x) {
        IntVector sign = x.reinterpretAsInts().and(0x80000000);
        return magnitude.reinterpretAsInts().or(sign).reinterpretAsFloats();
    }

    /** Nearest integer, ties to even. */
    static FloatVector round(FloatVector x) {
        FloatVector r = copySign(x.abs().add(8388608f).sub(8388608f), x);
        return x.blend(r, x.abs().compare(VectorOperators.LT, 8388608f)); // larger floats are integers
    }

    static FloatVector floor(FloatVector x) {
        FloatVector r = round(x);
        return r.blend(r.sub(1f), r.compare(VectorOperators.GT, x));
    }

    static FloatVector ceil(FloatVector x) {
        FloatVector r = round(x);
        return r.blend(r.add(1f), r.compare(VectorOperators.LT, x));
    }
}
