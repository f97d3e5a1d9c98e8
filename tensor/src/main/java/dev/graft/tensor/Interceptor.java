package dev.graft.tensor;

import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import java.util.function.Supplier;

/** Stands between a tensor's op and its backend: the tape, the profiler, autocast and the NaN guard are interceptors. */
public interface Interceptor {
    /** Runs {@code op}, by {@code next} or in another way, and returns its outputs. */
    Tensor[] intercept(Op op, Tensor[] inputs, Next next);

    /** Whether a fused op must be taken apart for this interceptor to see its parts; a tape says yes. */
    default boolean needsPrimitives(Tensor[] inputs) {
        return false;
    }

    /** {@link #needsPrimitives} for an op of which this interceptor may know more; a tape knows some derivatives. */
    default boolean takesApart(FusedOp op, Tensor[] inputs) {
        return needsPrimitives(inputs);
    }

    /**
     * Runs {@code change}, which changes tensors on {@code device} in place.
     *
     * @param name of the update; of several of one call, {@code updates}
     */
    default void update(String name, Device device, Runnable change) {
        change.run();
    }

    /**
     * Runs {@code get}, which gets what {@code device} is to work on next: but for ops in it, the device has nothing to do
     * meanwhile.
     */
    default <T> T waiting(Device device, Supplier<T> get) {
        return get.get();
    }

    /**
     * Whether a step that this interceptor sees may be recorded and replayed without it; one that measures or looks at
     * values says no.
     */
    default boolean allowsCapture() {
        return false;
    }

    /** The rest of the chain, the backend at its end. */
    interface Next {
        Tensor[] run(Op op, Tensor[] inputs);
    }
}
