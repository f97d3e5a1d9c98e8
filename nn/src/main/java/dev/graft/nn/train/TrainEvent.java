package dev.graft.nn.train;

import java.nio.file.Path;

/** What a trainer tells its listeners, on the training thread. */
public sealed interface TrainEvent {
    /**
     * Before the first step of an epoch, and again when a run resumes in its middle. The place to freeze and unfreeze: do
     * it as a function of the epoch alone, so that a resumed run does the same.
     *
     * @param firstBatch above 0 when the run resumes in the middle of the epoch
     */
    record EpochStart(int epoch, int firstBatch) implements TrainEvent {}

    /**
     * After an optimizer step.
     *
     * @param step    steps done in the whole run, this one included
     * @param batch   batches done in the epoch
     * @param loss    mean over the step's samples
     * @param samples in this step
     */
    record Step(long step, int epoch, int batch, double loss, int samples) implements TrainEvent {}

    /**
     * After the validation of an epoch, before its checkpoint.
     *
     * @param best    whether early stopping's monitor has never been better
     * @param penalty all regularizers' penalties, in units of the loss
     */
    record EpochEnd(HistoryRow row, boolean best, double penalty) implements TrainEvent {}

    /** A checkpoint is complete on the disk. */
    record Saved(Path file, long step) implements TrainEvent {}

    /** Early stopping ended the run after {@code epoch}. */
    record StoppedEarly(int epoch, int bestEpoch, double best) implements TrainEvent {}

    /** The run is over. */
    record Finished(TrainResult result) implements TrainEvent {}
}
