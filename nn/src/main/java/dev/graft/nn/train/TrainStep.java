package dev.graft.nn.train;

import dev.graft.autograd.Tape;
import dev.graft.nn.loss.Loss;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGradients;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * One optimizer step: forward, loss, backward for each of its batches, then clipping and the change of the parameters.
 * All memory it takes is given back when it ends.
 */
final class TrainStep {
    private final UnaryOperator<Tensor> forward;
    private final Loss loss;
    private final Optimizer optimizer;
    private final GradientClip clip;
    private final Device device;
    private final long seed;

    TrainStep(UnaryOperator<Tensor> forward, Loss loss, Optimizer optimizer, GradientClip clip, Device device, long seed) {
        this.forward = forward;
        this.loss = loss;
        this.optimizer = optimizer;
        this.clip = clip;
        this.device = device;
        this.seed = seed;
    }

    /** What a step read: its mean loss, samples and batches. */
    record Done(double loss, int samples, int batches) {}

    private record Forward(Tensor prediction, Tensor loss) {}

    private record Backward(double loss, ParamGradients gradients) {}

    /** Takes up to {@code batches} batches from {@code cursor}; {@code step} counts from 0. */
    Done run(Batches.Cursor cursor, int batches, long step, double[] factors, Tally tally) {
        Context context = Context.current().withTraining(true).withRandom(RandomStream.of(seed, step));
        try (Scope scope = Scope.open("step " + step)) {
            return context.call(() -> step(cursor, batches, step, factors, tally));
        }
    }

    private Done step(Batches.Cursor cursor, int batches, long step, double[] factors, Tally tally) {
        ParamGradients.Accumulator sum = batches == 1 ? null : new ParamGradients.Accumulator();
        ParamGradients gradients = null;
        double losses = 0;
        int samples = 0;
        int done = 0;
        while (done < batches && cursor.hasNext()) {
            try (Scope micro = sum == null ? null : Scope.open("micro-batch")) {
                TrainingBatch b = take(cursor, device);
                Backward back = backward(b, step, factors, tally);
                if (sum == null) {
                    gradients = back.gradients();
                } else {
                    sum.add(back.gradients(), b.size(), micro);
                }
                losses += back.loss() * b.size();
                samples += b.size();
                done++;
            }
        }
        if (done == 0) {
            throw new GraftException("training: the data gave fewer batches than it announced: count() and the cursor"
                    + " disagree");
        }
        ParamGradients mean = sum == null ? gradients : sum.mean();
        optimizer.step(clip == null ? mean : clip.apply(mean), factors);
        return new Done(losses / samples, samples, done);
    }

    private Backward backward(TrainingBatch b, long step, double[] factors, Tally tally) {
        try (Tape tape = new Tape()) {
            Forward f = tape.record(() -> {
                Tensor prediction = forward.apply(b.input());
                return new Forward(prediction, loss.of(prediction, b.target()));
            });
            double value = f.loss().item();
            if (!Double.isFinite(value)) {
                throw notFinite(value, step, factors);
            }
            tally.add(f.prediction(), b.target(), value, b.size());
            return new Backward(value, optimizer.gradients(tape.backward(f.loss())));
        }
    }

    private GraftException notFinite(double value, long step, double[] factors) {
        return new GraftException("training stopped at step " + step + ": the loss is " + value
                + "; likely fixes: a smaller learning rate (now " + rates(optimizer.rates(factors))
                + "), a warm-up, gradient clipping, or inputs without NaN and with the model's normalisation");
    }

    private static String rates(Map<String, Double> rates) {
        StringBuilder s = new StringBuilder();
        rates.forEach((name, v) -> s.append(s.isEmpty() ? "" : ", ").append(name)
                .append(String.format(Locale.ROOT, " %.3g", v)));
        return s.toString();
    }

    /** The next batch on {@code device}, its tensors in the open scope. */
    static TrainingBatch take(Batches.Cursor cursor, Device device) {
        TrainingBatch b = cursor.next();
        Scope.adopt(b.input());
        Scope.adopt(b.target());
        return new TrainingBatch(b.input().to(device), b.target().to(device), b.indices());
    }
}
