package dev.graft.nn.train;

import dev.graft.tensor.Tensor;

/**
 * Some samples with their targets.
 *
 * @param input   [N, ...]
 * @param target  [N] class indices (integers), or whatever the loss takes
 * @param indices [N]: which samples of the data these are; empty when not known
 */
public record TrainingBatch(Tensor input, Tensor target, int[] indices) {
    /** Number of samples. */
    public int size() {
        return input.dim(0);
    }
}
