package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.GT;

import dev.graft.tensor.op.ReduceFn;
import jdk.incubator.vector.FloatVector;

/** Reductions down columns: a few vectors of columns stay in registers while one loop walks the rows. */
final class SimdColumnLoops {
    private static final int L = S.length();
    /** Columns from which on sums go row by row. */
    private static final int WIDE = 256;

    private SimdColumnLoops() {}

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    /** Combines whole vectors of columns into {@code acc}; returns how many columns that were. */
    static int columns(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao) {
        int j = 0;
        boolean sum = f == ReduceFn.SUM || f == ReduceFn.MEAN;
        if (sum) {
            if (cols >= WIDE) {
                int whole = S.loopBound(cols);
                int r = 0;
                for (; r <= rows - 8; r += 8) {
                    sumRows8(x, xo + r * stride, stride, whole, acc, ao);
                }
                for (; r < rows; r++) {
                    sumRow(x, xo + r * stride, whole, acc, ao);
                }
                j = whole;
            }
            for (; j <= cols - 4 * L; j += 4 * L) {
                sum4(x, xo + j, rows, stride, acc, ao + j);
            }
        }
        for (; j <= cols - L; j += L) {
            if (sum) {
                sum(x, xo + j, rows, stride, acc, ao + j);
            } else if (f == ReduceFn.MAX) {
                max(x, xo + j, rows, stride, acc, ao + j);
            } else {
                min(x, xo + j, rows, stride, acc, ao + j);
            }
        }
        return j;
    }

    /** The next eight rows as eight streams, which the processor reads ahead; it does not where columns are walked. */
    private static void sumRows8(float[] x, int xo, int stride, int cols, float[] acc, int ao) {
        int x1 = xo + stride, x2 = x1 + stride, x3 = x2 + stride, x4 = x3 + stride, x5 = x4 + stride, x6 = x5 + stride;
        int x7 = x6 + stride;
        for (int j = 0; j < cols; j += L) {
            FloatVector a = load(acc, ao + j).add(load(x, xo + j)).add(load(x, x1 + j)).add(load(x, x2 + j));
            a = a.add(load(x, x3 + j)).add(load(x, x4 + j)).add(load(x, x5 + j)).add(load(x, x6 + j));
            a.add(load(x, x7 + j)).intoArray(acc, ao + j);
        }
    }

    private static void sumRow(float[] x, int xo, int cols, float[] acc, int ao) {
        for (int j = 0; j < cols; j += L) {
            load(acc, ao + j).add(load(x, xo + j)).intoArray(acc, ao + j);
        }
    }

    private static void sum4(float[] x, int xo, int rows, int stride, float[] acc, int ao) {
        FloatVector a = load(acc, ao);
        FloatVector b = load(acc, ao + L);
        FloatVector c = load(acc, ao + 2 * L);
        FloatVector d = load(acc, ao + 3 * L);
        for (int r = 0; r < rows; r++) {
            int at = xo + r * stride;
            a = a.add(load(x, at));
            b = b.add(load(x, at + L));
            c = c.add(load(x, at + 2 * L));
            d = d.add(load(x, at + 3 * L));
        }
        a.intoArray(acc, ao);
        b.intoArray(acc, ao + L);
        c.intoArray(acc, ao + 2 * L);
        d.intoArray(acc, ao + 3 * L);
    }

    private static void sum(float[] x, int xo, int rows, int stride, float[] acc, int ao) {
        FloatVector a = load(acc, ao);
        for (int r = 0; r < rows; r++) {
            a = a.add(load(x, xo + r * stride));
        }
        a.intoArray(acc, ao);
    }

    private static void max(float[] x, int xo, int rows, int stride, float[] acc, int ao) {
        FloatVector a = load(acc, ao);
        for (int r = 0; r < rows; r++) {
            a = a.max(load(x, xo + r * stride));
        }
        a.intoArray(acc, ao);
    }

    private static void min(float[] x, int xo, int rows, int stride, float[] acc, int ao) {
        FloatVector a = load(acc, ao);
        for (int r = 0; r < rows; r++) {
            a = a.min(load(x, xo + r * stride));
        }
        a.intoArray(acc, ao);
    }

    /** {@link RowLoops#columnMoments} of whole vectors of columns; returns how many columns that were. */
    static int moments(float[] x, int xo, int rows, int cols, int stride, float[] shift, float[] sums, float[] squares) {
        int j = 0;
        for (; j <= cols - 4 * L; j += 4 * L) {
            moments4(x, xo + j, rows, stride, shift, sums, squares, j);
        }
        for (; j <= cols - L; j += L) {
            moments1(x, xo + j, rows, stride, shift, sums, squares, j);
        }
        return j;
    }

    private static void moments4(float[] x, int xo, int rows, int stride, float[] shift, float[] sums, float[] squares,
            int j) {
        FloatVector k0 = load(shift, j);
        FloatVector k1 = load(shift, j + L);
        FloatVector k2 = load(shift, j + 2 * L);
        FloatVector k3 = load(shift, j + 3 * L);
        FloatVector a0 = load(sums, j);
        FloatVector a1 = load(sums, j + L);
        FloatVector a2 = load(sums, j + 2 * L);
        FloatVector a3 = load(sums, j + 3 * L);
        FloatVector b0 = load(squares, j);
        FloatVector b1 = load(squares, j + L);
        FloatVector b2 = load(squares, j + 2 * L);
        FloatVector b3 = load(squares, j + 3 * L);
        for (int r = 0; r < rows; r++) {
            int at = xo + r * stride;
            FloatVector v0 = load(x, at);
            FloatVector v1 = load(x, at + L);
            FloatVector v2 = load(x, at + 2 * L);
            FloatVector v3 = load(x, at + 3 * L);
            a0 = a0.add(v0);
            a1 = a1.add(v1);
            a2 = a2.add(v2);
            a3 = a3.add(v3);
            v0 = v0.sub(k0);
            b0 = v0.fma(v0, b0);
            v1 = v1.sub(k1);
            b1 = v1.fma(v1, b1);
            v2 = v2.sub(k2);
            b2 = v2.fma(v2, b2);
            v3 = v3.sub(k3);
            b3 = v3.fma(v3, b3);
        }
        a0.intoArray(sums, j);
        a1.intoArray(sums, j + L);
        a2.intoArray(sums, j + 2 * L);
        a3.intoArray(sums, j + 3 * L);
        b0.intoArray(squares, j);
        b1.intoArray(squares, j + L);
        b2.intoArray(squares, j + 2 * L);
        b3.intoArray(squares, j + 3 * L);
    }

    private static void moments1(float[] x, int xo, int rows, int stride, float[] shift, float[] sums, float[] squares,
            int j) {
        FloatVector k = load(shift, j);
        FloatVector a = load(sums, j);
        FloatVector b = load(squares, j);
        for (int r = 0; r < rows; r++) {
            FloatVector v = load(x, xo + r * stride);
            a = a.add(v);
            v = v.sub(k);
            b = v.fma(v, b);
        }
        a.intoArray(sums, j);
        b.intoArray(squares, j);
    }

    /** {@link RowLoops#columnDots} of whole vectors of columns; returns how many columns that were. */
    static int dots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, float[] mean, float[] sums,
            float[] dots) {
        int j = 0;
        for (; j <= cols - 4 * L; j += 4 * L) {
            dots4(dy, dyo + j, x, xo + j, rows, stride, mean, sums, dots, j);
        }
        for (; j <= cols - L; j += L) {
            dots1(dy, dyo + j, x, xo + j, rows, stride, mean, sums, dots, j);
        }
        return j;
    }

    private static void dots4(float[] dy, int dyo, float[] x, int xo, int rows, int stride, float[] mean, float[] sums,
            float[] dots, int j) {
        FloatVector m0 = load(mean, j);
        FloatVector m1 = load(mean, j + L);
        FloatVector m2 = load(mean, j + 2 * L);
        FloatVector m3 = load(mean, j + 3 * L);
        FloatVector a0 = load(sums, j);
        FloatVector a1 = load(sums, j + L);
        FloatVector a2 = load(sums, j + 2 * L);
        FloatVector a3 = load(sums, j + 3 * L);
        FloatVector b0 = load(dots, j);
        FloatVector b1 = load(dots, j + L);
        FloatVector b2 = load(dots, j + 2 * L);
        FloatVector b3 = load(dots, j + 3 * L);
        for (int r = 0; r < rows; r++) {
            int g = dyo + r * stride;
            int at = xo + r * stride;
            FloatVector g0 = load(dy, g);
            FloatVector g1 = load(dy, g + L);
            FloatVector g2 = load(dy, g + 2 * L);
            FloatVector g3 = load(dy, g + 3 * L);
            a0 = a0.add(g0);
            a1 = a1.add(g1);
            a2 = a2.add(g2);
            a3 = a3.add(g3);
            b0 = g0.fma(load(x, at).sub(m0), b0);
            b1 = g1.fma(load(x, at + L).sub(m1), b1);
            b2 = g2.fma(load(x, at + 2 * L).sub(m2), b2);
            b3 = g3.fma(load(x, at + 3 * L).sub(m3), b3);
        }
        a0.intoArray(sums, j);
        a1.intoArray(sums, j + L);
        a2.intoArray(sums, j + 2 * L);
        a3.intoArray(sums, j + 3 * L);
        b0.intoArray(dots, j);
        b1.intoArray(dots, j + L);
        b2.intoArray(dots, j + 2 * L);
        b3.intoArray(dots, j + 3 * L);
    }

    private static void dots1(float[] dy, int dyo, float[] x, int xo, int rows, int stride, float[] mean, float[] sums,
            float[] dots, int j) {
        FloatVector m = load(mean, j);
        FloatVector a = load(sums, j);
        FloatVector b = load(dots, j);
        for (int r = 0; r < rows; r++) {
            FloatVector g = load(dy, dyo + r * stride);
            a = a.add(g);
            b = g.fma(load(x, xo + r * stride).sub(m), b);
        }
        a.intoArray(sums, j);
        b.intoArray(dots, j);
    }

    /** As {@link #dots}, of dy where {@code y} lets it pass. */
    static int dots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, RowLoops.Passing y, float[] sums,
            float[] dots) {
        int j = 0;
        for (; j <= cols - 2 * L; j += 2 * L) {
            dots2(dy, dyo + j, x, xo + j, rows, stride, y.mean(), y.a(), y.b(), y.high(), sums, dots, j);
        }
        for (; j <= cols - L; j += L) {
            dots1(dy, dyo + j, x, xo + j, rows, stride, y.mean(), y.a(), y.b(), y.high(), sums, dots, j);
        }
        return j;
    }

    private static void dots2(float[] dy, int dyo, float[] x, int xo, int rows, int stride, float[] mean, float[] scale,
            float[] beta, float high, float[] sums, float[] dots, int j) {
        FloatVector m0 = load(mean, j), m1 = load(mean, j + L);
        FloatVector s0 = load(scale, j), s1 = load(scale, j + L);
        FloatVector k0 = load(beta, j), k1 = load(beta, j + L);
        FloatVector a0 = load(sums, j), a1 = load(sums, j + L);
        FloatVector b0 = load(dots, j), b1 = load(dots, j + L);
        FloatVector none = FloatVector.zero(S), top = FloatVector.broadcast(S, high);
        for (int r = 0; r < rows; r++) {
            int g = dyo + r * stride;
            int at = xo + r * stride;
            FloatVector d0 = load(x, at).sub(m0);
            FloatVector d1 = load(x, at + L).sub(m1);
            FloatVector v0 = d0.mul(s0).add(k0);
            FloatVector v1 = d1.mul(s1).add(k1);
            FloatVector g0 = none.blend(load(dy, g), v0.compare(GT, none)).blend(none, v0.compare(GE, top));
            FloatVector g1 = none.blend(load(dy, g + L), v1.compare(GT, none)).blend(none, v1.compare(GE, top));
            a0 = a0.add(g0);
            a1 = a1.add(g1);
            b0 = g0.fma(d0, b0);
            b1 = g1.fma(d1, b1);
        }
        a0.intoArray(sums, j);
        a1.intoArray(sums, j + L);
        b0.intoArray(dots, j);
        b1.intoArray(dots, j + L);
    }

    private static void dots1(float[] dy, int dyo, float[] x, int xo, int rows, int stride, float[] mean, float[] scale,
            float[] beta, float high, float[] sums, float[] dots, int j) {
        FloatVector m = load(mean, j), s = load(scale, j), k = load(beta, j);
        FloatVector a = load(sums, j), b = load(dots, j);
        FloatVector none = FloatVector.zero(S), top = FloatVector.broadcast(S, high);
        for (int r = 0; r < rows; r++) {
            FloatVector d = load(x, xo + r * stride).sub(m);
            FloatVector v = d.mul(s).add(k);
            FloatVector g = none.blend(load(dy, dyo + r * stride), v.compare(GT, none)).blend(none, v.compare(GE, top));
            a = a.add(g);
            b = g.fma(d, b);
        }
        a.intoArray(sums, j);
        b.intoArray(dots, j);
    }
}
