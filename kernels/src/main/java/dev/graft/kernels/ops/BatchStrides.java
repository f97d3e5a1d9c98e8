package dev.graft.kernels.ops;

import dev.graft.tensor.Shape;
import java.util.Arrays;

/**
 * How the batch axes of a product are walked: where the two factors' matrices lie for each matrix of the result, counted in
 * matrices. Axes that all three walk evenly are joined, so that broadcasting along one side is a single axis with stride 0.
 *
 * @param sizes of the joined axes, outermost first; none for a single product
 * @param a     the left side's step along each axis, 0 where it is broadcast
 * @param b     the right side's
 */
record BatchStrides(int[] sizes, long[] a, long[] b) {
    static BatchStrides of(Shape a, Shape b, Shape out) {
        int rank = out.rank();
        int[] sizes = new int[rank];
        long[] sa = new long[rank];
        long[] sb = new long[rank];
        int n = 0;
        long stepA = 1;
        long stepB = 1;
        for (int i = 1; i <= rank; i++) {                     // from the innermost axis, which is joined first
            int size = out.dim(-i);
            long ta = 0;
            long tb = 0;
            if (i <= a.rank()) {
                ta = a.dim(-i) == 1 ? 0 : stepA;
                stepA *= a.dim(-i);
            }
            if (i <= b.rank()) {
                tb = b.dim(-i) == 1 ? 0 : stepB;
                stepB *= b.dim(-i);
            }
            if (size == 1) {
                continue;
            }
            long joined = n == 0 ? 0 : (long) sizes[n - 1] * size;
            if (n > 0 && joined <= Integer.MAX_VALUE && ta == sa[n - 1] * sizes[n - 1] && tb == sb[n - 1] * sizes[n - 1]) {
                sizes[n - 1] = (int) joined;
            } else {
                sizes[n] = size;
                sa[n] = ta;
                sb[n] = tb;
                n++;
            }
        }
        return new BatchStrides(reversed(sizes, n), reversed(sa, n), reversed(sb, n));
    }

    private static int[] reversed(int[] v, int n) {
        int[] r = new int[n];
        Arrays.setAll(r, i -> v[n - 1 - i]);
        return r;
    }

    private static long[] reversed(long[] v, int n) {
        long[] r = new long[n];
        Arrays.setAll(r, i -> v[n - 1 - i]);
        return r;
    }

    /** The longest axis: the one that one library call walks. */
    int longest() {
        int at = 0;
        for (int i = 1; i < sizes.length; i++) {
            if (sizes[i] > sizes[at]) {
                at = i;
            }
        }
        return at;
    }
}
