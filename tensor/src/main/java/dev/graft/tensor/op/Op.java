package dev.graft.tensor.op;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.TensorSpec;

/**
 * One operation with its static arguments. Ops are values; a {@code switch} over them has no {@code default}, so the
 * compiler lists every place that a new op still misses: the reference backend, the CPU backend, the CUDA backend and the
 * gradient table.
 *
 * <p>A {@link PrimitiveOp} is computed by every backend and has a gradient rule; a {@link FusedOp} is a fast path that a
 * backend may offer and that is otherwise composed from primitives.
 */
public sealed interface Op permits PrimitiveOp, FusedOp {
    /** PyTorch's name where there is one, as it stands in messages and profiles. */
    String name();

    /**
     * The shape rule: what the outputs will be.
     *
     * @throws GraftException when the inputs do not fit, with both sides and without the op's name, which the dispatcher
     *     puts in front
     */
    TensorSpec[] infer(TensorSpec[] in);
}
