package dev.graft.cli;

import dev.graft.nn.train.HistoryRow;
import dev.graft.nn.train.TrainEvent;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Consumer;

/** Prints one line per epoch; a star marks the best one so far. */
record EpochLines(PrintWriter out, int epochs) implements Consumer<TrainEvent> {
    private static final double SHARE_WORTH_SAYING = 0.01;
    /** In epochs of some milliseconds putting a batch together has a share, but costs nobody time. */
    private static final double SECONDS_WORTH_SAYING = 0.05;

    @Override
    public void accept(TrainEvent event) {
        switch (event) {
            case TrainEvent.EpochEnd end -> {
                out.println(line(end.row(), end.best()));
                out.flush();
            }
            case TrainEvent.StoppedEarly stop -> out.printf(Locale.ROOT,
                    "Stopped early: no epoch was better than epoch %d.%n", stop.bestEpoch() + 1);
            default -> { }
        }
    }

    String line(HistoryRow r, boolean best) {
        double lr = r.lr().values().stream().mapToDouble(v -> v).max().orElse(Double.NaN);
        int width = String.valueOf(epochs).length();
        double seconds = r.waited() * r.samples() / r.samplesPerSecond();
        String waited = r.waited() < SHARE_WORTH_SAYING || seconds < SECONDS_WORTH_SAYING ? ""
                : String.format(Locale.ROOT, "  (waited for data %.0f %%)", 100 * r.waited());
        return String.format(Locale.ROOT, "epoch %" + width + "d/%d  train loss %.4f  accuracy %5.1f %%  |  validation loss"
                        + " %.4f  accuracy %5.1f %% %s |  lr %.2g  %.1f s", r.epoch() + 1, epochs, r.trainLoss(),
                100 * r.trainAccuracy(), r.valLoss(), 100 * r.valAccuracy(), best ? "*" : " ", lr, r.seconds()) + waited;
    }
}
