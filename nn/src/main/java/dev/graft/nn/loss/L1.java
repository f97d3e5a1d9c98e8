package dev.graft.nn.loss;

import dev.graft.tensor.Tensor;

/** Absolute difference |x − y| of values of one shape: PyTorch's {@code L1Loss}. */
public record L1(Reduction reduction) implements Loss {
    public L1() {
        this(Reduction.MEAN);
    }

    @Override
    public Tensor of(Tensor prediction, Tensor target) {
        Targets.sameShape("l1", prediction, target);
        return reduction.of(prediction.sub(target).abs());
    }
}
