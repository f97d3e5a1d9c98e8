package dev.graft.tensor.op;

import dev.graft.tensor.Tensor;

/**
 * One change of a step that changes many tensors at once: what {@code update} does to {@code target}, reading {@code in}.
 */
public record Change(Update update, Tensor target, Tensor... in) {
    /** The limit of gradients that are not clipped. */
    public static final double NO_LIMIT = Double.POSITIVE_INFINITY;

    /** {@code gradient} times {@code scale}, then every element into [−limit, limit]; itself where that changes nothing. */
    public static Tensor clipped(Tensor gradient, double scale, double limit) {
        Tensor g = scale == 1 ? gradient : gradient.mul(scale);
        return limit == NO_LIMIT ? g : g.clamp(-limit, limit);
    }
}
