package dev.graft.nn.metric;

import dev.graft.tensor.Tensor;

/** Share of predictions whose largest score is at the true class. Prediction [..., C] (or classes [...]), target [...]. */
public final class Accuracy implements Metric<Accuracy.Result> {
    /** How many of how many were right. */
    public record Result(long correct, long total) {
        /** From 0 to 1; NaN when there was nothing. */
        public double value() {
            return (double) correct / total;
        }
    }

    private long correct;
    private long total;

    @Override
    public void update(Tensor prediction, Tensor target) {
        long[] t = Classes.target("accuracy", prediction, target);
        long[] p = Classes.predicted(prediction);
        for (int i = 0; i < t.length; i++) {
            correct += p[i] == t[i] ? 1 : 0;
        }
        total += t.length;
    }

    @Override
    public Result result() {
        return new Result(correct, total);
    }

    @Override
    public void reset() {
        correct = 0;
        total = 0;
    }
}
