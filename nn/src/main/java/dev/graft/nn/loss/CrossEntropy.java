package dev.graft.nn.loss;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import java.util.Arrays;
import java.util.List;

/**
 * Cross-entropy of logits [..., C] with class indices [...] (integers), or with probabilities [..., C] (soft targets, as
 * mixup makes them): PyTorch's {@code CrossEntropyLoss}, but with the classes on the last axis.
 *
 * <p>With class indices the mean is weighted: Σ w·loss / Σ w over the targets' class weights. With probabilities it is a
 * plain mean over the rows.
 *
 * @param labelSmoothing share of the target that is spread evenly over all classes (Szegedy et al. 2015,
 *                       arXiv:1512.00567)
 * @param classWeights   one per class; empty for all 1
 * @param ignoreIndex    rows with this class index count for nothing
 * @param reduction      how rows become one number
 */
public record CrossEntropy(double labelSmoothing, List<Double> classWeights, int ignoreIndex, Reduction reduction)
        implements Loss {
    public CrossEntropy() {
        this(0, List.of(), -100, Reduction.MEAN);
    }

    public CrossEntropy {
        classWeights = List.copyOf(classWeights);
        if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
            throw new GraftException("cross_entropy: label smoothing " + labelSmoothing + " is not between 0 and 1");
        }
    }

    public CrossEntropy labelSmoothing(double share) {
        return new CrossEntropy(share, classWeights, ignoreIndex, reduction);
    }

    public CrossEntropy classWeights(double... weights) {
        return new CrossEntropy(labelSmoothing, Arrays.stream(weights).boxed().toList(), ignoreIndex, reduction);
    }

    public CrossEntropy ignoreIndex(int index) {
        return new CrossEntropy(labelSmoothing, classWeights, index, reduction);
    }

    public CrossEntropy reduction(Reduction r) {
        return new CrossEntropy(labelSmoothing, classWeights, ignoreIndex, r);
    }

    @Override
    public Tensor of(Tensor logits, Tensor target) {
        boolean soft = target.dtype().isFloat();
        if (logits.rank() == 0 || target.dtype() == DType.BOOL
                || !target.shape().equals(soft ? logits.shape() : logits.shape().without(-1))) {
            throw new GraftException("cross_entropy: target " + target.spec() + " does not fit logits " + logits.spec()
                    + ": class indices of all axes but the last, or probabilities of the logits' shape are needed");
        }
        int classes = logits.dim(-1);
        if (!classWeights.isEmpty() && classWeights.size() != classes) {
            throw new GraftException("cross_entropy: " + classWeights.size() + " class weights for " + classes
                    + " classes: give one for each");
        }
        int rows = Math.toIntExact(logits.shape().count(0, logits.rank() - 1));
        Tensor x = logits.reshape(rows, classes);
        Tensor loss = soft ? soft(x.logSoftmax(), target.reshape(rows, classes))
                : classWeights.isEmpty() ? hard(x, target.reshape(rows)) : weighted(x.logSoftmax(), target.reshape(rows));
        return reduction == Reduction.NONE ? loss.reshape(logits.shape().without(-1)) : loss;
    }

    private Tensor soft(Tensor logp, Tensor target) {
        Tensor t = target.cast(logp.dtype());
        t = labelSmoothing == 0 ? t : t.mul(1 - labelSmoothing).add(labelSmoothing / logp.dim(1));
        return reduction.of(weighted(logp.mul(t)).sum(1).neg());
    }

    private Tensor hard(Tensor logits, Tensor target) {
        Tensor index = index(target);
        Tensor loss = logits.crossEntropy(index, labelSmoothing, ignoreIndex);
        return reduction == Reduction.MEAN ? loss.sum().div(index.ne(ignoreIndex).cast(loss.dtype()).sum())
                : reduction.of(loss);
    }

    private static Tensor index(Tensor target) {
        return target.dtype() == DType.I32 ? target : target.cast(DType.I64);
    }

    private Tensor weighted(Tensor logp, Tensor target) {
        Tensor index = index(target);
        Tensor counts = index.ne(ignoreIndex);
        index = counts.where(index, zero(index));
        Tensor w = Weights.of(classWeights, logp).take(index);
        Tensor loss = logp.takeAlong(1, index.unsqueeze(1)).reshape(target.shape()).neg().mul(w);
        if (labelSmoothing > 0) {
            Tensor even = weighted(logp).sum(1).neg().mul(labelSmoothing / logp.dim(1));
            loss = loss.mul(1 - labelSmoothing).add(even);
        }
        loss = counts.where(loss, zero(logp));
        return switch (reduction) {
            case MEAN -> loss.sum().div(counts.cast(logp.dtype()).mul(w).sum());
            case BATCH_MEAN, SUM, NONE -> reduction.of(loss);
        };
    }

    private Tensor weighted(Tensor perClass) {
        return classWeights.isEmpty() ? perClass : perClass.mul(Weights.of(classWeights, perClass));
    }

    private static Tensor zero(Tensor like) {
        return Tensor.fill(new TensorSpec(like.dtype(), Shape.SCALAR), 0, like.device());
    }
}
