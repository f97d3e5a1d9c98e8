package dev.graft.nn.optim;

/**
 * The value of an epoch by which it is judged: for early stopping, the best weights and reduce-on-plateau.
 *
 * @param metric {@code train_loss}, {@code train_accuracy}, {@code val_loss}, {@code val_accuracy} or a metric's name
 * @param higher whether higher is better
 */
public record Monitor(String metric, boolean higher) {
    public static final Monitor TRAIN_LOSS = new Monitor("train_loss", false);
    public static final Monitor VAL_LOSS = new Monitor("val_loss", false);
    public static final Monitor VAL_ACCURACY = new Monitor("val_accuracy", true);

    /** Whether {@code value} is better than {@code best} by more than {@code minDelta}; NaN is never better. */
    public boolean better(double value, double best, double minDelta) {
        if (Double.isNaN(best)) {
            return !Double.isNaN(value);
        }
        return higher ? value > best + minDelta : value < best - minDelta;
    }

    @Override
    public String toString() {
        return (higher ? "max " : "min ") + metric;
    }
}
