package dev.graft.nn.optim;

import dev.graft.tensor.op.Update;
import java.util.List;

/** RMSprop (Tieleman and Hinton 2012): the gradient over the root of its running mean square. */
public record RmsProp(double lr, double alpha, double eps, double weightDecay, double momentum) implements UpdateRule {
    public RmsProp {
        Range.rate("rmsprop", "lr", lr);
        Range.within("rmsprop", "alpha", alpha);
        Range.atLeast("rmsprop", "eps", eps, 0);
        Range.rate("rmsprop", "weightDecay", weightDecay);
        Range.atLeast("rmsprop", "momentum", momentum, 0);
    }

    public RmsProp(double lr) {
        this(lr, 0.99, 1e-8, 0, 0);
    }

    public RmsProp withWeightDecay(double decay) {
        return new RmsProp(lr, alpha, eps, decay, momentum);
    }

    public RmsProp withMomentum(double m) {
        return new RmsProp(lr, alpha, eps, weightDecay, m);
    }

    @Override
    public List<String> slots() {
        return momentum == 0 ? List.of("square_avg") : List.of("square_avg", "momentum_buffer");
    }

    @Override
    public Update update(double lr, double weightDecay, long step) {
        return new Update.RmsProp(lr, alpha, eps, weightDecay, momentum);
    }
}
