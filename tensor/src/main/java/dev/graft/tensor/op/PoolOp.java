package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;

/** Pooling over windows of [N, H, W, C] images, and the transposes that gradients need. */
public sealed interface PoolOp extends PrimitiveOp {

    /**
     * Input: x [N, H, W, C]; outputs: y [N, Ho, Wo, C] and, int32, the winner's place h·W + w within its image, the first
     * of equals; NaN wins.
     */
    record MaxPool2d(PoolParams params) implements PoolOp {
        @Override
        public String name() {
            return "max_pool2d";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Shape s = pooled(params, in[0]);
            return Check.out(new TensorSpec(in[0].dtype(), s), new TensorSpec(DType.I32, s));
        }
    }

    /**
     * Adds dy at the winners' places of a zero image. Inputs: dy [N, Ho, Wo, C], indices; output [N, inH, inW, C].
     *
     * @param params the windows in which the winners lie, so that a backend need only look there; null for any places
     */
    record MaxPool2dBackward(int inH, int inW, PoolParams params) implements PoolOp {
        public MaxPool2dBackward(int inH, int inW) {
            this(inH, inW, null);
        }

        @Override
        public String name() {
            return "max_pool2d_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            winners(in[0], in[1]);
            Check.that(params == null || in[0].dim(1) == params.outH(inH) && in[0].dim(2) == params.outW(inW),
                    () -> "gradient " + in[0].shape() + " does not fit an image of " + inH + "x" + inW);
            return Check.out(in[0].dtype(), in[0].shape().with(1, inH).with(2, inW));
        }
    }

    /** Reads x at the winners' places: the transpose of {@link MaxPool2dBackward}. Inputs: x [N, H, W, C], indices. */
    record MaxPool2dGather() implements PoolOp {
        @Override
        public String name() {
            return "max_pool2d_gather";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.rank(in[0], 4, "input", "[N, H, W, C]");
            Check.rank(in[1], 4, "index tensor", "[N, Ho, Wo, C]");
            Check.that(in[0].dim(0) == in[1].dim(0) && in[0].dim(3) == in[1].dim(3) && in[1].dtype() == DType.I32,
                    () -> "indices " + in[1] + " do not fit input " + in[0]);
            return Check.out(in[0].dtype(), in[1].shape());
        }
    }

    /**
     * Mean over each window. With {@code countPadding} padding counts as zeros and windows divide by the elements of
     * image and padding they cover, else by those of the image. Input: x [N, H, W, C].
     */
    record AvgPool2d(PoolParams params, boolean countPadding) implements PoolOp {
        @Override
        public String name() {
            return "avg_pool2d";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            return Check.out(in[0].dtype(), pooled(params, in[0]));
        }
    }

    /** The transpose of {@link AvgPool2d}. Input: dy [N, Ho, Wo, C]; output [N, inH, inW, C]. */
    record AvgPool2dBackward(PoolParams params, boolean countPadding, int inH, int inW) implements PoolOp {
        @Override
        public String name() {
            return "avg_pool2d_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.rank(in[0], 4, "gradient", "[N, Ho, Wo, C]");
            Check.that(in[0].dim(1) == params.outH(inH) && in[0].dim(2) == params.outW(inW),
                    () -> "gradient " + in[0].shape() + " does not fit an image of " + inH + "x" + inW);
            return Check.out(in[0].dtype(), in[0].shape().with(1, inH).with(2, inW));
        }
    }

    /** Mean over windows floor(i·H/Ho) to ceil((i+1)·H/Ho), so that the output has the wanted size. Input: x. */
    record AdaptiveAvgPool2d(int outH, int outW) implements PoolOp {
        @Override
        public String name() {
            return "adaptive_avg_pool2d";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.floats(in[0], "input");
            Check.rank(in[0], 4, "input", "[N, H, W, C]");
            Check.that(outH > 0 && outW > 0, "output size must be positive");
            Check.that(in[0].dim(1) > 0 && in[0].dim(2) > 0, () -> "input " + in[0].shape() + " is empty");
            return Check.out(in[0].dtype(), in[0].shape().with(1, outH).with(2, outW));
        }
    }

    /** The transpose of {@link AdaptiveAvgPool2d}. Input: dy [N, Ho, Wo, C]; output [N, inH, inW, C]. */
    record AdaptiveAvgPool2dBackward(int inH, int inW) implements PoolOp {
        @Override
        public String name() {
            return "adaptive_avg_pool2d_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.rank(in[0], 4, "gradient", "[N, Ho, Wo, C]");
            Check.that(in[0].dim(1) > 0 && in[0].dim(2) > 0 && inH > 0 && inW > 0,
                    () -> "gradient " + in[0].shape() + " for an image of " + inH + "x" + inW + ": sizes must be positive");
            return Check.out(in[0].dtype(), in[0].shape().with(1, inH).with(2, inW));
        }
    }

    private static void winners(TensorSpec dy, TensorSpec indices) {
        Check.rank(dy, 4, "gradient", "[N, Ho, Wo, C]");
        Check.shape(indices, dy.shape(), "index tensor");
        Check.that(indices.dtype() == DType.I32, () -> "indices are " + indices + ", int32 is needed");
    }

    private static Shape pooled(PoolParams p, TensorSpec x) {
        Check.floats(x, "input");
        Check.rank(x, 4, "input", "[N, H, W, C]");
        Check.that(x.dim(1) > 0 && x.dim(2) > 0, () -> "input " + x.shape() + " is empty");
        int h = p.outH(x.dim(1));
        int w = p.outW(x.dim(2));
        Check.that(h > 0 && w > 0, () -> "input " + x.shape() + " is smaller than the window " + p.kernelH() + "x"
                + p.kernelW());
        return x.shape().with(1, h).with(2, w);
    }
}
