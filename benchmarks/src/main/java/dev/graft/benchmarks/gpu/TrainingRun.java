package dev.graft.benchmarks.gpu;

import dev.graft.nn.Module;
import dev.graft.nn.Precision;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.nn.train.TrainEvent;
import dev.graft.nn.train.TrainOptions;
import dev.graft.nn.train.Trainer;
import dev.graft.tensor.Device;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Arrays;

/**
 * Some steps of a network on one batch, by the trainer that users have.
 *
 * @param losses      of every step
 * @param nanos       when each step had ended
 * @param peak        most live bytes on the device after the fifth step
 * @param earlyBytes  live bytes after the fifth step
 * @param lateBytes   live bytes after the last step
 */
record TrainingRun(double[] losses, long[] nanos, long peak, long earlyBytes, long lateBytes) {
    /** The network is moved to {@code device} and closed afterwards; inputs and targets are the caller's. */
    static TrainingRun of(Module net, UpdateRule rule, Tensor input, Tensor target, int steps, Precision precision,
            Device device) {
        try (Scope s = Scope.open("run"); Module m = net.to(device); Optimizer optimizer = rule.optimizer(m)) {
            OneBatch batches = new OneBatch(input.to(device), target.to(device), steps);
            double[] losses = new double[steps];
            long[] nanos = new long[steps];
            long[] bytes = new long[steps];
            new Trainer(m, optimizer, new CrossEntropy(),
                    new TrainOptions(1, 1).withProgress(false).withPrecision(precision))
                    .on(e -> {
                        if (e instanceof TrainEvent.Step step) {
                            int i = (int) step.step() - 1;
                            nanos[i] = System.nanoTime();
                            losses[i] = step.loss();
                            bytes[i] = Memory.report(device).live();
                            if (i == 4) {
                                Memory.resetPeak(device);       // what choosing algorithms took is over
                            }
                        }
                    }).fit(batches, null);
            return new TrainingRun(losses, nanos, Memory.report(device).peak(), bytes[Math.min(4, steps - 1)],
                    bytes[steps - 1]);
        }
    }

    /** Median seconds of a step, those before {@code warm} left out. */
    double seconds(int warm) {
        double[] each = new double[nanos.length - warm];
        for (int i = 0; i < each.length; i++) {
            each[i] = (nanos[warm + i] - nanos[warm + i - 1]) / 1e9;
        }
        Arrays.sort(each);
        return each[each.length / 2];
    }
}
