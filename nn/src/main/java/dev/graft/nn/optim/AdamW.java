package dev.graft.nn.optim;

import dev.graft.tensor.op.Update;
import java.util.List;

/** Adam with decoupled weight decay, p −= lr·weightDecay·p (Loshchilov and Hutter 2017, arXiv:1711.05101). */
public record AdamW(double lr, double beta1, double beta2, double eps, double weightDecay) implements UpdateRule {
    public AdamW {
        Range.rate("adamw", "lr", lr);
        Range.within("adamw", "beta1", beta1);
        Range.within("adamw", "beta2", beta2);
        Range.atLeast("adamw", "eps", eps, 0);
        Range.rate("adamw", "weightDecay", weightDecay);
    }

    /** With weight decay 0.01. */
    public AdamW(double lr) {
        this(lr, 0.9, 0.999, 1e-8, 0.01);
    }

    public AdamW withWeightDecay(double decay) {
        return new AdamW(lr, beta1, beta2, eps, decay);
    }

    @Override
    public List<String> slots() {
        return List.of("exp_avg", "exp_avg_sq");
    }

    @Override
    public Update update(double lr, double weightDecay, long step) {
        return new Update.Adam(lr, beta1, beta2, eps, weightDecay, true, step);
    }
}
