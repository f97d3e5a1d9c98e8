package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;
import static dev.graft.tensor.cpu.SimdMath.all;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.graft.tensor.op.UnaryFn;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * {@link UnaryFn} functions on vectors. One method with one counted loop per function: the shape C2 compiles to tight code
 * without boxing. The loops take whole vectors only; {@link #run} passes the rest through a padded copy.
 */
final class SimdUnary {
    private static final int L = S.length();
    private static final float SELU_SCALE = (float) UnaryFn.SELU_SCALE;
    private static final float SELU_ALPHA = (float) UnaryFn.SELU_ALPHA;

    private SimdUnary() {}

    static void run(UnaryFn f, float a, float[] x, int xo, float[] y, int yo, int n) {
        int whole = S.loopBound(n);
        loop(f, a, x, xo, y, yo, whole);
        int rest = n - whole;
        if (rest > 0) {
            float[] t = new float[L];
            System.arraycopy(x, xo + whole, t, 0, rest);
            loop(f, a, t, 0, t, 0, L);
            System.arraycopy(t, 0, y, yo + whole, rest);
        }
    }

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    /** 2 sqrt(2 / pi) (v + 0.044715 v^3): gelu's tanh form is v sigmoid of this. */
    static FloatVector geluArgument(FloatVector v) {
        return v.mul(v).fma(all((float) (2 * UnaryFn.GELU_K * UnaryFn.GELU_C)), all((float) (2 * UnaryFn.GELU_K)))
                .mul(v);
    }

    /** v tanh(log(1 + e)) with e = exp(v), which is v n / (n + 2) with n = e (e + 2). */
    private static FloatVector mish(FloatVector v) {
        FloatVector e = SimdMath.exp(v.min(20f));
        FloatVector n = e.mul(e.add(2f));
        return v.mul(n.div(n.add(2f)));
    }

    /** Lanes beyond the range of the vector form, one by one. */
    private static FloatVector scalar(UnaryFn f, FloatVector v) {
        float[] t = v.toArray();
        for (int i = 0; i < L; i++) {
            t[i] = (float) f.apply(t[i], 0);
        }
        return load(t, 0);
    }

    private static void loop(UnaryFn f, float a, float[] x, int xo, float[] y, int yo, int n) {
        switch (f) {
            case NEG -> neg(x, xo, y, yo, n);
            case ABS -> abs(x, xo, y, yo, n);
            case SIGN -> sign(x, xo, y, yo, n);
            case EXP -> exp(x, xo, y, yo, n);
            case LOG -> log(x, xo, y, yo, n);
            case LOG1P -> log1p(x, xo, y, yo, n);
            case EXPM1 -> expm1(x, xo, y, yo, n);
            case SQRT -> sqrt(x, xo, y, yo, n);
            case RSQRT -> rsqrt(x, xo, y, yo, n);
            case RECIPROCAL -> reciprocal(x, xo, y, yo, n);
            case SQUARE -> square(x, xo, y, yo, n);
            case SIN -> sin(x, xo, y, yo, n);
            case COS -> cos(x, xo, y, yo, n);
            case TANH -> tanh(x, xo, y, yo, n);
            case SIGMOID -> sigmoid(x, xo, y, yo, n);
            case ERF -> erf(x, xo, y, yo, n);
            case RELU -> relu(x, xo, y, yo, n);
            case RELU6 -> relu6(x, xo, y, yo, n);
            case LEAKY_RELU -> leakyRelu(a, x, xo, y, yo, n);
            case ELU -> elu(a, x, xo, y, yo, n);
            case SELU -> selu(x, xo, y, yo, n);
            case SILU -> silu(x, xo, y, yo, n);
            case GELU -> SimdGelu.value(x, xo, y, yo, n);
            case GELU_TANH -> geluTanh(x, xo, y, yo, n);
            case SOFTPLUS -> softplus(x, xo, y, yo, n);
            case MISH -> mish(x, xo, y, yo, n);
            case HARD_SWISH -> hardSwish(x, xo, y, yo, n);
            case HARD_SIGMOID -> hardSigmoid(x, xo, y, yo, n);
            case FLOOR -> floor(x, xo, y, yo, n);
            case CEIL -> ceil(x, xo, y, yo, n);
            case ROUND -> round(x, xo, y, yo, n);
        }
    }

    private static void neg(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.neg().intoArray(y, yo + i);
        }
    }

    private static void abs(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.abs().intoArray(y, yo + i);
        }
    }

    private static void sign(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.blend(1f, v.compare(GT, 0f)).blend(-1f, v.compare(LT, 0f)).intoArray(y, yo + i);
        }
    }

    static void exp(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.exp(v).intoArray(y, yo + i);
        }
    }

    private static void log(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.log(v).intoArray(y, yo + i);
        }
    }

    private static void log1p(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.log1p(v).intoArray(y, yo + i);
        }
    }

    private static void expm1(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.expm1(v).intoArray(y, yo + i);
        }
    }

    private static void sqrt(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.sqrt().intoArray(y, yo + i);
        }
    }

    private static void rsqrt(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            all(1f).div(v.sqrt()).intoArray(y, yo + i);
        }
    }

    private static void reciprocal(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            all(1f).div(v).intoArray(y, yo + i);
        }
    }

    private static void square(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.mul(v).intoArray(y, yo + i);
        }
    }

    private static void sin(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            boolean large = v.abs().compare(GT, SimdMath.TRIG_LIMIT).anyTrue();
            FloatVector r = large ? scalar(UnaryFn.SIN, v) : SimdMath.sin(v);
            r.intoArray(y, yo + i);
        }
    }

    private static void cos(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            boolean large = v.abs().compare(GT, SimdMath.TRIG_LIMIT).anyTrue();
            FloatVector r = large ? scalar(UnaryFn.COS, v) : SimdMath.cos(v);
            r.intoArray(y, yo + i);
        }
    }

    /** v + v s P(s) with s = v^2 below 0.625, 1 - 2 / (exp(2 |v|) + 1) beyond; self-contained as {@link #erf}. */
    private static void tanh(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = FloatVector.fromArray(S, x, xo + i);
            FloatVector s = v.mul(v);
            FloatVector p = s.fma(FloatVector.broadcast(S, -5.591016263e-3f), FloatVector.broadcast(S, 2.053881995e-2f));
            p = p.fma(s, FloatVector.broadcast(S, -5.370965600e-2f));
            p = p.fma(s, FloatVector.broadcast(S, 1.333109289e-1f));
            p = p.fma(s, FloatVector.broadcast(S, -3.333326876e-1f));
            FloatVector near = p.mul(s).fma(v, v);
            FloatVector t = v.abs();
            FloatVector u = t.blend(10f, t.compare(GT, 10f)); // tanh is 1 in float from 9.02 on
            FloatVector m = u.fma(FloatVector.broadcast(S, 2.88539008f), FloatVector.broadcast(S, 12583039f)); // exp(2 u)
            FloatVector k = m.sub(12583039f);
            FloatVector r = u.add(u);
            r = k.fma(FloatVector.broadcast(S, -0x1.62e4p-1f), r);
            r = k.fma(FloatVector.broadcast(S, -0x1.7f7d1cp-20f), r);
            FloatVector e = r.fma(FloatVector.broadcast(S, 1.381459646e-3f), FloatVector.broadcast(S, 8.368717507e-3f));
            e = e.fma(r, FloatVector.broadcast(S, 4.166838899e-2f));
            e = e.fma(r, FloatVector.broadcast(S, 1.666652113e-1f));
            e = e.fma(r, FloatVector.broadcast(S, 4.999999404e-1f));
            e = e.fma(r.mul(r), r).add(1f);
            e = e.mul(m.reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats());
            FloatVector far = FloatVector.broadcast(S, -2f).div(e.add(1f)).add(1f);
            IntVector sign = v.reinterpretAsInts().and(0x80000000);
            far = far.reinterpretAsInts().or(sign).reinterpretAsFloats();
            near.blend(far, t.compare(GT, 0.625f)).intoArray(y, yo + i);
        }
    }

    private static void sigmoid(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.sigmoid(v).intoArray(y, yo + i);
        }
    }

    /**
     * v + v P(v^2) near 0; 1 - exp(|v| Q(|v|)), which is 1 - erfc, further out. With only the Vector API's own methods,
     * since this is near the limits at which C2 stops to inline ours.
     */
    static void erf(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = FloatVector.fromArray(S, x, xo + i);
            FloatVector s = v.mul(v);
            FloatVector p = s.fma(FloatVector.broadcast(S, 8.382387750e-5f), FloatVector.broadcast(S, -8.145596948e-4f));
            p = p.fma(s, FloatVector.broadcast(S, 5.201286171e-3f));
            p = p.fma(s, FloatVector.broadcast(S, -2.685949951e-2f));
            p = p.fma(s, FloatVector.broadcast(S, 1.128369719e-1f));
            p = p.fma(s, FloatVector.broadcast(S, -3.761263490e-1f));
            p = p.fma(s, FloatVector.broadcast(S, 1.283791661e-1f));
            FloatVector near = p.fma(v, v);
            FloatVector t = v.abs().min(4f);
            FloatVector q = t.fma(FloatVector.broadcast(S, -1.043311477e-5f), FloatVector.broadcast(S, 3.148581018e-4f));
            q = q.fma(t, FloatVector.broadcast(S, -3.610342043e-3f));
            q = q.fma(t, FloatVector.broadcast(S, 2.369456552e-2f));
            q = q.fma(t, FloatVector.broadcast(S, -1.061590463e-1f));
            q = q.fma(t, FloatVector.broadcast(S, -6.351980567e-1f));
            q = q.fma(t, FloatVector.broadcast(S, -1.128637075f)).mul(t);
            FloatVector m = q.fma(FloatVector.broadcast(S, 1.44269504f), FloatVector.broadcast(S, 12582912f)); // exp(q)
            FloatVector k = m.sub(12582912f);
            FloatVector r = k.fma(FloatVector.broadcast(S, -0x1.62e4p-1f), q);
            r = k.fma(FloatVector.broadcast(S, -0x1.7f7d1cp-20f), r);
            FloatVector e = r.fma(FloatVector.broadcast(S, 1.381459646e-3f), FloatVector.broadcast(S, 8.368717507e-3f));
            e = e.fma(r, FloatVector.broadcast(S, 4.166838899e-2f));
            e = e.fma(r, FloatVector.broadcast(S, 1.666652113e-1f));
            e = e.fma(r, FloatVector.broadcast(S, 4.999999404e-1f));
            e = e.fma(r.mul(r), r).add(1f);
            IntVector scale = m.reinterpretAsInts().sub(0x4B400000 - 127).lanewise(LSHL, 23);
            FloatVector far = e.mul(scale.reinterpretAsFloats()).neg().add(1f);
            IntVector sign = v.reinterpretAsInts().and(0x80000000);
            far = far.reinterpretAsInts().or(sign).reinterpretAsFloats();
            near.blend(far, t.compare(GT, 0.91f)).intoArray(y, yo + i);
        }
    }

    private static void relu(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.max(0f).intoArray(y, yo + i);
        }
    }

    private static void relu6(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.max(0f).min(6f).intoArray(y, yo + i);
        }
    }

    private static void leakyRelu(float a, float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.mul(a).blend(v, v.compare(GT, 0f)).intoArray(y, yo + i);
        }
    }

    private static void elu(float a, float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.expm1(v).mul(a).blend(v, v.compare(GT, 0f)).intoArray(y, yo + i);
        }
    }

    private static void selu(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.expm1(v).mul(SELU_ALPHA).blend(v, v.compare(GT, 0f)).mul(SELU_SCALE).intoArray(y, yo + i);
        }
    }

    private static void silu(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.div(SimdMath.exp(v.neg()).add(1f)).intoArray(y, yo + i);
        }
    }

    private static void geluTanh(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.div(SimdMath.exp(geluArgument(v).neg()).add(1f)).intoArray(y, yo + i);
        }
    }

    /** max(v, 0) + log1p(exp(-|v|)), function by function through a buffer: one loop would be too much for C2. */
    private static void softplus(float[] x, int xo, float[] y, int yo, int n) {
        float[] t = new float[n];
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).abs().neg().intoArray(t, i);
        }
        exp(t, 0, t, 0, n);
        log1p(t, 0, t, 0, n);
        addRelu(t, x, xo, y, yo, n);
    }

    private static void addRelu(float[] t, float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).max(0f).add(load(t, i)).intoArray(y, yo + i);
        }
    }

    private static void mish(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            mish(v).intoArray(y, yo + i);
        }
    }

    private static void hardSwish(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.mul(v.add(3f).max(0f).min(6f).div(6f)).intoArray(y, yo + i);
        }
    }

    private static void hardSigmoid(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            v.add(3f).max(0f).min(6f).div(6f).intoArray(y, yo + i);
        }
    }

    private static void floor(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.floor(v).intoArray(y, yo + i);
        }
    }

    private static void ceil(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.ceil(v).intoArray(y, yo + i);
        }
    }

    private static void round(float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector v = load(x, xo + i);
            SimdMath.round(v).intoArray(y, yo + i);
        }
    }
}
