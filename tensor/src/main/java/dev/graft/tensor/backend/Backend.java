package dev.graft.tensor.backend;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;

/**
 * Runs ops on one device. The dispatcher has checked shapes, dtypes and devices and allocated the outputs; a backend only
 * computes. Views (reshape, slices along the first axis) never arrive here. All tensors are dense and row-major, from
 * {@link Tensor#offset()} on in their storage.
 */
public interface Backend {
    /** A short name for messages, such as {@code cpu-simd}. */
    String name();

    Device device();

    /** Memory for {@code count} elements with any content; {@code label} says what for (op and module path). */
    Storage allocate(DType dtype, long count, String label);

    /** Computes {@code op} into {@code out}, writing every element. Never called with a fused op it does not support. */
    void run(Op op, Tensor[] in, Tensor[] out);

    /** Whether {@link #run} takes this fused op; otherwise the dispatcher composes it from primitives. */
    default boolean supports(FusedOp op) {
        return false;
    }

    /** Changes {@code target} (and the optimizer states behind it) in place. */
    void update(Update update, Tensor target, Tensor[] in);

    /** Copies all elements of {@code source} into {@code array}, a Java array of the dtype's carrier, from index 0. */
    void read(Tensor source, Object array);

    /** Copies the first elements of {@code array}, a Java array of the dtype's carrier, into {@code target}. */
    void write(Object array, Tensor target);
}
