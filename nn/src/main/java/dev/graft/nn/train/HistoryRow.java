package dev.graft.nn.train;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * One epoch in numbers. Values that do not exist (accuracy of a regression, validation without data) are NaN.
 *
 * @param epoch            from 0
 * @param trainLoss        mean over the epoch's samples while the weights changed, in training mode, without penalties
 * @param metrics          further metrics on the validation data, by name
 * @param lr               learning rate of each group in the epoch's last step, by group name
 * @param samples          trained on
 * @param seconds          training and validation
 * @param samplesPerSecond of training alone
 * @param waited           share of the training time, 0 to 1, in which the training thread had to get its next batch
 *                         instead of computing: loading is too slow where this is more than a few hundredths
 */
public record HistoryRow(int epoch, double trainLoss, double trainAccuracy, double valLoss, double valAccuracy,
                         Map<String, Double> metrics, Map<String, Double> lr, long samples, double seconds,
                         double samplesPerSecond, double waited) {
    /** What monitors see: the values that exist, by their names. */
    public Map<String, Double> values() {
        Map<String, Double> v = new LinkedHashMap<>();
        put(v, "train_loss", trainLoss);
        put(v, "train_accuracy", trainAccuracy);
        put(v, "val_loss", valLoss);
        put(v, "val_accuracy", valAccuracy);
        v.putAll(metrics);
        return v;
    }

    private static void put(Map<String, Double> to, String name, double v) {
        if (!Double.isNaN(v)) {
            to.put(name, v);
        }
    }

    /** One line for logs. */
    @Override
    public String toString() {
        StringBuilder s = new StringBuilder("epoch " + (epoch + 1));
        values().forEach((name, v) -> s.append(String.format(Locale.ROOT,
                name.endsWith("accuracy") ? ", %s %.4f" : ", %s %.5g", name.replace('_', ' '), v)));
        lr.forEach((name, v) -> s.append(String.format(Locale.ROOT, ", lr %s %.3g", name, v)));
        return s + String.format(Locale.ROOT, ", %.1f s, %.0f samples/s, waited for data %.0f %%", seconds, samplesPerSecond,
                100 * waited);
    }
}
