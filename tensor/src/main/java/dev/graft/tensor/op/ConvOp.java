package dev.graft.tensor.op;

import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;

/**
 * 2-D convolution (cross-correlation, as in every framework) and its two transposes. Images are [N, H, W, C], weights
 * [O, kH, kW, C/groups]. On the CPU, groups that are narrower than a vector are computed together, so that a value that is
 * NaN or infinite may make its neighbours' results NaN as well.
 */
public sealed interface ConvOp extends PrimitiveOp {
    ConvParams params();

    /** Inputs: x [N, H, W, C], w [O, kH, kW, C/groups]; output [N, Ho, Wo, O]. */
    record Conv2d(ConvParams params) implements ConvOp {
        @Override
        public String name() {
            return "conv2d";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            return Check.out(in[0].dtype(), outShape(params, in[0], in[1]));
        }
    }

    /** Gradient of the input; also the transposed convolution. Inputs: dy [N, Ho, Wo, O], w; output [N, H, W, C]. */
    record Conv2dBackwardInput(ConvParams params, int inH, int inW) implements ConvOp {
        @Override
        public String name() {
            return "conv2d_backward_input";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.rank(in[0], 4, "gradient", "[N, Ho, Wo, O]");
            Check.rank(in[1], 4, "weight", "[O, kH, kW, C/groups]");
            Shape x = Shape.of(in[0].dim(0), inH, inW, in[1].dim(3) * params.groups());
            Check.shape(in[0], outShape(params, new TensorSpec(in[0].dtype(), x), in[1]), "gradient");
            return Check.out(in[0].dtype(), x);
        }
    }

    /** Gradient of the weight. Inputs: x [N, H, W, C], dy [N, Ho, Wo, O]; output [O, kH, kW, C/groups]. */
    record Conv2dBackwardWeight(ConvParams params, int kH, int kW) implements ConvOp {
        @Override
        public String name() {
            return "conv2d_backward_weight";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.rank(in[0], 4, "input", "[N, H, W, C]");
            Check.rank(in[1], 4, "gradient", "[N, Ho, Wo, O]");
            Shape w = Shape.of(in[1].dim(3), kH, kW, in[0].dim(3) / params.groups());
            Check.shape(in[1], outShape(params, in[0], new TensorSpec(in[0].dtype(), w)), "gradient");
            return Check.out(in[0].dtype(), w);
        }
    }

    /** Shape rule of the forward convolution. */
    static Shape outShape(ConvParams p, TensorSpec x, TensorSpec w) {
        Check.floats(x, "input");
        Check.sameType(x, w);
        Check.rank(x, 4, "input", "[N, H, W, C]");
        Check.rank(w, 4, "weight", "[O, kH, kW, C/groups]");
        Check.that(w.dim(1) > 0 && w.dim(2) > 0, () -> "weight " + w.shape() + " has an empty kernel");
        Check.that(x.dim(3) == w.dim(3) * p.groups(), () -> "input " + x.shape() + " has " + x.dim(3) + " channels, weight "
                + w.shape() + " with " + p.groups() + " groups takes " + w.dim(3) * p.groups());
        Check.that(w.dim(0) % p.groups() == 0, () -> "the " + w.dim(0) + " outputs of weight " + w.shape()
                + " cannot be split into " + p.groups() + " groups");
        int ho = p.outH(x.dim(1), w.dim(1));
        int wo = p.outW(x.dim(2), w.dim(2));
        Check.that(ho > 0 && wo > 0, () -> "input " + x.shape() + " is smaller than kernel " + w.dim(1) + "x" + w.dim(2)
                + " with " + p);
        return Shape.of(x.dim(0), ho, wo, w.dim(0));
    }
}
