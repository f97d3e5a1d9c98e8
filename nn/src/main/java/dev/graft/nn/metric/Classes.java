package dev.graft.nn.metric;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;

/** Reads predicted and true classes from tensors. */
final class Classes {
    private Classes() {}

    /** Scores [..., C] give the class with the largest; integers are classes already. */
    static long[] predicted(Tensor prediction) {
        try (Scope s = Scope.open("metric")) {
            return prediction.dtype().isFloat() ? prediction.argmax(-1).toLongs() : prediction.toLongs();
        }
    }

    /** The classes of {@code target} [...], which must fit {@code prediction} [..., C] or [...]. */
    static long[] target(String metric, Tensor prediction, Tensor target) {
        boolean scores = prediction.dtype().isFloat();
        if (!target.dtype().isInteger() || scores && prediction.rank() == 0
                || !target.shape().equals(scores ? prediction.shape().without(-1) : prediction.shape())) {
            throw new GraftException(metric + ": target " + target.spec() + " does not fit prediction " + prediction.spec()
                    + ": class indices of all its axes but the last are needed");
        }
        return target.toLongs();
    }
}
