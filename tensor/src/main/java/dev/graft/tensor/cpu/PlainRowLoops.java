package dev.graft.tensor.cpu;

import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.ReduceFn;

/** {@link RowLoops} in plain Java; sums along a row are kept in double. */
final class PlainRowLoops implements RowLoops {
    @Override
    public int lanes() {
        return 1;
    }

    static float combine(ReduceFn f, float a, float b) {
        return switch (f) {
            case SUM, MEAN -> a + b;
            case MAX -> Math.max(a, b);
            case MIN -> Math.min(a, b);
        };
    }

    @Override
    public float reduce(ReduceFn f, float[] x, int xo, int n) {
        if (f == ReduceFn.SUM || f == ReduceFn.MEAN) {
            double s = 0;
            for (int i = 0; i < n; i++) {
                s += x[xo + i];
            }
            return (float) s;
        }
        float best = x[xo];
        for (int i = 1; i < n; i++) {
            best = combine(f, best, x[xo + i]);
        }
        return best;
    }

    @Override
    public float largest(float[] x, int xo, int n) {
        return reduce(ReduceFn.MAX, x, xo, n);
    }

    @Override
    public float dot(float[] x, int xo, float[] y, int yo, int n) {
        double s = 0;
        for (int i = 0; i < n; i++) {
            s += (double) x[xo + i] * y[yo + i];
        }
        return (float) s;
    }

    @Override
    public float centredSquares(float[] x, int xo, float mean, int n) {
        double s = 0;
        for (int i = 0; i < n; i++) {
            double d = x[xo + i] - mean;
            s += d * d;
        }
        return (float) s;
    }

    @Override
    public float expSum(float[] x, int xo, float max, float[] y, int yo, int n) {
        double s = 0;
        for (int i = 0; i < n; i++) {
            float e = (float) Math.exp(x[xo + i] - max);
            y[yo + i] = e;
            s += e;
        }
        return (float) s;
    }

    @Override
    public void scale(float a, float[] x, int xo, int n) {
        scale(a, x, xo, x, xo, n);
    }

    @Override
    public void scale(float a, float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i++) {
            y[yo + i] = a * x[xo + i];
        }
    }

    @Override
    public void subtract(float[] x, int xo, float a, float b, float[] y, int yo, int n) {
        for (int i = 0; i < n; i++) {
            y[yo + i] = x[xo + i] - a - b;
        }
    }

    @Override
    public void softmaxGrad(float[] y, int yo, float[] dy, int dyo, float s, float[] dx, int dxo, int n) {
        for (int i = 0; i < n; i++) {
            dx[dxo + i] = y[yo + i] * (dy[dyo + i] - s);
        }
    }

    @Override
    public void logSoftmaxGrad(float[] y, int yo, float[] dy, int dyo, float s, float[] dx, int dxo, int n) {
        for (int i = 0; i < n; i++) {
            dx[dxo + i] = dy[dyo + i] - (float) Math.exp(y[yo + i]) * s;
        }
    }

    @Override
    public float normalise(float[] x, int xo, int next, float mean, float rstd, float[] gamma, int go, float[] beta, int bo,
            float[] y, int yo, int n) {
        normalise(x, xo, mean, rstd, gamma, go, beta, bo, y, yo, 0, n);
        return reduce(ReduceFn.SUM, x, next, n);
    }

    /** Columns {@code from} to {@code n} of {@link RowLoops#normalise}. */
    static void normalise(float[] x, int xo, float mean, float rstd, float[] gamma, int go, float[] beta, int bo,
            float[] y, int yo, int from, int n) {
        for (int i = from; i < n; i++) {
            y[yo + i] = (x[xo + i] - mean) * rstd * gamma[go + i] + beta[bo + i];
        }
    }

    @Override
    public void normaliseGradSums(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float[] sums, int n) {
        double s1 = 0;
        double s2 = 0;
        for (int i = 0; i < n; i++) {
            float g = dy[dyo + i] * gamma[go + i];
            s1 += g;
            s2 += g * ((x[xo + i] - mean) * rstd);
        }
        sums[0] = (float) s1;
        sums[1] = (float) s2;
    }

    @Override
    public void normaliseGrad(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float c1, float c2, float[] dx, int dxo, float[] acc, int step, float nextMean, float nextRstd, float[] sums,
            int n) {
        normaliseGrad(dy, dyo, x, xo, mean, rstd, gamma, go, c1, c2, dx, dxo, acc, 0, n);
        normaliseGradSums(dy, dyo + step, x, xo + step, nextMean, nextRstd, gamma, go, sums, n);
    }

    /** Columns {@code from} to {@code n} of {@link RowLoops#normaliseGrad}. */
    static void normaliseGrad(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float c1, float c2, float[] dx, int dxo, float[] acc, int from, int n) {
        for (int i = from; i < n; i++) {
            float g = dy[dyo + i];
            float h = (x[xo + i] - mean) * rstd;
            dx[dxo + i] = rstd * (g * gamma[go + i] - c1 - h * c2);
            acc[i] += g * h;
            acc[n + i] += g;
        }
    }

    @Override
    public void columns(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao) {
        for (int r = 0; r < rows; r++) {
            int at = xo + r * stride;
            for (int j = 0; j < cols; j++) {
                acc[ao + j] = combine(f, acc[ao + j], x[at + j]);
            }
        }
    }

    @Override
    public void columnMoments(float[] x, int xo, int rows, int cols, int stride, float[] shift, float[] sums,
            float[] squares) {
        columnMoments(x, xo, rows, stride, shift, sums, squares, 0, cols);
    }

    /** Columns {@code from} to {@code n}. */
    static void columnMoments(float[] x, int xo, int rows, int stride, float[] shift, float[] sums, float[] squares,
            int from, int n) {
        for (int r = 0; r < rows; r++) {
            int at = xo + r * stride;
            for (int j = from; j < n; j++) {
                float d = x[at + j] - shift[j];
                sums[j] += x[at + j];
                squares[j] += d * d;
            }
        }
    }

    @Override
    public void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, float[] mean,
            float[] sums, float[] dots) {
        columnDots(dy, dyo, x, xo, rows, stride, mean, sums, dots, 0, cols);
    }

    /** Columns {@code from} to {@code n}. */
    static void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int stride, float[] mean, float[] sums,
            float[] dots, int from, int n) {
        for (int r = 0; r < rows; r++) {
            int at = r * stride;
            for (int j = from; j < n; j++) {
                float g = dy[dyo + at + j];
                sums[j] += g;
                dots[j] += g * (x[xo + at + j] - mean[j]);
            }
        }
    }

    @Override
    public void affine(float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b, float[] y, int yo) {
        for (int r = 0; r < rows; r++) {
            affine(x, xo + r * cols, mean, a, b, y, yo + r * cols, 0, cols);
        }
    }

    /** Columns {@code from} to {@code n} of one row. */
    static void affine(float[] x, int xo, float[] mean, float[] a, float[] b, float[] y, int yo, int from, int n) {
        for (int j = from; j < n; j++) {
            y[yo + j] = (x[xo + j] - mean[j]) * a[j] + b[j];
        }
    }

    @Override
    public void affine(float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b, float[] r, int ro,
            FusedOp.Activation then, float[] y, int yo) {
        for (int i = 0; i < rows; i++) {
            affine(x, xo + i * cols, mean, a, b, r, ro + i * cols, then, y, yo + i * cols, 0, cols);
        }
    }

    /** Columns {@code from} to {@code n} of one row. */
    static void affine(float[] x, int xo, float[] mean, float[] a, float[] b, float[] r, int ro, FusedOp.Activation then,
            float[] y, int yo, int from, int n) {
        float low = then == FusedOp.Activation.NONE ? Float.NEGATIVE_INFINITY : 0f;
        float high = then == FusedOp.Activation.RELU6 ? 6f : Float.POSITIVE_INFINITY;
        for (int j = from; j < n; j++) {
            float v = (x[xo + j] - mean[j]) * a[j] + b[j];
            v = r == null ? v : v + r[ro + j];
            y[yo + j] = Math.min(Math.max(v, low), high);
        }
    }

    @Override
    public void affineGrad(float[] dy, int dyo, float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b,
            float[] c, float[] dx, int dxo) {
        for (int r = 0; r < rows; r++) {
            affineGrad(dy, dyo + r * cols, x, xo + r * cols, mean, a, b, c, dx, dxo + r * cols, 0, cols);
        }
    }

    /** Columns {@code from} to {@code n} of one row. */
    static void affineGrad(float[] dy, int dyo, float[] x, int xo, float[] mean, float[] a, float[] b, float[] c,
            float[] dx, int dxo, int from, int n) {
        for (int j = from; j < n; j++) {
            dx[dxo + j] = a[j] * dy[dyo + j] + b[j] * (x[xo + j] - mean[j]) + c[j];
        }
    }

    @Override
    public void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, Passing y, float[] sums,
            float[] dots) {
        columnDots(dy, dyo, x, xo, rows, stride, y, sums, dots, 0, cols);
    }

    /** Columns {@code from} to {@code n}. */
    static void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int stride, Passing y, float[] sums,
            float[] dots, int from, int n) {
        for (int r = 0; r < rows; r++) {
            int at = r * stride;
            for (int j = from; j < n; j++) {
                float v = x[xo + at + j];
                float g = y.at(j, v) ? dy[dyo + at + j] : 0;
                sums[j] += g;
                dots[j] += g * (v - y.mean()[j]);
            }
        }
    }

    @Override
    public void affineGrad(float[] dy, int dyo, float[] x, int xo, int rows, int cols, Passing y, float[] a, float[] b,
            float[] c, float[] dx, int dxo) {
        for (int r = 0; r < rows; r++) {
            affineGrad(dy, dyo + r * cols, x, xo + r * cols, y, a, b, c, dx, dxo + r * cols, 0, cols);
        }
    }

    /** Columns {@code from} to {@code n} of one row. */
    static void affineGrad(float[] dy, int dyo, float[] x, int xo, Passing y, float[] a, float[] b, float[] c, float[] dx,
            int dxo, int from, int n) {
        for (int j = from; j < n; j++) {
            float v = x[xo + j];
            dx[dxo + j] = a[j] * (y.at(j, v) ? dy[dyo + j] : 0) + b[j] * (v - y.mean()[j]) + c[j];
        }
    }
}
