package dev.graft.nn.train;

import dev.graft.nn.optim.Schedule;
import java.util.List;
import java.util.Map;

/**
 * Where a run stands, besides its tensors: what a checkpoint holds as JSON.
 *
 * @param version      of this description
 * @param seed         of the run; random numbers follow from it and the step
 * @param epoch        the next batch's epoch
 * @param batch        the next batch
 * @param batchCount   batches per epoch of the training data
 * @param step         optimizer steps done
 * @param sums         of the epoch's batches so far
 * @param trainSeconds of the epoch so far
 * @param history      finished epochs
 * @param stopping     what early stopping has seen
 * @param stopped      whether early stopping has ended the run
 * @param plateaus     what plateau schedules have seen, per group
 * @param steps        optimizer steps per parameter
 * @param trainable    paths of the parameters that were trained
 * @param plan         the caller's JSON
 * @param lossScale    of float16; null in other precisions
 */
public record TrainingState(int version, long seed, int epoch, int batch, int batchCount, long step, Sums sums,
                            double trainSeconds, List<HistoryRow> history, EarlyStopping.State stopping, boolean stopped,
                            List<Schedule.Plateau.State> plateaus, Map<String, Long> steps, List<String> trainable,
                            String plan, LossScale lossScale) {
    static final int VERSION = 2;
    /** The oldest version that is read: it knew no loss scale. */
    static final int OLDEST = 1;

    /**
     * What keeps gradients within the range of float16.
     *
     * @param factor of the loss
     * @param good   steps without overflow since it last changed
     */
    public record LossScale(double factor, int good) {}

    /** Sums over samples; {@code classified} of them have a class. */
    public record Sums(double loss, long samples, long correct, long classified) {
        static final Sums NONE = new Sums(0, 0, 0, 0);
    }
}
