package dev.graft.nn.train;

import dev.graft.nn.metric.Accuracy;
import dev.graft.tensor.Tensor;

/** Loss and accuracy over samples, summed batch by batch; its sums are saved when a run stops in an epoch's middle. */
final class Tally {
    private TrainingState.Sums sums = TrainingState.Sums.NONE;

    void add(Tensor prediction, Tensor target, double loss, int samples) {
        long correct = 0;
        long classified = 0;
        if (target.dtype().isInteger() && prediction.dtype().isFloat() && prediction.rank() == target.rank() + 1) {
            Accuracy a = new Accuracy();
            a.update(prediction, target);
            correct = a.result().correct();
            classified = a.result().total();
        }
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
