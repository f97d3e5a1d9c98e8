package dev.graft.nn.loss;

import dev.graft.tensor.Tensor;

/**
 * Kullback-Leibler divergence Σ t·(log t − x) of log-probabilities x from probabilities t, both [..., C]: PyTorch's
 * {@code KLDivLoss}, by default with {@code batchmean}, which is the divergence by its definition.
 *
 * @param logTarget whether targets are log-probabilities too
 */
public record KlDiv(boolean logTarget, Reduction reduction) implements Loss {
    /** Keeps log(0) finite, so that a probability of 0 adds 0. Representable in float32. */
    private static final double TINY = 1e-37;

    public KlDiv() {
        this(false, Reduction.BATCH_MEAN);
    }

    @Override
    public Tensor of(Tensor logProbabilities, Tensor target) {
        Targets.sameShape("kl_div", logProbabilities, target);
        Tensor t = logTarget ? target.exp() : target;
        Tensor logT = logTarget ? target : target.maximum(TINY).log();
        return reduction.of(t.mul(logT.sub(logProbabilities)));
    }
}
