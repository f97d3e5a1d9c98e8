package dev.graft.nn.train;

import dev.graft.tensor.DType;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;

/** Loss and accuracy over samples, summed batch by batch; its sums are saved when a run stops in an epoch's middle. */
final class Tally {
    private TrainingState.Sums sums = TrainingState.Sums.NONE;

    /** Whether {@code target} are classes that {@code prediction} has scores for. */
    static boolean classifies(Tensor prediction, Tensor target) {
        return target.dtype().isInteger() && prediction.dtype().isFloat() && prediction.rank() == target.rank() + 1
                && prediction.shape().without(-1).equals(target.shape());
    }

    /** How often the largest score is at the class, float64 [], not read back; 0 where no classes are told apart. */
    static Tensor correct(Tensor prediction, Tensor target) {
        if (!classifies(prediction, target) || target.size() == 0) {
            return Tensor.fill(new TensorSpec(DType.F64, Shape.SCALAR), 0, target.device());
        }
        try (Scope scope = Scope.open("accuracy")) {
            return scope.keep(prediction.argmax(-1).cast(target.dtype()).eq(target).cast(DType.F64).sum());
        }
    }

    /** Adds a batch with {@code correct} right ones among {@code classified}. */
    void add(double loss, int samples, long correct, long classified) {
        sums = new TrainingState.Sums(sums.loss() + loss * samples, sums.samples() + samples, sums.correct() + correct,
                sums.classified() + classified);
    }

    TrainingState.Sums sums() {
        return sums;
    }

    void load(TrainingState.Sums saved) {
        sums = saved;
    }

    long samples() {
        return sums.samples();
    }

    double loss() {
        return sums.loss() / sums.samples();
    }

    double accuracy() {
        return sums.classified() == 0 ? Double.NaN : (double) sums.correct() / sums.classified();
    }
}
