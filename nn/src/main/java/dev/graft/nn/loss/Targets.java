package dev.graft.nn.loss;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;

/** What elementwise losses ask of their targets. */
final class Targets {
    private Targets() {}

    /** Throws unless both have one shape; nothing is broadcast, which hides mistakes more often than it is wanted. */
    static void sameShape(String loss, Tensor prediction, Tensor target) {
        if (!prediction.shape().equals(target.shape()) || !target.dtype().isFloat()) {
            throw new GraftException(loss + ": target " + target.spec() + " does not fit prediction " + prediction.spec()
                    + ": floating-point values of one shape are needed");
        }
    }
}
