package dev.graft.tensor.op;

import dev.graft.tensor.Tensor;

/**
 * One change of a step that changes many tensors at once: what {@code update} does to {@code target}, reading {@code in}.
 */
public record Change(Update update, Tensor target, Tensor... in) {}
