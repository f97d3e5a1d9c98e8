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

    @Override
    public String toString() {
        return dtype + shape.toString();
    }
}
