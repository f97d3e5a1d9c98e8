package dev.graft.nn.optim;

import dev.graft.tensor.op.Update;
import java.util.List;

/**
 * Stochastic gradient descent, with momentum v = momentum·v + (1 − dampening)·g (v = g in the first step) and Nesterov's
 * look-ahead g + momentum·v.
 */
public record Sgd(double lr, double momentum, double dampening, double weightDecay, boolean nesterov)
        implements UpdateRule {
    public Sgd {
        Range.rate("sgd", "lr", lr);
        Range.atLeast("sgd", "momentum", momentum, 0);
        Range.rate("sgd", "weightDecay", weightDecay);
        Range.check(!nesterov || momentum > 0 && dampening == 0,
                "sgd: nesterov needs a momentum above 0 and no dampening, got momentum " + momentum + " and dampening "
                        + dampening);
    }

    /** Without momentum and decay. */
    public Sgd(double lr) {
        this(lr, 0, 0, 0, false);
    }

    public Sgd(double lr, double momentum) {
        this(lr, momentum, 0, 0, false);
    }

    public Sgd withWeightDecay(double decay) {
        return new Sgd(lr, momentum, dampening, decay, nesterov);
    }

    public Sgd withNesterov() {
        return new Sgd(lr, momentum, dampening, weightDecay, true);
    }

    @Override
    public List<String> slots() {
        return momentum == 0 ? List.of() : List.of("momentum_buffer");
    }

    @Override
    public Update update(double lr, double weightDecay, long step) {
        return new Update.Sgd(lr, momentum, dampening, weightDecay, nesterov, step == 1);
    }
}
