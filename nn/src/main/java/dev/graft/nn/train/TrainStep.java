package dev.graft.nn.train;

import dev.graft.nn.optim.Optimizer;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One optimizer step: the device's work, and then, when it has been given all of it, a look at the loss. All memory it
 * takes is given back when it ends.
 */
final class TrainStep {
    private final StepWork work;
    private final StepGraphs graphs;
    private final Optimizer optimizer;
    private final MixedPrecision precision;
    private final long seed;

    /** @param graphs records steps and replays them; null to run each op by op */
    TrainStep(StepWork work, StepGraphs graphs, Optimizer optimizer, MixedPrecision precision, long seed) {
        this.work = work;
        this.graphs = graphs;
        this.optimizer = optimizer;
        this.precision = precision;
        this.seed = seed;
    }

    /**
     * What a step read: its mean loss, samples and batches.
     *
     * @param skipped whether it changed nothing, because gradients overflowed in float16
     */
    record Done(double loss, int samples, int batches, boolean skipped) {}

    /** Takes up to {@code batches} batches; {@code step} counts from 0. */
    Done run(DeviceBatches source, int batches, long step, double[] factors, Tally tally) {
        RandomStream random = RandomStream.of(seed, step);
        Context context = precision.bind(Context.current().withTraining(true).withRandom(random));
        try (Scope scope = Scope.open("step " + step)) {
            return context.call(() -> {
                StepWork.Done done = issue(source, batches, factors);
                source.fetch();
                return settle(done, step, factors, tally);
            });
        } catch (StepWork.NotFinite e) {
            throw notFinite("the loss is " + e.loss(), step, factors);
        }
    }

    private StepWork.Done issue(DeviceBatches source, int batches, double[] factors) {
        if (!source.hasNext()) {
            throw new GraftException("training: the data gave fewer batches than it announced: count() and the cursor"
                    + " disagree");
        }
        if (graphs != null) {
            List<TrainingBatch> all = new ArrayList<>();
            while (all.size() < batches && source.hasNext()) {
                all.add(source.next());
            }
            return graphs.run(all, factors);
        }
        StepWork.Done done = work.run(first(source, batches), batches > 1, factors);
        done.changes().run(factors);
        return done;
    }

    /** Up to {@code n} batches, each made when it is asked for: they need not all lie in memory. */
    private static Iterator<TrainingBatch> first(DeviceBatches source, int n) {
        return new Iterator<>() {
            private int left = n;

            @Override
            public boolean hasNext() {
                return left > 0 && source.hasNext();
            }

            @Override
            public TrainingBatch next() {
                left--;
                return source.next();
            }
        };
    }

    /** Reads what came out of it; until here a GPU may still have been at work. */
    private Done settle(StepWork.Done done, long step, double[] factors, Tally tally) {
        double[] report = done.report().toDoubles();
        double losses = 0;
        int samples = 0;
        for (int i = 0; i < done.parts().size(); i++) {
            double loss = report[2 * i];
            if (!Double.isFinite(loss)) {
                done.changes().undo();
                throw notFinite("the loss is " + loss, step, factors);
            }
            losses += loss * done.parts().get(i).samples();
            samples += done.parts().get(i).samples();
        }
        boolean changed = Double.isFinite(report[report.length - 1]);
        if (!changed) {
            done.changes().undo();
            if (!precision.scalesLoss()) {
                throw notFinite("the gradient has values that are not finite", step, factors);
            }
        }
        precision.stepped(changed);
        for (int i = 0; i < done.parts().size(); i++) {
            StepWork.Part p = done.parts().get(i);
            tally.add(report[2 * i], p.samples(), Math.round(report[2 * i + 1]), p.classified());
        }
        return new Done(losses / samples, samples, done.parts().size(), !changed);
    }

    private GraftException notFinite(String what, long step, double[] factors) {
        return new GraftException("training stopped at step " + step + ": " + what
                + "; likely fixes: a smaller learning rate (now " + rates(optimizer.rates(factors))
                + "), a warm-up, gradient clipping, or inputs without NaN and with the model's normalisation"
                + precision.advice());
    }

    private static String rates(Map<String, Double> rates) {
        StringBuilder s = new StringBuilder();
        rates.forEach((name, v) -> s.append(s.isEmpty() ? "" : ", ").append(name)
                .append(String.format(Locale.ROOT, " %.3g", v)));
        return s.toString();
    }
}
