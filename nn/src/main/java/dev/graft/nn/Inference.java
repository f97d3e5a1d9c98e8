package dev.graft.nn;

import dev.graft.autograd.Tape;
import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Tensor;
import java.util.function.UnaryOperator;

/**
 * A network as it is used: on its device, in a precision, recorded where the device can (see {@link CapturedForward}).
 * Nothing is recorded on tapes, dropout is off. Threads may share one.
 */
public final class Inference implements UnaryOperator<Tensor>, AutoCloseable {
    private final Module model;
    private final Precision precision;
    private final Autocast autocast;
    private final CapturedForward forward;

    /** In float32. */
    public Inference(Module model) {
        this(model, model::call, Precision.FLOAT32);
    }

    /** @param part what to run: the whole of {@code model}, or some of its layers */
    public Inference(Module model, UnaryOperator<Tensor> part, Precision precision) {
        this.model = model;
        this.precision = precision;
        this.autocast = precision.low() == null ? null : new Autocast(precision.low());
        this.forward = new CapturedForward(model, part, !"false".equals(System.getProperty("graft.graphs")));
    }

    /** The output for {@code x}, which may lie on another device: on the network's, float32 if x is, in the open scope. */
    @Override
    public Tensor apply(Tensor x) {
        return Tape.noGrad(() -> {
            Context c = Context.current();
            return c.withTraining(false).withRandom(RandomStream.of(0, 0)).withPath("")
                    .withNumerics(precision.numerics(c.numerics())).call(() -> run(x.to(model.device())));
        });
    }

    private Tensor run(Tensor x) {
        if (autocast == null) {
            return forward.apply(x);
        }
        Tensor y = autocast.call(() -> forward.apply(x));
        return y.dtype() == precision.low() ? y.cast(DType.F32) : y;
    }

    /** Frees what was kept for later calls; the network stays. */
    @Override
    public void close() {
        forward.close();
        if (autocast != null) {
            autocast.close();
        }
    }
}
