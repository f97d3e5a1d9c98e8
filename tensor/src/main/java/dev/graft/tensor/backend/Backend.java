package dev.graft.tensor.backend;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.MemoryReport;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import java.util.List;

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

    /** As {@link #allocate}, for a tensor whose first use is that values of the host are written to it. */
    default Storage allocateUpload(DType dtype, long count, String label) {
        return allocate(dtype, count, label);
    }

    /** Computes {@code op} into {@code out}, writing every element. Never called with a fused op it does not support. */
    void run(Op op, Tensor[] in, Tensor[] out);

    /** Whether {@link #run} takes this fused op; otherwise the dispatcher composes it from primitives. */
    default boolean supports(FusedOp op) {
        return false;
    }

    /**
     * Whether {@link #run} computes this op in one for these inputs, not by other ops: then a tape that knows its derivative
     * records it whole.
     */
    default boolean runsWhole(FusedOp op, Tensor[] in) {
        return false;
    }

    /** Changes {@code target} (and the optimizer states behind it) in place. */
    void update(Update update, Tensor target, Tensor[] in);

    /**
     * A step's updates at once: what {@link #update} does for each, after its gradient (the first input) was multiplied by
     * {@code scale} and clipped to [−limit, limit], where NaN stays NaN. Gradients are not changed. Where the scale is NaN
     * or infinite nothing is changed at all.
     *
     * @param scale a float32 scalar on this device, or null for 1
     * @param limit above 0; {@link Change#NO_LIMIT} for no clipping
     */
    void updateAll(List<Change> changes, Tensor scale, double limit);

    /** Copies all elements of {@code source} into {@code array}, a Java array of the dtype's carrier, from index 0. */
    void read(Tensor source, Object array);

    /** Fills {@code target} from {@code array}, a Java array of the dtype's carrier, from index {@code at} on. */
    void write(Object array, int at, Tensor target);

    /** What the device's allocator holds. */
    MemoryReport memory();

    /** Live and cached bytes may not exceed {@code bytes}. */
    void limit(long bytes);

    /** Gives memory that is kept for reuse back to the device. */
    void trim();

    void resetPeak();

    /** Waits until all work has been done. */
    default void synchronize() {}

    /** This point in the order of the device's work. */
    default Mark mark() {
        return new Mark.Clock(System.nanoTime());
    }

    /** Whether {@link #capture} works here. */
    default boolean captures() {
        return false;
    }

    /**
     * Runs {@code step} and records the device's work. The step has run once before, so that all that is made on first use
     * exists. It may not read values back to the host.
     *
     * @throws GraftException when the step cannot be recorded; it has had no effect then
     */
    default StepGraph capture(Runnable step) {
        throw new GraftException("a step cannot be captured on " + device() + ": run it op by op");
    }
}
