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

    /** In the same order as {@link #normalise}. */
    private static float sum(float[] x, int xo, int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        int pairs = n - n % (2 * L);
        for (int i = 0; i < pairs; i += 2 * L) {
            a = a.add(load(x, xo + i));
            b = b.add(load(x, xo + i + L));
        }
        return SimdMath.sum(a.add(b)) + sumRest(x, xo + pairs, n - pairs);
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
    public float largest(float[] x, int xo, int n) {
        return n < L ? PLAIN.largest(x, xo, n) : SimdSoftmax.largest(x, xo, n);
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
        return SimdSoftmax.expSum(x, xo, max, y, yo, n);
    }

    @Override
    public void scale(float a, float[] x, int xo, int n) {
        scale(a, x, xo, x, xo, n);
    }

    @Override
    public void scale(float a, float[] x, int xo, float[] y, int yo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(x, xo + i).mul(a).intoArray(y, yo + i);
        }
        PLAIN.scale(a, x, xo + whole, y, yo + whole, n - whole);
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

    /**
     * Two vectors at a time: enough to be too large for being inlined into the loop over rows, see {@link SimdSoftmax}; with
     * four the compiler's limit of nodes ends inlining in some runs, and sums that are passed to a method are boxed.
     */
    @Override
    public float normalise(float[] x, int xo, int next, float mean, float rstd, float[] gamma, int go, float[] beta, int bo,
            float[] y, int yo, int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        int pairs = n - n % (2 * L);
        for (int i = 0; i < pairs; i += 2 * L) {
            FloatVector t = load(x, xo + i).sub(mean).mul(rstd).mul(load(gamma, go + i));
            FloatVector u = load(x, xo + i + L).sub(mean).mul(rstd).mul(load(gamma, go + i + L));
            t.add(load(beta, bo + i)).intoArray(y, yo + i);
            u.add(load(beta, bo + i + L)).intoArray(y, yo + i + L);
            a = a.add(load(x, next + i));
            b = b.add(load(x, next + i + L));
        }
        normaliseRest(x, xo, mean, rstd, gamma, go, beta, bo, y, yo, pairs, n);
        return SimdMath.sum(a.add(b)) + sumRest(x, next + pairs, n - pairs);
    }

    private static void normaliseRest(float[] x, int xo, float mean, float rstd, float[] gamma, int go, float[] beta, int bo,
            float[] y, int yo, int from, int n) {
        int i = from;
        for (; i <= n - L; i += L) {
            FloatVector v = load(x, xo + i).sub(mean).mul(rstd).mul(load(gamma, go + i));
            v.add(load(beta, bo + i)).intoArray(y, yo + i);
        }
        PlainRowLoops.normalise(x, xo, mean, rstd, gamma, go, beta, bo, y, yo, i, n);
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
        gradSums(SimdMath.sum(a), SimdMath.sum(b), dy, dyo, x, xo, mean, rstd, gamma, go, sums, whole, n);
    }

    /** The columns from {@code whole} on, and the sums {@code a} and {@code b} over those before. */
    private static void gradSums(float a, float b, float[] dy, int dyo, float[] x, int xo, float mean, float rstd,
            float[] gamma, int go, float[] sums, int whole, int n) {
        PLAIN.normaliseGradSums(dy, dyo + whole, x, xo + whole, mean, rstd, gamma, go + whole, sums, n - whole);
        sums[0] += a;
        sums[1] += b * rstd;
    }

    @Override
    public void normaliseGrad(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float c1, float c2, float[] dx, int dxo, float[] acc, int step, float nextMean, float nextRstd, float[] sums,
            int n) {
        FloatVector a = FloatVector.zero(S);
        FloatVector b = a;
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            FloatVector w = load(gamma, go + i);
            FloatVector g = load(dy, dyo + i);
            FloatVector h = load(x, xo + i).sub(mean).mul(rstd);
            g.mul(w).sub(c1).sub(h.mul(c2)).mul(rstd).intoArray(dx, dxo + i);
            g.fma(h, load(acc, i)).intoArray(acc, i);
            g.add(load(acc, n + i)).intoArray(acc, n + i);
            FloatVector next = load(dy, dyo + step + i).mul(w);
            a = a.add(next);
            b = next.fma(load(x, xo + step + i).sub(nextMean), b);
        }
        PlainRowLoops.normaliseGrad(dy, dyo, x, xo, mean, rstd, gamma, go, c1, c2, dx, dxo, acc, whole, n);
        gradSums(SimdMath.sum(a), SimdMath.sum(b), dy, dyo + step, x, xo + step, nextMean, nextRstd, gamma, go, sums, whole,
                n);
    }

    @Override
    public void columns(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao) {
        int whole = SimdColumnLoops.columns(f, x, xo, rows, cols, stride, acc, ao);
        if (whole < cols) {
            PLAIN.columns(f, x, xo + whole, rows, cols - whole, stride, acc, ao + whole);
        }
    }

    @Override
    public void columnMoments(float[] x, int xo, int rows, int cols, int stride, float[] shift, float[] sums,
            float[] squares) {
        int whole = SimdColumnLoops.moments(x, xo, rows, cols, stride, shift, sums, squares);
        if (whole < cols) {
            PlainRowLoops.columnMoments(x, xo, rows, stride, shift, sums, squares, whole, cols);
        }
    }

    @Override
    public void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, float[] mean,
            float[] sums, float[] dots) {
        int whole = SimdColumnLoops.dots(dy, dyo, x, xo, rows, cols, stride, mean, sums, dots);
        if (whole < cols) {
            PlainRowLoops.columnDots(dy, dyo, x, xo, rows, stride, mean, sums, dots, whole, cols);
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

    @Override
    public void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, Passing y, float[] sums,
            float[] dots) {
        int whole = SimdColumnLoops.dots(dy, dyo, x, xo, rows, cols, stride, y, sums, dots);
        if (whole < cols) {
            PlainRowLoops.columnDots(dy, dyo, x, xo, rows, stride, y, sums, dots, whole, cols);
        }
    }

    @Override
    public void affineGrad(float[] dy, int dyo, float[] x, int xo, int rows, int cols, Passing y, float[] a, float[] b,
            float[] c, float[] dx, int dxo) {
        int whole = S.loopBound(cols);
        for (int r = 0; r < rows; r++) {
            int at = r * cols;
            affineGradRow(dy, dyo + at, x, xo + at, whole, y.mean(), y.b(), y.high(), a, b, c, dx, dxo + at);
            PlainRowLoops.affineGrad(dy, dyo + at, x, xo + at, y, a, b, c, dx, dxo + at, whole, cols);
        }
    }

    /** {@code a} scales x on its way to y as it scales dy on its way back. */
    private static void affineGradRow(float[] dy, int dyo, float[] x, int xo, int n, float[] mean, float[] beta, float high,
            float[] a, float[] b, float[] c, float[] dx, int dxo) {
        FloatVector none = FloatVector.zero(S);
        for (int j = 0; j < n; j += L) {
            FloatVector d = load(x, xo + j).sub(load(mean, j));
            FloatVector s = load(a, j);
            FloatVector v = d.mul(s).add(load(beta, j));
            FloatVector g = none.blend(load(dy, dyo + j), v.compare(VectorOperators.GT, none))
                    .blend(none, v.compare(VectorOperators.GE, high));
            s.mul(g).add(load(b, j).mul(d)).add(load(c, j)).intoArray(dx, dxo + j);
        }
    }
}
