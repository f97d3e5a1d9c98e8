package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;
import static dev.graft.tensor.cpu.SimdMath.all;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LE;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.graft.tensor.op.UnaryFn;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** dx = dy * f'(x) in one pass, built as {@link SimdUnary}; {@code s} is what the forward pass saved, {@code g} is dy. */
final class SimdUnaryGrad {
    private static final int L = S.length();
    private static final float SELU_SCALE = (float) UnaryFn.SELU_SCALE;
    private static final float SELU_ALPHA = (float) UnaryFn.SELU_ALPHA;
    private static final float TWO_OVER_SQRT_PI = (float) (2 / Math.sqrt(Math.PI));

    private SimdUnaryGrad() {}

    static void run(UnaryFn f, float a, float[] saved, int so, float[] dy, int dyo, float[] dx, int dxo, int n) {
        int whole = S.loopBound(n);
        loop(f, a, saved, so, dy, dyo, dx, dxo, whole);
        int rest = n - whole;
        if (rest > 0) {
            float[] s = new float[L];
            float[] g = new float[L];
            System.arraycopy(saved, so + whole, s, 0, rest);
            System.arraycopy(dy, dyo + whole, g, 0, rest);
            loop(f, a, s, 0, g, 0, g, 0, L);
            System.arraycopy(g, 0, dx, dxo + whole, rest);
        }
    }

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    private static FloatVector silu(FloatVector v) {
        FloatVector s = SimdMath.sigmoid(v);
        return s.mul(v.mul(s.neg().add(1f)).add(1f));
    }

    private static FloatVector geluTanh(FloatVector v) {
        float slope = (float) (2 * UnaryFn.GELU_K);
        float curve = (float) (6 * UnaryFn.GELU_K * UnaryFn.GELU_C);
        FloatVector du = v.mul(v).fma(all(curve), all(slope)).mul(v);
        FloatVector s = SimdMath.sigmoid(SimdUnary.geluArgument(v));
        return s.add(s.mul(s.neg().add(1f)).mul(du));
    }

    /** With e = exp(v), n = e (e + 2): n / (n + 2) + v sigmoid(v) 4 (n + 1) / (n + 2)^2. */
    private static FloatVector mish(FloatVector v) {
        FloatVector e = SimdMath.exp(v.min(20f));
        FloatVector n = e.mul(e.add(2f));
        FloatVector d = n.add(2f);
        FloatVector sigmoid = e.div(e.add(1f));
        return n.div(d).add(v.mul(sigmoid).mul(4f).mul(n.add(1f).div(d).div(d)));
    }

    private static FloatVector hardSwish(FloatVector v) {
        return v.div(3f).add(0.5f).blend(0f, v.compare(LE, -3f)).blend(1f, v.compare(GE, 3f));
    }

    private static void loop(UnaryFn f, float a, float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        switch (f) {
            case NEG -> neg(x, xo, dy, yo, dx, zo, n);
            case ABS -> abs(x, xo, dy, yo, dx, zo, n);
            case EXP -> exp(x, xo, dy, yo, dx, zo, n);
            case LOG -> log(x, xo, dy, yo, dx, zo, n);
            case LOG1P -> log1p(x, xo, dy, yo, dx, zo, n);
            case EXPM1 -> expm1(x, xo, dy, yo, dx, zo, n);
            case SQRT -> sqrt(x, xo, dy, yo, dx, zo, n);
            case RSQRT -> rsqrt(x, xo, dy, yo, dx, zo, n);
            case RECIPROCAL -> reciprocal(x, xo, dy, yo, dx, zo, n);
            case SQUARE -> square(x, xo, dy, yo, dx, zo, n);
            case TANH -> tanh(x, xo, dy, yo, dx, zo, n);
            case SIGMOID -> sigmoid(x, xo, dy, yo, dx, zo, n);
            case ERF -> erf(x, xo, dy, yo, dx, zo, n);
            case RELU -> relu(x, xo, dy, yo, dx, zo, n);
            case RELU6 -> relu6(x, xo, dy, yo, dx, zo, n);
            case LEAKY_RELU -> leakyRelu(a, x, xo, dy, yo, dx, zo, n);
            case ELU -> elu(a, x, xo, dy, yo, dx, zo, n);
            case SELU -> selu(x, xo, dy, yo, dx, zo, n);
            case SILU -> silu(x, xo, dy, yo, dx, zo, n);
            case GELU -> SimdGelu.gradient(x, xo, dy, yo, dx, zo, n);
            case GELU_TANH -> geluTanh(x, xo, dy, yo, dx, zo, n);
            case SOFTPLUS -> softplus(x, xo, dy, yo, dx, zo, n);
            case MISH -> mish(x, xo, dy, yo, dx, zo, n);
            case HARD_SWISH -> hardSwish(x, xo, dy, yo, dx, zo, n);
            case HARD_SIGMOID -> hardSigmoid(x, xo, dy, yo, dx, zo, n);
            case SIN, COS -> trigonometric(f, x, xo, dy, yo, dx, zo, n);
            case SIGN, FLOOR, CEIL, ROUND -> Arrays.fill(dx, zo, zo + n, 0f);
        }
    }

    private static void neg(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector g = load(dy, yo + i);
            g.neg().intoArray(dx, zo + i);
        }
    }

    private static void abs(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(s.blend(1f, s.compare(GT, 0f)).blend(-1f, s.compare(LT, 0f))).intoArray(dx, zo + i);
        }
    }

    private static void exp(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(s).intoArray(dx, zo + i);
        }
    }

    private static void log(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.div(s).intoArray(dx, zo + i);
        }
    }

    private static void log1p(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.div(s.add(1f)).intoArray(dx, zo + i);
        }
    }

    private static void expm1(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(s.add(1f)).intoArray(dx, zo + i);
        }
    }

    private static void sqrt(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(0.5f).div(s).intoArray(dx, zo + i);
        }
    }

    private static void rsqrt(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(-0.5f).mul(s.mul(s).mul(s)).intoArray(dx, zo + i);
        }
    }

    private static void reciprocal(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(s.mul(s).neg()).intoArray(dx, zo + i);
        }
    }

    private static void square(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(s.add(s)).intoArray(dx, zo + i);
        }
    }

    private static void tanh(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(all(1f).sub(s.mul(s))).intoArray(dx, zo + i);
        }
    }

    private static void sigmoid(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(s.mul(all(1f).sub(s))).intoArray(dx, zo + i);
        }
    }

    private static void erf(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(SimdMath.exp(s.mul(s).neg()).mul(TWO_OVER_SQRT_PI)).intoArray(dx, zo + i);
        }
    }

    private static void relu(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            all(0f).blend(g, s.compare(GT, 0f)).intoArray(dx, zo + i);
        }
    }

    private static void relu6(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            all(0f).blend(g, s.compare(GT, 0f).and(s.compare(LT, 6f))).intoArray(dx, zo + i);
        }
    }

    private static void leakyRelu(float a, float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(a).blend(g, s.compare(GT, 0f)).intoArray(dx, zo + i);
        }
    }

    private static void elu(float a, float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(SimdMath.exp(s).mul(a)).blend(g, s.compare(GT, 0f)).intoArray(dx, zo + i);
        }
    }

    private static void selu(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(SELU_SCALE).mul(SimdMath.exp(s).mul(SELU_ALPHA).blend(1f, s.compare(GT, 0f))).intoArray(dx, zo + i);
        }
    }

    private static void silu(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(silu(s)).intoArray(dx, zo + i);
        }
    }

    private static void geluTanh(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(geluTanh(s)).intoArray(dx, zo + i);
        }
    }

    private static void softplus(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(SimdMath.sigmoid(s)).intoArray(dx, zo + i);
        }
    }

    private static void mish(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(mish(s)).intoArray(dx, zo + i);
        }
    }

    private static void hardSwish(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            g.mul(hardSwish(s)).intoArray(dx, zo + i);
        }
    }

    private static void hardSigmoid(float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector s = load(x, xo + i);
            FloatVector g = load(dy, yo + i);
            all(0f).blend(g.div(6f), s.compare(GT, -3f).and(s.compare(LT, 3f))).intoArray(dx, zo + i);
        }
    }

    /** The derivatives need cos and -sin, which {@link SimdUnary} has for all arguments. */
    private static void trigonometric(UnaryFn f, float[] x, int xo, float[] dy, int yo, float[] dx, int zo, int n) {
        float[] t = new float[n];
        SimdUnary.run(f == UnaryFn.SIN ? UnaryFn.COS : UnaryFn.SIN, 0, x, xo, t, 0, n);
        float sign = f == UnaryFn.SIN ? 1f : -1f;
        for (int i = 0; i < n; i += L) {
            load(dy, yo + i).mul(load(t, i)).mul(sign).intoArray(dx, zo + i);
        }
    }
}
