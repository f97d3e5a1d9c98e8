package dev.graft.cli.report;

import dev.graft.nn.train.HistoryRow;

/**
 * One line of {@code history.csv}. A value that was not measured is NaN and stays empty in the file.
 *
 * @param epoch         counted from 1
 * @param trainLoss     mean loss over the epoch's training batches
 * @param trainAccuracy share of training images answered right, 0 to 1
 * @param valLoss       mean loss on the validation images
 * @param valAccuracy   share of validation images answered right, 0 to 1
 * @param learningRate  at the end of the epoch, of the group with the largest
 * @param seconds       wall-clock time of the epoch, validation included
 */
public record EpochRow(
        int epoch,
        double trainLoss,
        double trainAccuracy,
        double valLoss,
        double valAccuracy,
        double learningRate,
        double seconds) {
    /** The same of a training loop's record, whose epochs count from 0. */
    public static EpochRow of(HistoryRow r) {
        return new EpochRow(r.epoch() + 1, r.trainLoss(), r.trainAccuracy(), r.valLoss(), r.valAccuracy(),
                r.lr().values().stream().mapToDouble(v -> v).max().orElse(Double.NaN), r.seconds());
    }
}
