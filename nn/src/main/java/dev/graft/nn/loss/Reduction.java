package dev.graft.nn.loss;

import dev.graft.tensor.Tensor;

/** How the losses of the elements become one number. */
public enum Reduction {
    /** Their mean. */
    MEAN,
    /** Their sum divided by the number of rows, the size of the first axis. */
    BATCH_MEAN,
    SUM,
    /** Not at all. */
    NONE;

    Tensor of(Tensor losses) {
        return switch (this) {
            case MEAN -> losses.mean();
            case BATCH_MEAN -> losses.sum().div(losses.rank() == 0 ? 1 : losses.dim(0));
            case SUM -> losses.sum();
            case NONE -> losses;
        };
    }
}
