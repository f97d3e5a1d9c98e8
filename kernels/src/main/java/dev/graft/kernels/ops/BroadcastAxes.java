package dev.graft.kernels.ops;

import dev.graft.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/**
 * The axes over which several inputs meet, as few as possible: axes of size 1 are left out, and neighbours that all inputs
 * walk as if they were one are joined.
 *
 * @param size  of each axis, outermost first; at least one
 * @param steps for each input its step along each axis in elements, 0 where it is repeated; the last is 0 or 1
 */
record BroadcastAxes(long[] size, long[][] steps) {

    static BroadcastAxes of(Shape out, List<Shape> inputs) {
        int rank = out.rank();
        long[] size = new long[Math.max(1, rank)];
        long[][] steps = new long[inputs.size()][size.length];
        int n = 0;
        for (int axis = 0; axis < rank; axis++) {
            if (out.dim(axis) == 1) {
                continue;
            }
            size[n] = out.dim(axis);
            for (int i = 0; i < steps.length; i++) {
                steps[i][n] = step(inputs.get(i), axis - rank);
            }
            if (n > 0 && joins(size, steps, n)) {
                size[n - 1] *= size[n];
                for (long[] s : steps) {
                    s[n - 1] = s[n];
                }
            } else {
                n++;
            }
        }
        if (n == 0) {
            size[n++] = 1;
        }
        for (int i = 0; i < steps.length; i++) {
            steps[i] = Arrays.copyOf(steps[i], n);
        }
        return new BroadcastAxes(Arrays.copyOf(size, n), steps);
    }

    int rank() {
        return size.length;
    }

    /** Size of the innermost axis. */
    long inner() {
        return size[size.length - 1];
    }

    /** The step of {@code s} along the axis that is {@code -fromEnd} places before its end. */
    private static long step(Shape s, int fromEnd) {
        int axis = s.rank() + fromEnd;
        return axis < 0 || s.dim(axis) == 1 ? 0 : s.count(axis + 1, s.rank());
    }

    private static boolean joins(long[] size, long[][] steps, int n) {
        for (long[] s : steps) {
            if (s[n - 1] != s[n] * size[n]) {
                return false;
            }
        }
        return true;
    }
}
