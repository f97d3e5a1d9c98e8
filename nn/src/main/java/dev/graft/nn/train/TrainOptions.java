package dev.graft.nn.train;

import dev.graft.nn.Precision;
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
 * @param precision     what forward and backward passes compute in
 * @param graphs        whether a device that can record steps does so and replays them; a network or a loss that depends on
 *                      anything but its input, parameters and random numbers (the epoch, a counter) needs false
 */
public record TrainOptions(int epochs, long seed, Schedule schedule, GradientClip clip, int accumulate,
                           EarlyStopping earlyStopping, CheckpointPolicy checkpoints, boolean progress, String plan,
                           Precision precision, boolean graphs) {
    public TrainOptions {
        if (epochs < 0 || accumulate < 1 || schedule == null || plan == null || precision == null) {
            throw new GraftException("training: epochs from 0 on, at least 1 batch per step, a schedule, a plan and a"
                    + " precision are needed, got " + epochs + " epochs, " + accumulate + " batches, schedule " + schedule
                    + ", plan " + plan + ", precision " + precision);
        }
    }

    /**
     * A constant rate, no clipping, no early stopping, no checkpoints, a progress bar on terminals, float32; steps are
     * recorded unless property {@code graft.graphs} is false.
     */
    public TrainOptions(int epochs, long seed) {
        this(epochs, seed, Schedule.constant(), null, 1, null, null, true, "", Precision.FLOAT32,
                !"false".equals(System.getProperty("graft.graphs")));
    }

    public TrainOptions withSchedule(Schedule s) {
        return new TrainOptions(epochs, seed, s, clip, accumulate, earlyStopping, checkpoints, progress, plan, precision,
                graphs);
    }

    public TrainOptions withClip(GradientClip c) {
        return new TrainOptions(epochs, seed, schedule, c, accumulate, earlyStopping, checkpoints, progress, plan, precision,
                graphs);
    }

    public TrainOptions withAccumulation(int batches) {
        return new TrainOptions(epochs, seed, schedule, clip, batches, earlyStopping, checkpoints, progress, plan, precision,
                graphs);
    }

    public TrainOptions withEarlyStopping(EarlyStopping e) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, e, checkpoints, progress, plan, precision, graphs);
    }

    public TrainOptions withCheckpoints(CheckpointPolicy c) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, c, progress, plan, precision,
                graphs);
    }

    public TrainOptions withProgress(boolean on) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, checkpoints, on, plan, precision,
                graphs);
    }

    public TrainOptions withPlan(String json) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, checkpoints, progress, json,
                precision, graphs);
    }

    public TrainOptions withPrecision(Precision p) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, checkpoints, progress, plan, p,
                graphs);
    }

    public TrainOptions withGraphs(boolean on) {
        return new TrainOptions(epochs, seed, schedule, clip, accumulate, earlyStopping, checkpoints, progress, plan,
                precision, on);
    }
}
