package dev.graft.tensor.op;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;

/** A fast path that a backend may offer; {@link #compose} is the same in primitives, the fallback and the oracle. */
public sealed interface FusedOp extends Op {
    Tensor[] compose(Tensor[] in);

    /** What a fused op does to its result before writing it. */
    enum Activation {
        NONE, RELU, RELU6;

        public Tensor apply(Tensor x) {
            return switch (this) {
                case NONE -> x;
                case RELU -> x.relu();
                case RELU6 -> x.relu6();
            };
        }
    }

    /** activation(conv2d(x, w) + bias [+ residual]). Inputs: x, w, bias [O], and residual [N, Ho, Wo, O] if any. */
    record ConvBiasActivation(ConvParams params, Activation activation) implements FusedOp {
        @Override
        public String name() {
            return "conv2d_bias_activation";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length == 3 || in.length == 4, () -> "takes 3 or 4 inputs, got " + in.length);
            Shape y = ConvOp.outShape(params, in[0], in[1]);
            Check.shape(in[2], Shape.of(in[1].dim(0)), "bias");
            if (in.length == 4) {
                Check.shape(in[3], y, "residual");
            }
            return Check.out(in[0].dtype(), y);
        }

        @Override
        public Tensor[] compose(Tensor[] in) {
            Tensor y = in[0].conv2d(in[1], params).add(in[2]);
            return new Tensor[] {activation.apply(in.length == 4 ? y.add(in[3]) : y)};
        }
    }

    /** activation(x · wᵀ + bias). Inputs: x [..., I], w [O, I], bias [O]. */
    record LinearBiasActivation(Activation activation) implements FusedOp {
        @Override
        public String name() {
            return "linear_bias_activation";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 3);
            Check.rank(in[1], 2, "weight", "[O, I]");
            Check.that(in[0].rank() >= 1 && in[0].dim(-1) == in[1].dim(1), () -> in[0].shape() + " x " + in[1].shape()
                    + "ᵀ: inner sizes " + (in[0].rank() == 0 ? 0 : in[0].dim(-1)) + " and " + in[1].dim(1) + " differ");
            Check.shape(in[2], Shape.of(in[1].dim(0)), "bias");
            return Check.out(in[0].dtype(), in[0].shape().with(-1, in[1].dim(0)));
        }

        @Override
        public Tensor[] compose(Tensor[] in) {
            return new Tensor[] {activation.apply(in[0].matmulTransposed(in[1]).add(in[2]))};
        }
    }
}
