package dev.graft.nn.loss;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Binary cross-entropy of logits with targets from 0 to 1 of the same shape, for yes/no and multi-label tasks: PyTorch's
 * {@code BCEWithLogitsLoss}.
 *
 * @param posWeight how much more a positive target counts, one per label (the last axis); empty for all 1
 */
public record BceWithLogits(List<Double> posWeight, Reduction reduction) implements Loss {
    public BceWithLogits() {
        this(List.of(), Reduction.MEAN);
    }

    public BceWithLogits {
        posWeight = List.copyOf(posWeight);
    }

    public BceWithLogits posWeight(double... weights) {
        return new BceWithLogits(Arrays.stream(weights).boxed().toList(), reduction);
    }

    public BceWithLogits reduction(Reduction r) {
        return new BceWithLogits(posWeight, r);
    }

    @Override
    public Tensor of(Tensor logits, Tensor target) {
        Targets.sameShape("bce_with_logits", logits, target);
        Tensor y = target.cast(logits.dtype());
        Tensor minusLogP = logits.neg().softplus();                 // −log sigmoid(x), without overflow
        if (!posWeight.isEmpty()) {
            if (logits.rank() == 0 || posWeight.size() != 1 && posWeight.size() != logits.dim(-1)) {
                throw new GraftException("bce_with_logits: " + posWeight.size() + " positive weights do not fit logits "
                        + logits.spec() + ": give one for each label");
            }
            minusLogP = minusLogP.mul(y.mul(Weights.of(posWeight, logits).sub(1)).add(1));
        }
        return reduction.of(logits.mul(y.neg().add(1)).add(minusLogP));
    }
}
