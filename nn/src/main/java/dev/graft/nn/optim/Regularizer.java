package dev.graft.nn.optim;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Update;

/**
 * A penalty on weights w, as a value. Its gradient is added after clipping and before the step, so that clipping guards
 * against exploding data gradients only. Frozen parameters have no penalty. Biases and scales of normalisations have none
 * unless their group says so.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({@JsonSubTypes.Type(value = Regularizer.L1.class, name = "l1"),
    @JsonSubTypes.Type(value = Regularizer.L2.class, name = "l2"),
    @JsonSubTypes.Type(value = Regularizer.ElasticNet.class, name = "elastic_net"),
    @JsonSubTypes.Type(value = Regularizer.DecoupledDecay.class, name = "decoupled_decay"),
    @JsonSubTypes.Type(value = Regularizer.L2Sp.class, name = "l2_sp")})
public sealed interface Regularizer {
    /** The penalty; {@code start} is the weights' value before training, null unless {@link #needsStart}. */
    double value(Tensor w, Tensor start);

    /** Adds the penalty's gradient to {@code g} in place. */
    void addGradient(Tensor g, Tensor w, Tensor start);

    /** Whether the values before training are needed: the optimizer then keeps a copy of them. */
    default boolean needsStart() {
        return false;
    }

    /** The part taken off the weights, times the learning rate, besides the gradient. */
    default double decoupled() {
        return 0;
    }

    /** λ·Σ|w|; drives weights to zero. */
    record L1(double lambda) implements Regularizer {
        public L1 {
            Range.rate("l1", "lambda", lambda);
        }

        @Override
        public double value(Tensor w, Tensor start) {
            return lambda * w.abs().sum().item();
        }

        @Override
        public void addGradient(Tensor g, Tensor w, Tensor start) {
            Dispatcher.update(new Update.Axpby(1, lambda), g, w.sign());
        }
    }

    /** λ/2·Σw², whose gradient λ·w is PyTorch's {@code weight_decay} of SGD. */
    record L2(double lambda) implements Regularizer {
        public L2 {
            Range.rate("l2", "lambda", lambda);
        }

        @Override
        public double value(Tensor w, Tensor start) {
            return lambda / 2 * w.square().sum().item();
        }

        @Override
        public void addGradient(Tensor g, Tensor w, Tensor start) {
            Dispatcher.update(new Update.Axpby(1, lambda), g, w);
        }
    }

    /** l1·Σ|w| + l2/2·Σw² (Zou and Hastie 2005). */
    record ElasticNet(double l1, double l2) implements Regularizer {
        public ElasticNet {
            Range.rate("elastic net", "l1", l1);
            Range.rate("elastic net", "l2", l2);
        }

        @Override
        public double value(Tensor w, Tensor start) {
            return new L1(l1).value(w, start) + new L2(l2).value(w, start);
        }

        @Override
        public void addGradient(Tensor g, Tensor w, Tensor start) {
            new L1(l1).addGradient(g, w, start);
            new L2(l2).addGradient(g, w, start);
        }
    }

    /** w −= lr·λ·w besides the gradient step, as in AdamW but for any rule; no term of the loss. */
    record DecoupledDecay(double lambda) implements Regularizer {
        public DecoupledDecay {
            Range.rate("decoupled decay", "lambda", lambda);
        }

        @Override
        public double value(Tensor w, Tensor start) {
            return 0;
        }

        @Override
        public void addGradient(Tensor g, Tensor w, Tensor start) {
            // acts on the weights, not on their gradient
        }

        @Override
        public double decoupled() {
            return lambda;
        }
    }

    /**
     * α/2·Σ(w − w⁰)², towards the values w⁰ before training, which for a pretrained network keeps what it knows (L2-SP;
     * Li et al. 2018, arXiv:1802.01483). Use {@link L2} for new layers.
     */
    record L2Sp(double alpha) implements Regularizer {
        public L2Sp {
            Range.rate("l2-sp", "alpha", alpha);
        }

        @Override
        public double value(Tensor w, Tensor start) {
            return alpha / 2 * w.sub(start).square().sum().item();
        }

        @Override
        public void addGradient(Tensor g, Tensor w, Tensor start) {
            Dispatcher.update(new Update.Axpby(1, alpha), g, w.sub(start));
        }

        @Override
        public boolean needsStart() {
            return true;
        }
    }
}
