package dev.graft.nn.metric;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;

/**
 * Share of predictions whose true class is among the k largest scores. Of equal scores the one of the lower class counts
 * as larger; a true class with score NaN is never among them. Prediction [..., C], target [...].
 */
public final class TopK implements Metric<TopK.Result> {
    /** How many of how many were among the {@code k} largest. */
    public record Result(int k, long correct, long total) {
        /** From 0 to 1; NaN when there was nothing. */
        public double value() {
            return (double) correct / total;
        }
    }

    private final int k;
    private long correct;
    private long total;

    public TopK(int k) {
        if (k < 1) {
            throw new GraftException("top-k: k is " + k + ", at least 1 is needed");
        }
        this.k = k;
    }

    @Override
    public void update(Tensor prediction, Tensor target) {
        if (!prediction.dtype().isFloat()) {
            throw new GraftException("top-k: prediction is " + prediction.spec() + ", scores [..., C] are needed");
        }
        long[] t = Classes.target("top-k", prediction, target);
        double[] scores = prediction.toDoubles();
        int classes = prediction.dim(-1);
        for (int i = 0; i < t.length; i++) {
            if (t[i] < 0 || t[i] >= classes) {
                throw new GraftException("top-k: class " + t[i] + " does not exist among " + classes);
            }
            correct += rank(scores, i * classes, classes, (int) t[i]) < k ? 1 : 0;
        }
        total += t.length;
    }

    /** How many classes stand before {@code c}. */
    private static int rank(double[] scores, int from, int classes, int c) {
        double s = scores[from + c];
        if (Double.isNaN(s)) {
            return Integer.MAX_VALUE;
        }
        int before = 0;
        for (int j = 0; j < classes; j++) {
            double o = scores[from + j];
            before += o > s || o == s && j < c ? 1 : 0;
        }
        return before;
    }

    @Override
    public Result result() {
        return new Result(k, correct, total);
    }

    @Override
    public void reset() {
        correct = 0;
        total = 0;
    }
}
