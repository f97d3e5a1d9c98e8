package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;

import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.ReduceFn;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link RowLoops} with the Vector API. Sums run in four independent vectors, which hides the latency of an addition and
 * makes the error grow with n / 64 instead of n; {@link SimdColumnLoops} has the loops down the columns.
 */
final class SimdRowLoops implements RowLoops {
    private static final int L = S.length();
    private static final PlainRowLoops PLAIN = new PlainRowLoops();

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    private static float total(FloatVector a, FloatVector b, FloatVector c, FloatVector d) {
        return SimdMath.sum(a.add(b).add(c.add(d)));
    }

    @Override
    public int lanes() {
        return L;
    }

    @Override
    public float reduce(ReduceFn f, float[] x, int xo, int n) {
        if (n < L) {
            return PLAIN.reduce(f, x, xo, n);
        }
        return switch (f) {
            case SUM, MEAN -> sum(x, xo, n);
            case MAX -> max(x, xo, n);
            case MIN -> min(x, xo, n);
        };
    }

    private static float sum(float[] x, int xo, int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        int quads = n - n % (4 * L);
        for (int i = 0; i < quads; i += 4 * L) {
            a = a.add(load(x, xo + i));
            b = b.add(load(x, xo + i + L));
            c = c.add(load(x, xo + i + 2 * L));
            d = d.add(load(x, xo + i + 3 * L));
        }
        return total(a, b, c, d) + sumRest(x, xo + quads, n - quads);
    }

    private static float sumRest(float[] x, int xo, int n) {
        FloatVector a = FloatVector.zero(S);
        int i = 0;
        for (; i <= n - L; i += L) {
            a = a.add(load(x, xo + i));
        }
        float s = SimdMath.sum(a);
        for (; i < n; i++) {
            s += x[xo + i];
        }
        return s;
    }

    /** The last, overlapping vector makes a loop over single elements needless; n is at least one vector. */
    private static float max(float[] x, int xo, int n) {
        FloatVector a = load(x, xo + n - L);
        for (int i = 0; i < n - L; i += L) {
            a = a.max(load(x, xo + i));
        }
        return a.reduceLanes(VectorOperators.MAX);
    }

    private static float min(float[] x, int xo, int n) {
        FloatVector a = load(x, xo + n - L);
        for (int i = 0; i < n - L; i += L) {
            a = a.min(load(x, xo + i));
        }
        return a.reduceLanes(VectorOperators.MIN);
    }

    @Override
    public float dot(float[] x, int xo, float[] y, int yo, int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        int pairs = n - n % (2 * L);
        for (int i = 0; i < pairs; i += 2 * L) {
            a = load(x, xo + i).fma(load(y, yo + i), a);
            b = load(x, xo + i + L).fma(load(y, yo + i + L), b);
        }
        return SimdMath.sum(a.add(b)) + PLAIN.dot(x, xo + pairs, y, yo + pairs, n - pairs);
    }

    @Override
    public float centredSquares(float[] x, int xo, float mean, int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        int pairs = n - n % (2 * L);
        for (int i = 0; i < pairs; i += 2 * L) {
            FloatVector u = load(x, xo + i).sub(mean);
            FloatVector v = load(x, xo + i + L).sub(mean);
            a = u.fma(u, a);
            b = v.fma(v, b);
        }
        return SimdMath.sum(a.add(b)) + PLAIN.centredSquares(x, xo + pairs, mean, n - pairs);
    }

    @Override
    public float expSum(float[] x, int xo, float max, float[] y, int yo, int n) {
        int whole = S.loopBound(n);
        float s = expSumWhole(x, xo, max, y, yo, whole);
        int rest = n - whole;
        if (rest > 0) {
            float[] t = new float[L];
            System.arraycopy(x, xo + whole, t, 0, rest);
            for (int i = rest; i < L; i++) {
                t[i] = Float.NEGATIVE_INFINITY;
            }
            s += expSumWhole(t, 0, max, t, 0, L);
            System.arraycopy(t, 0, y, yo + whole, rest);
        }
        return s;
    }

    private static float expSumWhole(float[] x, int xo, float max, float[] y, int yo, int n) {
        FloatVector s = FloatVector.zero(S);
        for (int i = 0; i < n; i += L) {
            FloatVector e = SimdMath.exp(load(x, xo + i).sub(max));
            e.intoArray(y, yo + i);
            s = s.add(e);
        }
        return SimdMath.sum(s);
    }

    @Override
    public void scale(float a, float[] x, int xo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(x, xo + i).mul(a).intoArray(x, xo + i);
        }
        PLAIN.scale(a, x, xo + whole, n - whole);
    }

    @Override
    public void subtract(float[] x, int xo, float a, float b, float[] y, int yo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(x, xo + i).sub(a).sub(b).intoArray(y, yo + i);
        }
        PLAIN.subtract(x, xo + whole, a, b, y, yo + whole, n - whole);
    }

    @Override
    public void softmaxGrad(float[] y, int yo, float[] dy, int dyo, float s, float[] dx, int dxo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(y, yo + i).mul(load(dy, dyo + i).sub(s)).intoArray(dx, dxo + i);
        }
        PLAIN.softmaxGrad(y, yo + whole, dy, dyo + whole, s, dx, dxo + whole, n - whole);
    }

    @Override
    public void logSoftmaxGrad(float[] y, int yo, float[] dy, int dyo, float s, float[] dx, int dxo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(dy, dyo + i).sub(SimdMath.exp(load(y, yo + i)).mul(s)).intoArray(dx, dxo + i);
        }
        PLAIN.logSoftmaxGrad(y, yo + whole, dy, dyo + whole, s, dx, dxo + whole, n - whole);
    }

    @Override
    public void normalise(float[] x, int xo, float mean, float rstd, float[] gamma, int go, float[] beta, int bo,
            float[] y, int yo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(x, xo + i).sub(mean).mul(rstd).mul(load(gamma, go + i)).add(load(beta, bo + i)).intoArray(y, yo + i);
        }
        PLAIN.normalise(x, xo + whole, mean, rstd, gamma, go + whole, beta, bo + whole, y, yo + whole, n - whole);
    }

    @Override
    public void normaliseGradSums(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float[] sums, int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            FloatVector g = load(dy, dyo + i).mul(load(gamma, go + i));
            a = a.add(g);
            b = g.fma(load(x, xo + i).sub(mean), b);
        }
        PLAIN.normaliseGradSums(dy, dyo + whole, x, xo + whole, mean, rstd, gamma, go + whole, sums, n - whole);
        sums[0] += SimdMath.sum(a);
        sums[1] += SimdMath.sum(b) * rstd;
    }

    @Override
    public void normaliseGrad(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float c1, float c2, float[] dx, int dxo, float[] acc, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            FloatVector g = load(dy, dyo + i);
            FloatVector h = load(x, xo + i).sub(mean).mul(rstd);
            g.mul(load(gamma, go + i)).sub(c1).sub(h.mul(c2)).mul(rstd).intoArray(dx, dxo + i);
            g.fma(h, load(acc, i)).intoArray(acc, i);
            g.add(load(acc, n + i)).intoArray(acc, n + i);
        }
        PlainRowLoops.normaliseGrad(dy, dyo, x, xo, mean, rstd, gamma, go, c1, c2, dx, dxo, acc, whole, n);
    }

    @Override
    public void columns(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao) {
        int whole = SimdColumnLoops.columns(f, x, xo, rows, cols, stride, acc, ao);
        if (whole < cols) {
            PLAIN.columns(f, x, xo + whole, rows, cols - whole, stride, acc, ao + whole);
        }
    }

    @Override
    public void columnSquares(float[] x, int xo, int rows, int cols, int stride, float[] mean, int mo, float[] acc, int ao) {
        int j = 0;
        for (; j <= cols - L; j += L) {
            SimdColumnLoops.squares(x, xo + j, rows, stride, mean, mo + j, acc, ao + j);
        }
        if (j < cols) {
            PLAIN.columnSquares(x, xo + j, rows, cols - j, stride, mean, mo + j, acc, ao + j);
        }
    }

    @Override
    public void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, float[] mean, int mo,
            float[] acc, int ao) {
        int j = 0;
        for (; j <= cols - L; j += L) {
            SimdColumnLoops.dots(dy, dyo + j, x, xo + j, rows, stride, mean, mo + j, acc, ao + j);
        }
        if (j < cols) {
            PLAIN.columnDots(dy, dyo + j, x, xo + j, rows, cols - j, stride, mean, mo + j, acc, ao + j);
        }
    }

    @Override
    public void affine(float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b, float[] y, int yo) {
        for (int r = 0; r < rows; r++) {
            affineRow(x, xo + r * cols, cols, mean, a, b, y, yo + r * cols);
        }
    }

    private static void affineRow(float[] x, int xo, int n, float[] mean, float[] a, float[] b, float[] y, int yo) {
        int whole = S.loopBound(n);
        for (int j = 0; j < whole; j += L) {
            load(x, xo + j).sub(load(mean, j)).mul(load(a, j)).add(load(b, j)).intoArray(y, yo + j);
        }
        PlainRowLoops.affine(x, xo, mean, a, b, y, yo, whole, n);
    }

    @Override
    public void affine(float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b, float[] r, int ro,
            FusedOp.Activation then, float[] y, int yo) {
        int whole = S.loopBound(cols);
        for (int i = 0; i < rows; i++) {
            int at = i * cols;
            if (r == null) {
                affineRow(x, xo + at, whole, mean, a, b, then, y, yo + at);
            } else {
                affineRow(x, xo + at, whole, mean, a, b, r, ro + at, then, y, yo + at);
            }
            PlainRowLoops.affine(x, xo + at, mean, a, b, r, ro + at, then, y, yo + at, whole, cols);
        }
    }

    private static void affineRow(float[] x, int xo, int n, float[] mean, float[] a, float[] b, FusedOp.Activation then,
            float[] y, int yo) {
        switch (then) {
            case NONE -> affineRow(x, xo, n, mean, a, b, y, yo);
            case RELU -> {
                for (int j = 0; j < n; j += L) {
                    load(x, xo + j).sub(load(mean, j)).mul(load(a, j)).add(load(b, j)).max(0f).intoArray(y, yo + j);
                }
            }
            case RELU6 -> {
                for (int j = 0; j < n; j += L) {
                    FloatVector v = load(x, xo + j).sub(load(mean, j)).mul(load(a, j)).add(load(b, j));
                    v.max(0f).min(6f).intoArray(y, yo + j);
                }
            }
        }
    }

    private static void affineRow(float[] x, int xo, int n, float[] mean, float[] a, float[] b, float[] r, int ro,
            FusedOp.Activation then, float[] y, int yo) {
        switch (then) {
            case NONE -> {
                for (int j = 0; j < n; j += L) {
                    FloatVector v = load(x, xo + j).sub(load(mean, j)).mul(load(a, j)).add(load(b, j));
                    v.add(load(r, ro + j)).intoArray(y, yo + j);
                }
            }
            case RELU -> {
                for (int j = 0; j < n; j += L) {
                    FloatVector v = load(x, xo + j).sub(load(mean, j)).mul(load(a, j)).add(load(b, j));
                    v.add(load(r, ro + j)).max(0f).intoArray(y, yo + j);
                }
            }
            case RELU6 -> {
                for (int j = 0; j < n; j += L) {
                    FloatVector v = load(x, xo + j).sub(load(mean, j)).mul(load(a, j)).add(load(b, j));
                    v.add(load(r, ro + j)).max(0f).min(6f).intoArray(y, yo + j);
                }
            }
        }
    }

    @Override
    public void affineGrad(float[] dy, int dyo, float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b,
            float[] c, float[] dx, int dxo) {
        for (int r = 0; r < rows; r++) {
            affineGradRow(dy, dyo + r * cols, x, xo + r * cols, cols, mean, a, b, c, dx, dxo + r * cols);
        }
    }

    private static void affineGradRow(float[] dy, int dyo, float[] x, int xo, int n, float[] mean, float[] a, float[] b,
            float[] c, float[] dx, int dxo) {
        int whole = S.loopBound(n);
        for (int j = 0; j < whole; j += L) {
            FloatVector g = load(a, j).mul(load(dy, dyo + j));
            g.add(load(b, j).mul(load(x, xo + j).sub(load(mean, j)))).add(load(c, j)).intoArray(dx, dxo + j);
        }
        PlainRowLoops.affineGrad(dy, dyo, x, xo, mean, a, b, c, dx, dxo, whole, n);
    }
}
