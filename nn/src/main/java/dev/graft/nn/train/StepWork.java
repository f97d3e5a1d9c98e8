package dev.graft.nn.train;

import dev.graft.autograd.Tape;
import dev.graft.nn.loss.Loss;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGradients;
import dev.graft.nn.optim.PreparedStep;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * What the device does in a step: forward, loss and backward for each batch, clipping, penalties. On a GPU nothing is read
 * back meanwhile, so that a step can be recorded and the host runs ahead; whether the loss is a number is then a matter of
 * the gradients' scale, which keeps the weights from harm.
 */
final class StepWork {
    private final UnaryOperator<Tensor> forward;
    private final Loss loss;
    private final Optimizer optimizer;
    private final GradientClip clip;
    private final MixedPrecision precision;

    StepWork(UnaryOperator<Tensor> forward, Loss loss, Optimizer optimizer, GradientClip clip, MixedPrecision precision) {
        this.forward = forward;
        this.loss = loss;
        this.optimizer = optimizer;
        this.clip = clip;
        this.precision = precision;
    }

    /** One batch's share of the report. */
    record Part(int samples, long classified) {}

    /**
     * A step before its changes.
     *
     * @param report  float64: loss and number of right predictions of each part, and at the end the gradients' scale
     * @param changes what is left to do
     */
    record Done(Tensor report, List<Part> parts, PreparedStep changes) {}

    /** The loss of a part is not a number, found before its gradient was taken. */
    static final class NotFinite extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final double loss;

        NotFinite(double loss) {
            super(null, null, false, false);
            this.loss = loss;
        }

        double loss() {
            return loss;
        }
    }

    private record Forward(Tensor prediction, Tensor loss) {}

    /** Takes all of {@code batches}; what it returns belongs to the open scope. */
    Done run(Iterator<TrainingBatch> batches, boolean several) {
        return run(batches, several, null);
    }

    /**
     * With learning-rate factors: where no gradient has to wait for others, because nothing is clipped by norm or summed
     * over batches, parameters are changed while backward runs, and what is left to do is nothing.
     */
    Done run(Iterator<TrainingBatch> batches, boolean several, double[] factors) {
        double[] atOnce = several || clip instanceof GradientClip.ByNorm || !precision.plain() ? null : factors;
        ParamGradients.Accumulator sum = several ? new ParamGradients.Accumulator() : null;
        ParamGradients gradients = null;
        List<Tensor> report = new ArrayList<>();
        List<Part> parts = new ArrayList<>();
        while (batches.hasNext()) {
            try (Scope micro = several ? Scope.open("micro-batch") : null) {
                TrainingBatch b = batches.next();
                gradients = backward(b, report, parts, atOnce);
                if (several) {
                    sum.add(gradients, b.size(), micro);
                    report.subList(report.size() - 2, report.size()).forEach(micro::keep);
                }
            }
        }
        ParamGradients mean = several ? sum.mean() : gradients;
        Tensor scale = scale(mean, report);
        report.add(scale == null ? one(report.getFirst()) : scale.cast(DType.F64));
        return new Done(Tensor.stack(0, report.toArray(Tensor[]::new)), List.copyOf(parts),
                optimizer.prepare(mean, scale, GradientClip.limit(clip)));
    }

    /** 1, NaN where {@code like} is not finite. */
    private static Tensor one(Tensor like) {
        return like.mul(0).add(1);
    }

    private ParamGradients backward(TrainingBatch b, List<Tensor> report, List<Part> parts, double[] factors) {
        try (Tape tape = new Tape()) {
            Forward f = precision.forward(() -> tape.record(() -> {
                Tensor prediction = forward.apply(b.input());
                return new Forward(prediction, loss.of(prediction, b.target()));
            }));
            if (readsAtOnce(f.loss())) {
                double value = f.loss().item();
                if (!Double.isFinite(value)) {
                    throw new NotFinite(value);
                }
            }
            Tensor value = f.loss().size() == 1 ? f.loss().reshape(Shape.SCALAR).cast(DType.F64) : null;
            ParamGradients g = new ParamGradients(Map.of());
            if (factors != null && readsAtOnce(f.loss())) {
                optimizer.backwardAndStep(tape, f.loss(), clip instanceof GradientClip.ByValue v ? v : null, factors);
            } else {
                g = optimizer.gradients(precision.backward(tape, f.loss()));
            }
            report.add(value);
            report.add(Tally.correct(f.prediction(), b.target()));
            parts.add(new Part(b.size(), Tally.classifies(f.prediction(), b.target()) ? b.target().size() : 0));
            return g;
        }
    }

    /** On the CPU reading costs nothing, and the backward pass of a lost step is saved. */
    private boolean readsAtOnce(Tensor t) {
        return t.device().kind() == Device.Kind.CPU && !precision.scalesLoss();
    }

    /** What the gradients are to be multiplied by, NaN where the step must change nothing; null for 1. */
    private Tensor scale(ParamGradients g, List<Tensor> report) {
        if (g.byPath().isEmpty()) {
            return null;
        }
        Tensor scale = precision.unscale();
        if (clip instanceof GradientClip.ByNorm || precision.scalesLoss()) {
            Tensor norm = g.normTensor();
            norm = scale == null ? norm : norm.mul(scale.cast(DType.F64));
            Tensor factor = clip == null ? null : clip.factor(norm);
            factor = factor == null ? null : factor.cast(DType.F32);
            scale = factor == null ? scale : scale == null ? factor : scale.mul(factor);
            scale = scale.add(norm.mul(0).cast(DType.F32));      // NaN where a gradient is not finite
        }
        Tensor first = report.getFirst();
        if (first.device().kind() == Device.Kind.CPU && !precision.scalesLoss()) {
            return scale;                                        // losses have been looked at
        }
        for (int i = 0; i < report.size(); i += 2) {
            Tensor zero = report.get(i).mul(0).cast(DType.F32);
            scale = scale == null ? zero.add(1) : scale.add(zero);
        }
        return scale;
    }
}
