package dev.graft.nn;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;

/**
 * In training sets elements to zero with probability {@code p} and divides the others by 1 − p (Srivastava et al. 2014);
 * else, and when frozen, gives back its input.
 */
public final class Dropout extends Module {
    private final double p;

    public Dropout(double p) {
        this.p = probability("dropout", p);
    }

    static double probability(String layer, double p) {
        if (!(p >= 0 && p <= 1)) {
            throw new GraftException(layer + ": probability " + p + " is not between 0 and 1");
        }
        return p;
    }

    @Override
    protected Tensor forward(Tensor x) {
        return drop(x, p, x.shape());
    }

    /** x times a mask of shape {@code mask}, 0 with probability p and else 1/(1 − p); x itself outside of training. */
    static Tensor drop(Tensor x, double p, Shape mask) {
        if (p == 0 || !Context.current().training()) {
            return x;
        }
        if (p == 1) {
            return x.mul(0);
        }
        DType type = x.dtype() == DType.F64 ? DType.F64 : DType.F32;
        Tensor m = Tensor.random(new TensorSpec(type, mask), CreateOp.Distribution.BERNOULLI, 1 - p, 1 / (1 - p),
                x.device());
        return x.mul(m.cast(x.dtype()));
    }

    @Override
    protected String describe() {
        return "" + p;
    }
}
