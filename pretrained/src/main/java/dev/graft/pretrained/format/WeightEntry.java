package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;

/**
 * One tensor of a {@link WeightFile}, without its data.
 *
 * @param name  the name in the file; nested containers are joined with dots, a file that is a single tensor has name ""
 * @param dtype the type that reading gives (types Graft lacks, such as uint16, are widened without loss)
 * @param shape the shape in the file; convolution weights from PyTorch are [O, I/groups, kH, kW]
 */
public record WeightEntry(String name, DType dtype, Shape shape) {
    /** Bytes of the data that reading gives. */
    public long bytes() {
        return shape.size() * dtype.bytes();
    }

    /** By hand, and {@code hashCode} too: the JVM spins classes for a record's at their first use, 10 ms of a start. */
    @Override
    public boolean equals(Object o) {
        return o instanceof WeightEntry e && e.name.equals(name) && e.dtype == dtype && e.shape.equals(shape);
    }

    @Override
    public int hashCode() {
        return 31 * name.hashCode() + shape.hashCode();
    }
}
