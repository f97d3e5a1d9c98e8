package dev.graft.nn.train;

import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.nn.Precision;
import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.Tensor;
import java.util.function.Supplier;

/** A run's precision: what its forward passes compute in, and the loss's scale where one is needed. */
final class MixedPrecision implements AutoCloseable {
    private final Precision precision;
    private final Autocast autocast;
    private final LossScaler scaler;

    MixedPrecision(Precision precision, Device device) {
        this.precision = precision;
        this.autocast = precision.low() == null ? null : new Autocast(precision.low());
        this.scaler = precision == Precision.FP16 ? new LossScaler(device) : null;
    }

    /** {@code c} for a whole step. */
    Context bind(Context c) {
        return c.withNumerics(precision.numerics(c.numerics()));
    }

    /** A forward pass. */
    <T> T forward(Supplier<T> body) {
        if (autocast == null) {
            return body.get();
        }
        try {
            return autocast.call(body);
        } finally {
            autocast.endStep();
        }
    }

    /** An evaluation is over, and training goes on. */
    void evaluated() {
        if (autocast != null) {
            autocast.endEvaluation();
        }
    }

    /** Gradients of the loss, times the loss's scale where there is one. */
    Gradients backward(Tape tape, Tensor loss) {
        return scaler == null || loss.size() != 1 ? tape.backward(loss)
                : tape.backward(loss, scaler.scale().cast(loss.dtype()).reshape(loss.shape()));
    }

    /** Whether nothing is computed in a low precision. */
    boolean plain() {
        return autocast == null;
    }

    boolean scalesLoss() {
        return scaler != null;
    }

    /** What undoes the loss's scale, float32 []; null for 1. */
    Tensor unscale() {
        return scaler == null ? null : scaler.inverse();
    }

    /** A step has been made, or skipped because its gradients were not finite. */
    void stepped(boolean finite) {
        if (scaler != null) {
            scaler.stepped(finite);
        }
    }

    /** What is saved; null when there is no scale. */
    TrainingState.LossScale state() {
        return scaler == null ? null : scaler.state();
    }

    /** Takes over what was saved, if anything was. */
    void load(TrainingState.LossScale saved) {
        if (scaler != null && saved != null) {
            scaler.load(saved);
        }
    }

    /** What errors about values that are not finite say besides. */
    String advice() {
        return precision == Precision.FP16 ? "; or the precision bf16, which has the range of float32" : "";
    }

    @Override
    public void close() {
        if (autocast != null) {
            autocast.close();
        }
        if (scaler != null) {
            scaler.close();
        }
    }
}
