package dev.graft.tensor.op;

import dev.graft.tensor.TensorSpec;

/** Resampling of [N, H, W, C] images inside a network (PyTorch's interpolate, no antialiasing). */
public sealed interface ResizeOp extends PrimitiveOp {
    /** How an output pixel is read: the nearest input pixel (floor, PyTorch's "nearest"), or bilinear. */
    enum Mode { NEAREST, BILINEAR }

    /** Input: x [N, H, W, C]; output [N, outH, outW, C]. alignCorners is for bilinear only. */
    record Resize2d(Mode mode, int outH, int outW, boolean alignCorners) implements ResizeOp {
        @Override
        public String name() {
            return "resize2d";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            return scaled(in, outH, outW);
        }
    }

    /** The transpose of {@link Resize2d}. Input: dy; output [N, inH, inW, C]. */
    record Resize2dBackward(Mode mode, int inH, int inW, boolean alignCorners) implements ResizeOp {
        @Override
        public String name() {
            return "resize2d_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            return scaled(in, inH, inW);
        }
    }

    private static TensorSpec[] scaled(TensorSpec[] in, int h, int w) {
        Check.arity(in, 1);
        Check.floats(in[0], "input");
        Check.rank(in[0], 4, "input", "[N, H, W, C]");
        Check.that(h > 0 && w > 0 && in[0].dim(1) > 0 && in[0].dim(2) > 0,
                () -> in[0].shape() + " to " + h + "x" + w + ": sizes must be positive");
        return Check.out(in[0].dtype(), in[0].shape().with(1, h).with(2, w));
    }
}
