package dev.graft.tensor.op;

/**
 * Changes in place, outside of any gradient: what optimizers and running statistics do. {@code target} and all inputs
 * have one shape and dtype; formulas are PyTorch's.
 */
public sealed interface Update {
    String name();

    /** How many tensors the change reads or changes beside its target. */
    int inputs();

    /** target = input. */
    record Assign() implements Update {
        @Override
        public String name() {
            return "assign";
        }

        @Override
        public int inputs() {
            return 1;
        }
    }

    /** target = a·target + b·input. */
    record Axpby(double a, double b) implements Update {
        @Override
        public String name() {
            return "axpby";
        }

        @Override
        public int inputs() {
            return 1;
        }
    }

    /**
     * Stochastic gradient descent. Inputs: gradient, and with momentum the velocity, which is changed too.
     * g += weightDecay·p; v = first ? g : momentum·v + (1 − dampening)·g; p −= lr·(nesterov ? g + momentum·v : v).
     */
    record Sgd(double lr, double momentum, double dampening, double weightDecay, boolean nesterov, boolean first)
            implements Update {
        @Override
        public String name() {
            return "sgd";
        }

        @Override
        public int inputs() {
            return momentum != 0 ? 2 : 1;
        }
    }

    /**
     * Adam (Kingma and Ba 2014, arXiv:1412.6980), with decoupled weight decay AdamW (Loshchilov and Hutter 2017,
     * arXiv:1711.05101). Inputs: gradient, first moment, second moment; both moments are changed. {@code step} counts
     * from 1.
     */
    record Adam(double lr, double beta1, double beta2, double eps, double weightDecay, boolean decoupled, long step)
            implements Update {
        @Override
        public String name() {
            return decoupled ? "adamw" : "adam";
        }

        @Override
        public int inputs() {
            return 3;
        }
    }

    /**
     * RMSprop. Inputs: gradient, square average, and with momentum the velocity; both are changed. v = alpha·v +
     * (1 − alpha)·g²; step = g/(sqrt(v) + eps), through the momentum buffer if momentum > 0.
     */
    record RmsProp(double lr, double alpha, double eps, double weightDecay, double momentum) implements Update {
        @Override
        public String name() {
            return "rmsprop";
        }

        @Override
        public int inputs() {
            return momentum > 0 ? 3 : 2;
        }
    }
}
