package dev.graft.nn.optim;

import dev.graft.tensor.op.Update;
import java.util.List;

/**
 * Adam (Kingma and Ba 2014, arXiv:1412.6980). Its weight decay is added to the gradient, as L2; {@link AdamW} decouples
 * it, which generalises better.
 */
public record Adam(double lr, double beta1, double beta2, double eps, double weightDecay) implements UpdateRule {
    public Adam {
        Range.rate("adam", "lr", lr);
        Range.within("adam", "beta1", beta1);
        Range.within("adam", "beta2", beta2);
        Range.atLeast("adam", "eps", eps, 0);
        Range.rate("adam", "weightDecay", weightDecay);
    }

    public Adam(double lr) {
        this(lr, 0.9, 0.999, 1e-8, 0);
    }

    public Adam withWeightDecay(double decay) {
        return new Adam(lr, beta1, beta2, eps, decay);
    }

    @Override
    public List<String> slots() {
        return List.of("exp_avg", "exp_avg_sq");
    }

    @Override
    public Update update(double lr, double weightDecay, long step) {
        return new Update.Adam(lr, beta1, beta2, eps, weightDecay, false, step);
    }
}
