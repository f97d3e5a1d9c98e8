package dev.graft.tensor;

import java.util.Arrays;

/**
 * The sizes of a tensor's axes, first axis outermost (row-major). Immutable. A scalar has no axes; an axis may have size 0.
 * Axes are counted from 0, and from the end with negative numbers, as in NumPy.
 */
public final class Shape {
    /** The shape of a single value: no axes, one element. */
    public static final Shape SCALAR = new Shape();

    private final int[] dims;
    private final long size;

    private Shape(int... dims) {
        this.dims = dims;
        long n = 1;
        for (int d : dims) {
            if (d < 0) {
                throw new GraftException("shape " + Arrays.toString(dims) + ": sizes must not be negative");
            }
            try {
                n = Math.multiplyExact(n, (long) d);
            } catch (ArithmeticException e) {
                throw new GraftException("shape " + Arrays.toString(dims) + " has more than 2^63 elements", e);
            }
        }
        this.size = n;
    }

    public static Shape of(int... dims) {
        return dims.length == 0 ? (SCALAR == null ? new Shape() : SCALAR) : new Shape(dims.clone());
    }

    public int rank() {
        return dims.length;
    }

    /** Size of {@code axis}; negative axes count from the end. */
    public int dim(int axis) {
        return dims[axis(axis)];
    }

    public int[] dims() {
        return dims.clone();
    }

    /** Number of elements. */
    public long size() {
        return size;
    }

    /** {@code axis} as a number from 0 to rank-1; throws when there is no such axis. */
    public int axis(int axis) {
        int a = axis < 0 ? axis + dims.length : axis;
        if (a < 0 || a >= dims.length) {
            throw new GraftException("axis " + axis + " does not exist in shape " + this + " of rank " + dims.length);
        }
        return a;
    }

    /** Row-major strides in elements. */
    public long[] strides() {
        long[] s = new long[dims.length];
        long n = 1;
        for (int i = dims.length - 1; i >= 0; i--) {
            s[i] = n;
            n *= dims[i];
        }
        return s;
    }

    /** This shape with {@code axis} set to {@code size}. */
    public Shape with(int axis, int size) {
        int[] d = dims.clone();
        d[axis(axis)] = size;
        return new Shape(d);
    }

    /** This shape without {@code axis}. */
    public Shape without(int axis) {
        int a = axis(axis);
        int[] d = new int[dims.length - 1];
        System.arraycopy(dims, 0, d, 0, a);
        System.arraycopy(dims, a + 1, d, a, d.length - a);
        return of(d);
    }

    /** The axes {@code from} (included) to {@code to} (excluded). */
    public Shape range(int from, int to) {
        return of(Arrays.copyOfRange(dims, from, to));
    }

    /** Product of the sizes of the axes {@code from} (included) to {@code to} (excluded). */
    public long count(int from, int to) {
        long n = 1;
        for (int i = from; i < to; i++) {
            n *= dims[i];
        }
        return n;
    }

    public Shape concat(Shape tail) {
        int[] d = Arrays.copyOf(dims, dims.length + tail.dims.length);
        System.arraycopy(tail.dims, 0, d, dims.length, tail.dims.length);
        return of(d);
    }

    /**
     * The common shape of two operands by NumPy's rule: aligned at the last axis, sizes must agree or one of them be 1.
     *
     * @return the common shape, or null when there is none
     */
    public static Shape broadcast(Shape a, Shape b) {
        if (a.equals(b)) {
            return a;
        }
        int rank = Math.max(a.rank(), b.rank());
        int[] d = new int[rank];
        for (int i = 1; i <= rank; i++) {
            int x = i <= a.rank() ? a.dims[a.rank() - i] : 1;
            int y = i <= b.rank() ? b.dims[b.rank() - i] : 1;
            if (x != y && x != 1 && y != 1) {
                return null;
            }
            d[rank - i] = x == 1 ? y : x;
        }
        return of(d);
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Shape s && Arrays.equals(dims, s.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    /** As {@code [2, 3]}; a scalar is {@code []}. */
    @Override
    public String toString() {
        return Arrays.toString(dims);
    }
}
