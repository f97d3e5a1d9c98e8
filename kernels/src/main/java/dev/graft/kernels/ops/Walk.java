package dev.graft.kernels.ops;

import dev.graft.tensor.Shape;
import java.util.Arrays;

/**
 * A way through a tensor: axes, outermost first, with the step in elements along each. Neighbouring axes that are walked as
 * if they were one are one.
 */
record Walk(long[] size, long[] steps) {

    static Walk of(Shape shape, long[] steps) {
        long[] size = new long[Math.max(1, shape.rank())];
        long[] step = new long[size.length];
        int n = 0;
        for (int a = 0; a < shape.rank(); a++) {
            if (shape.dim(a) == 1) {
                continue;
            }
            if (n > 0 && step[n - 1] == steps[a] * shape.dim(a)) {
                size[n - 1] *= shape.dim(a);
                step[n - 1] = steps[a];
            } else {
                size[n] = shape.dim(a);
                step[n++] = steps[a];
            }
        }
        if (n == 0) {
            size[0] = 1;
            step[n++] = 1;
        }
        return new Walk(Arrays.copyOf(size, n), Arrays.copyOf(step, n));
    }

    int rank() {
        return size.length;
    }

    long size(int axis) {
        return size[axis];
    }

    long step(int axis) {
        return steps[axis];
    }

    long inner() {
        return size[size.length - 1];
    }

    long innerStep() {
        return steps[steps.length - 1];
    }

    long count() {
        long n = 1;
        for (long s : size) {
            n *= s;
        }
        return n;
    }

    /** The axis with this step, or -1. */
    int axisOfStep(long step) {
        for (int a = 0; a < steps.length; a++) {
            if (steps[a] == step) {
                return a;
            }
        }
        return -1;
    }

    /** The steps of a dense tensor with these axes. */
    long[] denseSteps() {
        long[] dense = new long[size.length];
        long n = 1;
        for (int a = size.length - 1; a >= 0; a--) {
            dense[a] = n;
            n *= size[a];
        }
        return dense;
    }

    /** Bytes, from {@code bytes} to 16, that can always be moved as one between two addresses. */
    int unit(int bytes, long to, long from) {
        int unit = bytes;
        while (innerStep() == 1 && unit < 16 && divides(2L * unit / bytes) && (to | from) % (2L * unit) == 0) {
            unit *= 2;
        }
        return unit;
    }

    private boolean divides(long elements) {
        boolean all = inner() % elements == 0;
        for (int a = 0; a < steps.length - 1; a++) {
            all &= steps[a] % elements == 0;
        }
        return all;
    }

    /** The same in units of {@code elements} neighbours. */
    Walk inUnits(int elements) {
        long[] s = size.clone();
        long[] t = steps.clone();
        s[s.length - 1] /= elements;
        for (int a = 0; a < t.length - 1; a++) {
            t[a] /= elements;
        }
        return new Walk(s, t);
    }
}
