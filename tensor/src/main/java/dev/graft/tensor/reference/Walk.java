package dev.graft.tensor.reference;

import dev.graft.tensor.Shape;

/** Where each element of a shape, in row-major order, lies in another tensor's elements. */
final class Walk {
    private Walk() {}

    /** base + Σ index·stride over the axes, for every index of {@code shape}. */
    static int[] strided(Shape shape, long[] strides, long base) {
        int[] at = new int[Math.toIntExact(shape.size())];
        int[] dims = shape.dims();
        int[] index = new int[dims.length];
        long place = base;
        for (int i = 0; i < at.length; i++) {
            at[i] = (int) place;
            for (int a = dims.length - 1; a >= 0; a--) {
                place += strides[a];
                if (++index[a] < dims[a]) {
                    break;
                }
                place -= strides[a] * dims[a];
                index[a] = 0;
            }
        }
        return at;
    }

    /** For every element of {@code to} the element of {@code from} that NumPy's broadcasting puts there. */
    static int[] broadcast(Shape from, Shape to) {
        long[] own = from.strides();
        long[] strides = new long[to.rank()];
        int front = to.rank() - from.rank();
        for (int i = 0; i < own.length; i++) {
            strides[front + i] = from.dim(i) == 1 ? 0 : own[i];
        }
        return strided(to, strides, 0);
    }

    /** For every element of {@code shape} the element of the result in which a reduction over {@code axes} puts it. */
    static int[] reduced(Shape shape, int... axes) {
        Shape kept = shape;
        for (int a : axes) {
            kept = kept.with(a, 1);
        }
        return broadcast(kept, shape);
    }
}
