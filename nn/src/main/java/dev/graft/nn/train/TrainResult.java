package dev.graft.nn.train;

/**
 * How a run ended.
 *
 * @param bestEpoch    by early stopping's monitor, from 0; -1 without early stopping
 * @param best         the monitored value of that epoch; NaN without early stopping
 * @param steps        optimizer steps done
 * @param stoppedEarly by early stopping
 * @param interrupted  by {@link Trainer#stop}: the run can be resumed
 */
public record TrainResult(History history, int bestEpoch, double best, long steps, boolean stoppedEarly,
                          boolean interrupted) {
    /** Of all epochs, those before a resume included. */
    public double seconds() {
        return history.rows().stream().mapToDouble(HistoryRow::seconds).sum();
    }

    /** Of training alone, over all epochs. */
    public double samplesPerSecond() {
        double samples = 0;
        double seconds = 0;
        for (HistoryRow r : history.rows()) {
            samples += r.samples();
            seconds += r.samples() / r.samplesPerSecond();
        }
        return samples / seconds;
    }
}
