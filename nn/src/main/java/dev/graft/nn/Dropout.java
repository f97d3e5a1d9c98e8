package dev.graft.nn;

import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;

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
        if (!drops()) {
            return x;
        }
        return p == 1 ? x.mul(0) : x.dropout(p);
    }

    /** Whether a call now gives back anything else than its input. */
    boolean drops() {
        return p != 0 && !frozen() && Context.current().training();
    }

    @Override
    protected String describe() {
        return "" + p;
    }
}
