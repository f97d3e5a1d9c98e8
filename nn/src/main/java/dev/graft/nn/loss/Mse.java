package dev.graft.nn.loss;

import dev.graft.tensor.Tensor;

/** Squared difference (x − y)² of values of one shape: PyTorch's {@code MSELoss}. */
public record Mse(Reduction reduction) implements Loss {
    public Mse() {
        this(Reduction.MEAN);
    }

    @Override
    public Tensor of(Tensor prediction, Tensor target) {
        Targets.sameShape("mse", prediction, target);
        return reduction.of(prediction.sub(target).square());
    }
}
