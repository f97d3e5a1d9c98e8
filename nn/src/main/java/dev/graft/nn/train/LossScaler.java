package dev.graft.nn.train;

import dev.graft.nn.train.TrainingState.LossScale;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;

/**
 * The factor of the loss that keeps gradients within the range of float16: doubled after 2000 good steps, halved when a
 * gradient overflows, in which case the step changes nothing (Micikevicius et al. 2017, arXiv:1710.03740; the numbers are
 * those of PyTorch's GradScaler).
 */
final class LossScaler implements AutoCloseable {
    private static final double START = 65536;
    private static final double GROWTH = 2;
    private static final double BACKOFF = 0.5;
    private static final int INTERVAL = 2000;
    private static final double LEAST = 1.0 / (1 << 14);
    private static final double MOST = 1L << 40;

    private final Tensor values;
    private LossScale state;

    LossScaler(Device device) {
        values = Scope.persistent(() -> Tensor.zeros(2).to(device));
        load(new LossScale(START, 0));
    }

    LossScale state() {
        return state;
    }

    void load(LossScale s) {
        if (!(s.factor() >= LEAST && s.factor() <= MOST) || s.good() < 0) {
            throw new GraftException("loss scale " + s.factor() + " after " + s.good() + " steps is not possible: the"
                    + " checkpoint is damaged");
        }
        if (state == null || s.factor() != state.factor()) {
            values.write(new float[] {(float) s.factor(), (float) (1 / s.factor())});
        }
        state = s;
    }

    /** The factor, float32 [] on the device, the same place in every step. */
    Tensor scale() {
        return values.slice(0, 0, 1).reshape(Shape.SCALAR);
    }

    /** One over the factor, float32 []. */
    Tensor inverse() {
        return values.slice(0, 1, 2).reshape(Shape.SCALAR);
    }

    /** Adapts the factor after a step. */
    void stepped(boolean finite) {
        if (!finite) {
            if (state.factor() * BACKOFF < LEAST) {
                throw new GraftException("training stopped: gradients overflow in float16 even when the loss is scaled by "
                        + state.factor() + ": use bf16, or a smaller learning rate");
            }
            load(new LossScale(state.factor() * BACKOFF, 0));
        } else if (state.good() + 1 == INTERVAL && state.factor() * GROWTH <= MOST) {
            load(new LossScale(state.factor() * GROWTH, 0));
        } else {
            load(new LossScale(state.factor(), Math.min(state.good() + 1, INTERVAL)));
        }
    }

    @Override
    public void close() {
        values.close();
    }
}
