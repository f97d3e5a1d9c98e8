package dev.graft.tensor.op;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import java.util.Arrays;

/** A fast path that a backend may offer; {@link #compose} is the same in primitives, the fallback and the oracle. */
public sealed interface FusedOp extends Op {
    Tensor[] compose(Tensor[] in);

    /** What a fused op does to its result before writing it. */
    enum Activation {
        NONE, RELU, RELU6, GELU, GELU_TANH;

        public Tensor apply(Tensor x) {
            return switch (this) {
                case NONE -> x;
                case RELU -> x.relu();
                case RELU6 -> x.relu6();
                case GELU -> x.unary(UnaryFn.GELU, 0);
                case GELU_TANH -> x.unary(UnaryFn.GELU_TANH, 0);
            };
        }

        /** Whether it only bounds values: then its output tells where gradients pass. */
        public boolean clamps() {
            return this == NONE || this == RELU || this == RELU6;
        }

        /** For ops that have no other. */
        void checkClamps() {
            Check.that(clamps(), () -> "activation " + this + " is not one of NONE, RELU and RELU6");
        }

        /** After {@code without}, the op with {@link #NONE} in its place. */
        private Tensor[] after(FusedOp without, Tensor[] in) {
            Tensor x = Dispatcher.one(without, in);
            Tensor y = apply(x);
            Scope.drop(x);
            return new Tensor[] {y};
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
            if (!activation.clamps()) {
                return activation.after(new ConvBiasActivation(params, Activation.NONE), in);
            }
            Tensor y = in[0].conv2d(in[1], params).add(in[2]);
            return new Tensor[] {activation.apply(in.length == 4 ? y.add(in[3]) : y)};
        }
    }

    /**
     * The block of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), so that a backend can keep the expanded image in
     * its cache: y1 = activation(conv(x, w1) + b1), y2 = activation(conv(y1, w2) + b2), y = conv(y2, w3) + b3 [+ residual].
     * Inputs: x [N, H, W, C], w1 [E, 1, 1, C], b1 [E], w2 [E, kH, kW, 1], b2 [E], w3 [O, 1, 1, E], b3 [O], and residual
     * [N, Ho, Wo, O] if any.
     *
     * @param params those of the depthwise convolution, whose groups are E
     */
    record InvertedResidual(ConvParams params, Activation activation) implements FusedOp {
        private static final ConvParams POINTWISE = ConvParams.of(1, 0);

        @Override
        public String name() {
            return "inverted_residual";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length == 7 || in.length == 8, () -> "takes 7 or 8 inputs, got " + in.length);
            activation.checkClamps();
            pointwise(in[1], "expansion");
            pointwise(in[5], "projection");
            Check.that(params.groups() == in[1].dim(0) && in[3].shape().rank() == 4 && in[3].dim(0) == in[1].dim(0),
                    () -> "expansion " + in[1].shape() + " and weight " + in[3].shape() + " of a convolution in "
                            + params.groups() + " groups do not make a depthwise convolution");
            TensorSpec wide = in[0];
            for (int i = 1; i <= 5; i += 2) {
                Shape y = ConvOp.outShape(i == 3 ? params : POINTWISE, wide, in[i]);
                Check.shape(in[i + 1], Shape.of(in[i].dim(0)), "bias");
                wide = new TensorSpec(in[0].dtype(), y);
            }
            if (in.length == 8) {
                Check.shape(in[7], wide.shape(), "residual");
            }
            return Check.out(in[0].dtype(), wide.shape());
        }

        private static void pointwise(TensorSpec w, String what) {
            Check.rank(w, 4, what, "[O, 1, 1, C]");
            Check.that(w.dim(1) == 1 && w.dim(2) == 1, () -> what + " " + w.shape() + " is not [O, 1, 1, C]");
        }

        @Override
        public Tensor[] compose(Tensor[] in) {
            Tensor wide = Dispatcher.one(new ConvBiasActivation(POINTWISE, activation), in[0], in[1], in[2]);
            Tensor seen = Dispatcher.one(new ConvBiasActivation(params, activation), wide, in[3], in[4]);
            Scope.drop(wide);
            FusedOp project = new ConvBiasActivation(POINTWISE, Activation.NONE);
            Tensor y = in.length == 8 ? Dispatcher.one(project, seen, in[5], in[6], in[7])
                    : Dispatcher.one(project, seen, in[5], in[6]);
            Scope.drop(seen);
            return new Tensor[] {y};
        }
    }

    /** activation(x · wᵀ + bias [+ residual]). Inputs: x [..., I], w [O, I], bias [O], and residual [..., O] if any. */
    record LinearBiasActivation(Activation activation) implements FusedOp {
        @Override
        public String name() {
            return "linear_bias_activation";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length == 3 || in.length == 4, () -> "takes 3 or 4 inputs, got " + in.length);
            Check.rank(in[1], 2, "weight", "[O, I]");
            Check.that(in[0].rank() >= 1 && in[0].dim(-1) == in[1].dim(1), () -> in[0].shape() + " x " + in[1].shape()
                    + "ᵀ: inner sizes " + (in[0].rank() == 0 ? 0 : in[0].dim(-1)) + " and " + in[1].dim(1) + " differ");
            Check.shape(in[2], Shape.of(in[1].dim(0)), "bias");
            Shape y = in[0].shape().with(-1, in[1].dim(0));
            if (in.length == 4) {
                Check.shape(in[3], y, "residual");
            }
            return Check.out(in[0].dtype(), y);
        }

        /** By the op without activation and residual if there are any: a tape records that whole. */
        @Override
        public Tensor[] compose(Tensor[] in) {
            if (activation != Activation.NONE) {
                return activation.after(new LinearBiasActivation(Activation.NONE), in);
            }
            if (in.length == 4) {
                Tensor y = Dispatcher.one(this, in[0], in[1], in[2]);
                return new Tensor[] {y.add(in[3])};
            }
            return new Tensor[] {in[0].matmulTransposed(in[1]).add(in[2])};
        }
    }

    /**
     * Several projections of the same x, as queries, keys and values are: y_i = x · w_iᵀ + bias_i, where w_i is the i-th of
     * {@code parts} equal parts of the rows of w. Inputs: x [..., I], w [parts·O, I], bias [parts·O]; outputs: y_i [..., O].
     */
    record Projections(int parts) implements FusedOp {
        @Override
        public String name() {
            return "projections";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            TensorSpec y = new LinearBiasActivation(Activation.NONE).infer(in)[0];
            int o = size(parts, in[1]);
            TensorSpec[] out = new TensorSpec[parts];
            Arrays.fill(out, new TensorSpec(y.dtype(), y.shape().with(-1, o)));
            return out;
        }

        static int size(int parts, TensorSpec w) {
            Check.that(parts > 0 && w.dim(0) % parts == 0,
                    () -> "weight " + w.shape() + " has no " + parts + " equal parts");
            return w.dim(0) / parts;
        }

        @Override
        public Tensor[] compose(Tensor[] in) {
            int o = in[1].dim(0) / parts;
            Tensor[] y = new Tensor[parts];
            for (int i = 0; i < parts; i++) {
                y[i] = Dispatcher.one(new LinearBiasActivation(Activation.NONE), in[0],
                        in[1].slice(0, i * o, (i + 1) * o), in[2].slice(0, i * o, (i + 1) * o));
            }
            return y;
        }
    }

    /**
     * Gradients of {@link Projections}: dx = Σ dy_i · w_i and the rows dw_i = dy_iᵀ · x of dw, without sums and joins of
     * parts. Inputs: dy_i [..., O] of all parts, w [parts·O, I] if {@code input}, x [..., I] if {@code weight}; outputs: dx
     * if {@code input}, dw if {@code weight}.
     */
    record ProjectionsBackward(int parts, boolean input, boolean weight) implements FusedOp {
        @Override
        public String name() {
            return "projections_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(input || weight, () -> "computes nothing");
            Check.that(parts > 0, () -> "has no parts");
            Check.arity(in, parts + (input ? 1 : 0) + (weight ? 1 : 0));
            TensorSpec dy = in[0];
            Check.that(dy.shape().rank() >= 1, () -> "gradient " + dy.shape() + " is not [..., O]");
            for (int i = 1; i < in.length; i++) {
                Check.sameType(dy, in[i]);
            }
            for (int i = 1; i < parts; i++) {
                Check.shape(in[i], dy.shape(), "gradient");
            }
            if (input) {
                TensorSpec w = in[parts];
                Check.rank(w, 2, "weight", "[parts * O, I]");
                Check.that(Projections.size(parts, w) == dy.dim(-1), () -> "gradient " + dy.shape()
                        + " does not fit weight " + w.shape());
            }
            TensorSpec last = in[in.length - 1];
            if (weight) {
                Check.that(last.shape().rank() >= 1, () -> "x " + last.shape() + " is not [..., I]");
                Check.shape(last, dy.shape().with(-1, input ? in[parts].dim(1) : last.dim(-1)), "x");
            }
            TensorSpec dx = new TensorSpec(dy.dtype(), dy.shape().with(-1, last.dim(-1)));
            TensorSpec dw = new TensorSpec(dy.dtype(), Shape.of(parts * dy.dim(-1), last.dim(-1)));
            return input && weight ? Check.out(dx, dw) : Check.out(input ? dx : dw);
        }

        @Override
        public Tensor[] compose(Tensor[] in) {
            Tensor w = in[parts];                   // x, where w is not given
            Tensor x = in[in.length - 1];
            int o = in[0].dim(-1);
            Tensor dx = null;
            Tensor[] dw = new Tensor[parts];
            for (int i = 0; i < parts; i++) {
                if (input) {
                    Tensor d = in[i].matmul(w.slice(0, i * o, (i + 1) * o));
                    dx = dx == null ? d : dx.add(d);
                }
                if (weight) {
                    dw[i] = Dispatcher.one(new MatMul(true, false), rows(in[i]), rows(x));
                }
            }
            return !weight ? new Tensor[] {dx} : input ? new Tensor[] {dx, Tensor.concat(0, dw)}
                    : new Tensor[] {Tensor.concat(0, dw)};
        }

        private static Tensor rows(Tensor t) {
            return t.reshape(Math.toIntExact(t.shape().count(0, t.rank() - 1)), t.dim(-1));
        }
    }

    /** The sum of all elements' squares, in one pass and without a tensor for the squares. Input: x; output []. */
    record SumOfSquares() implements FusedOp {
        @Override
        public String name() {
            return "sum_of_squares";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.floats(in[0], "input");
            return Check.out(in[0].dtype(), Shape.SCALAR);
        }

        @Override
        public Tensor[] compose(Tensor[] in) {
            Tensor square = in[0].square();
            Tensor y = square.sum();
            Scope.drop(square);
            return new Tensor[] {y};
        }
    }
}
