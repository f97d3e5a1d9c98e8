package dev.graft.nn.metric;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * How often class i was taken for class j, and what follows from it: precision, recall, F1 and intersection over union per
 * class and on average. A quotient with denominator 0 is 0. Prediction [..., C] (or classes [...]), target [...].
 */
public final class ConfusionMatrix implements Metric<ConfusionMatrix.Result> {
    /**
     * @param support   number of targets of the class
     * @param predicted number of predictions of the class
     */
    public record PerClass(double precision, double recall, double f1, double iou, long support, long predicted) {}

    /** Means over classes (macro), or the quotients of the summed counts (micro). */
    public record Average(double precision, double recall, double f1, double iou) {}

    /**
     * @param counts   row i: what the targets of class i were taken for
     * @param classes  one by one
     * @param macro    over the classes that occur among targets or predictions
     * @param micro    of all counts together; its precision, recall and F1 are the accuracy
     * @param accuracy share of predictions that are right; 0 when there was nothing
     */
    public record Result(List<List<Long>> counts, List<PerClass> classes, Average macro, Average micro, double accuracy) {}

    private final int classes;
    private final long ignoreIndex;
    private final long[][] counts;

    public ConfusionMatrix(int classes) {
        this(classes, -100);
    }

    /** @param ignoreIndex targets of this class count for nothing */
    public ConfusionMatrix(int classes, long ignoreIndex) {
        if (classes < 1 || classes > 1 << 14) {
            throw new GraftException("confusion matrix: " + classes + " classes, 1 to " + (1 << 14) + " are possible");
        }
        this.classes = classes;
        this.ignoreIndex = ignoreIndex;
        this.counts = new long[classes][classes];
    }

    @Override
    public void update(Tensor prediction, Tensor target) {
        long[] t = Classes.target("confusion matrix", prediction, target);
        long[] p = Classes.predicted(prediction);
        for (int i = 0; i < t.length; i++) {
            if (t[i] != ignoreIndex) {
                counts[index(t[i], "target")][index(p[i], "prediction")]++;
            }
        }
    }

    private int index(long c, String what) {
        if (c < 0 || c >= classes) {
            throw new GraftException("confusion matrix: " + what + " " + c + " is none of the " + classes + " classes");
        }
        return (int) c;
    }

    @Override
    public Result result() {
        List<PerClass> all = new ArrayList<>();
        List<List<Long>> rows = new ArrayList<>();
        long right = 0;
        long total = 0;
        for (int c = 0; c < classes; c++) {
            List<Long> row = new ArrayList<>();
            long support = 0;
            long predicted = 0;
            for (int j = 0; j < classes; j++) {
                row.add(counts[c][j]);
                support += counts[c][j];
                predicted += counts[j][c];
            }
            long hit = counts[c][c];
            all.add(new PerClass(ratio(hit, predicted), ratio(hit, support), ratio(2 * hit, support + predicted),
                    ratio(hit, support + predicted - hit), support, predicted));
            rows.add(List.copyOf(row));
            right += hit;
            total += support;
        }
        List<PerClass> present = all.stream().filter(c -> c.support + c.predicted > 0).toList();
        double accuracy = ratio(right, total);
        return new Result(List.copyOf(rows), List.copyOf(all),
                new Average(mean(present, PerClass::precision), mean(present, PerClass::recall),
                        mean(present, PerClass::f1), mean(present, PerClass::iou)),
                new Average(accuracy, accuracy, accuracy, ratio(right, 2 * total - right)), accuracy);
    }

    private static double ratio(long a, long b) {
        return b == 0 ? 0 : (double) a / b;
    }

    private static double mean(List<PerClass> of, ToDoubleFunction<PerClass> value) {
        return of.stream().mapToDouble(value).average().orElse(0);
    }

    @Override
    public void reset() {
        for (long[] row : counts) {
            Arrays.fill(row, 0);
        }
    }
}
