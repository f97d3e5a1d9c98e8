package dev.graft.nn.loss;

import dev.graft.tensor.Tensor;
import java.util.List;

/** Weights of a loss, numbers in its record, as a tensor for one call. */
final class Weights {
    private Weights() {}

    /** [n], of the dtype and on the device of {@code like}. */
    static Tensor of(List<Double> values, Tensor like) {
        double[] v = values.stream().mapToDouble(Double::doubleValue).toArray();
        return Tensor.of(v, v.length).cast(like.dtype()).to(like.device());
    }
}
