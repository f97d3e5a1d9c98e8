package dev.graft.nn.loss;

import dev.graft.tensor.Tensor;

/** How far a prediction is from its target. Differentiable by the prediction. */
@FunctionalInterface
public interface Loss {
    /** A single value, shape [], unless the loss was made with {@link Reduction#NONE}. */
    Tensor of(Tensor prediction, Tensor target);
}
