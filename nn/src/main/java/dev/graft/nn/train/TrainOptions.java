package dev.graft.nn.train;

import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Schedule;
import dev.graft.tensor.GraftException;

/**
 * How a model is trained.
 *
 * @param epochs        passes over the data
 * @param seed          of dropout and other random ops; data order has its own
 * @param schedule      of groups that have none of their own
 * @param clip          or null
 * @param accumulate    batches per optimizer step
 * @param earlyStopping or null
 * @param checkpoints   or null
 * @param progress      whether a progress bar is shown, on terminals only
 * @param plan          JSON of the caller, kept in checkpoints; may be empty
 */
public record TrainOptions(int epochs, long seed, Schedule schedule, GradientClip clip, int accumulate,
                           EarlyStopping earlyStopping, CheckpointPolicy checkpoints, boolean progress, String plan) {
    public TrainOptions {
        if (epochs < 0 || accumulate < 1 || schedule == null || plan == null) {
            throw new GraftException("training: epochs from 0 on, at least 1 batch per step, a schedule and a plan are"
                    + " needed, got " + epochs + " epochs, " + accumulate + " batches, schedule " + schedule + ", plan " + plan);
        }
    }

    /** A constant rate, no clipping, no early stopping, no checkpoints, a progress bar on terminals. */
    public TrainOptions(int epochs, long seed) {
        this(epochs, seed, Schedule.constant(), null, 1, null, null, true, "");
    }

    public TrainOptions withSchedule(Schedule s) {
        return new TrainOptions(epochs, seed, s, clip, accumulate, earlyStopping, checkpoints, progress, plan);
    }

    public TrainOptions withClip(GradientClip c) {
        return new TrainOptions(epochs, seed, schedule, c, accumulate, earlyStopping, checkpoints, progress, plan);
    }

    public TrainOptions withAccumulation(int batches) {
        return new TrainOptions(epochs, seed, schedule, clip, batches, earlyStopping, checkpoints, progress, plan);
    }

    public TrainOptions withEarlyStopping(EarlyStopping e) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, e, checkpoints, progress, plan);
    }

    public TrainOptions withCheckpoints(CheckpointPolicy c) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, c, progress, plan);
    }

    public TrainOptions withProgress(boolean on) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, checkpoints, on, plan);
    }

    public TrainOptions withPlan(String json) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, checkpoints, progress, json);
    }
}
