package dev.graft.nn.optim;

import dev.graft.tensor.Tensor;
import java.util.Map;

/**
 * What an optimizer remembers between steps.
 *
 * @param tensors by {@code slot/path}, such as {@code exp_avg/layer1.0.conv1.weight}; slots are PyTorch's, and
 *                {@code start} for the values before training that L2-SP pulls to
 * @param steps   number of steps done per parameter path
 */
public record OptimizerState(Map<String, Tensor> tensors, Map<String, Long> steps) {}
