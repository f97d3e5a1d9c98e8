package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;

import dev.graft.tensor.op.ReduceFn;
import jdk.incubator.vector.FloatVector;

/** Reductions down columns: a few vectors of columns stay in registers while one loop walks the rows. */
final class SimdColumnLoops {
    private static final int L = S.length();

    private SimdColumnLoops() {}

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    /** Combines whole vectors of columns into {@code acc}; returns how many columns that were. */
    static int columns(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao) {
        int j = 0;
        boolean sum = f == ReduceFn.SUM || f == ReduceFn.MEAN;
        if (sum) {
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

    /** One vector of columns of {@link RowLoops#columnSquares}. */
    static void squares(float[] x, int xo, int rows, int stride, float[] mean, int mo, float[] acc, int ao) {
        FloatVector a = load(acc, ao);
        FloatVector m = load(mean, mo);
        for (int r = 0; r < rows; r++) {
            FloatVector d = load(x, xo + r * stride).sub(m);
            a = d.fma(d, a);
        }
        a.intoArray(acc, ao);
    }

    /** One vector of columns of {@link RowLoops#columnDots}. */
    static void dots(float[] dy, int dyo, float[] x, int xo, int rows, int stride, float[] mean, int mo, float[] acc,
            int ao) {
        FloatVector a = load(acc, ao);
        FloatVector m = load(mean, mo);
        for (int r = 0; r < rows; r++) {
            a = load(dy, dyo + r * stride).fma(load(x, xo + r * stride).sub(m), a);
        }
        a.intoArray(acc, ao);
    }
}
