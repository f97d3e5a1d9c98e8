package dev.graft.nn.train;

import dev.graft.nn.optim.Monitor;
import dev.graft.tensor.GraftException;

/**
 * Ends a run when {@code monitor} has not become better by more than {@code minDelta} for {@code patience} epochs.
 *
 * @param restoreBest whether the model ends with the weights of its best epoch; needs a copy of all that is trained
 */
public record EarlyStopping(Monitor monitor, int patience, double minDelta, boolean restoreBest) {
    public EarlyStopping {
        if (monitor == null || patience < 1 || !(minDelta >= 0)) {
            throw new GraftException("early stopping: a monitor, a patience of at least 1 and a minDelta from 0 on are"
                    + " needed, got " + monitor + ", " + patience + " and " + minDelta);
        }
    }

    /** Ends with the best weights. */
    public EarlyStopping(Monitor monitor, int patience) {
        this(monitor, patience, 0, true);
    }

    /** Trains all epochs, and ends with the weights of the best one. */
    public static EarlyStopping never(Monitor monitor) {
        return new EarlyStopping(monitor, Integer.MAX_VALUE);
    }

    /**
     * What has been seen so far.
     *
     * @param best      NaN before the first epoch
     * @param bestEpoch -1 before the first epoch
     */
    public record State(double best, int bestEpoch, int badEpochs) {
        public static final State START = new State(Double.NaN, -1, 0);
    }

    State next(State s, int epoch, double value) {
        return monitor.better(value, s.best(), s.bestEpoch() < 0 ? 0 : minDelta) ? new State(value, epoch, 0)
                : new State(s.best(), s.bestEpoch(), s.badEpochs() + 1);
    }

    boolean stops(State s) {
        return s.badEpochs() >= patience;
    }
}
