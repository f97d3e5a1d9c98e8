package dev.graft.tensor;

/** Element type and shape of a tensor, without its data: what shape rules read and return. */
public record TensorSpec(DType dtype, Shape shape) {
    public int rank() {
        return shape.rank();
    }

    public int dim(int axis) {
        return shape.dim(axis);
    }

    /** Bytes of the elements. */
    public long bytes() {
        return shape.size() * dtype.bytes();
    }

    /** By hand, and {@code hashCode} too: the JVM spins classes for a record's at their first use, 10 ms of a start. */
    @Override
    public boolean equals(Object o) {
        return o instanceof TensorSpec s && s.dtype == dtype && s.shape.equals(shape);
    }

    @Override
    public int hashCode() {
        return 31 * dtype.ordinal() + shape.hashCode();
    }

    @Override
    public String toString() {
        return dtype + shape.toString();
    }
}
