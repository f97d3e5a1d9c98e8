package dev.graft.nn.loss;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;

/**
 * With d = |x − y|: d²/(2·beta) below beta, d − beta/2 above (Girshick 2015, arXiv:1504.08083): PyTorch's
 * {@code SmoothL1Loss}. Times beta it is the Huber loss.
 *
 * @param beta where the parabola turns into a line, greater than 0
 */
public record SmoothL1(double beta, Reduction reduction) implements Loss {
    public SmoothL1(double beta) {
        this(beta, Reduction.MEAN);
    }

    public SmoothL1 {
        if (!(beta > 0)) {
            throw new GraftException("smooth_l1: beta " + beta + " must be greater than 0: use L1 for 0");
        }
    }

    @Override
    public Tensor of(Tensor prediction, Tensor target) {
        Targets.sameShape("smooth_l1", prediction, target);
        Tensor d = prediction.sub(target).abs();
        Tensor m = d.minimum(beta);
        return reduction.of(m.mul(d.sub(m.mul(0.5))).div(beta));    // both pieces in one: m is d, or beta
    }
}
