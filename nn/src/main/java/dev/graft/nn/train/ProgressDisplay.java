package dev.graft.nn.train;

import java.io.PrintStream;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar per epoch with throughput and remaining time. Shown only on terminals, so logs stay clean. */
final class ProgressDisplay implements AutoCloseable {
    private final PrintStream out;
    private final int epochs;
    private final long samples;
    private ProgressBar bar;

    /** @param out where to draw, or null for nowhere */
    ProgressDisplay(PrintStream out, int epochs, long samples) {
        this.out = out;
        this.epochs = epochs;
        this.samples = samples;
    }

    /** Standard error when that is a terminal, as far as Java can tell, and the caller wants a bar. */
    static PrintStream terminal(boolean wanted) {
        return wanted && System.console() != null && System.console().isTerminal() ? System.err : null;
    }

    void epoch(int epoch, long done) {
        close();
        if (out != null) {
            bar = new ProgressBarBuilder().setTaskName("epoch " + (epoch + 1) + "/" + epochs).setInitialMax(samples)
                    .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200).setUnit(" samples", 1).showSpeed()
                    .setConsumer(new ConsoleProgressBarConsumer(out, width())).build();
            bar.stepTo(done);
        }
    }

    private static int width() {
        String columns = System.getenv("COLUMNS");
        return columns != null && columns.matches("\\d{2,3}") ? Integer.parseInt(columns) : 100;
    }

    void step(Tally tally) {
        if (bar != null) {
            bar.stepTo(tally.samples());
            bar.setExtraMessage(String.format(Locale.ROOT, " loss %.4f", tally.loss())
                    + (Double.isNaN(tally.accuracy()) ? "" : String.format(Locale.ROOT, " acc %.3f", tally.accuracy())));
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
