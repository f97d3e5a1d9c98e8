package dev.graft.kernels.ops;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;

/**
 * All that decides how a convolution is best computed: sizes, types, what is fused behind it, and how exact it must be. Two
 * calls with the same problem use the same plan.
 *
 * @param n          images; x is [n, h, w, c], weights [o, kH, kW, c / groups], y [n, outH, outW, o]
 * @param fused      whether a bias [o] and {@code activation} follow
 * @param residual   whether y's shape is added before the activation
 */
record ConvProblem(Direction direction, int n, int h, int w, int c, int o, int kH, int kW, int outH, int outW,
                   ConvParams params, DType dtype, boolean fused, FusedOp.Activation activation, boolean residual,
                   boolean tf32, boolean deterministic) {
    enum Direction { FORWARD, BACKWARD_INPUT, BACKWARD_WEIGHT }

    static ConvProblem of(ConvOp op, Tensor[] in, Tensor out, boolean tf32, boolean deterministic) {
        return switch (op) {
            case ConvOp.Conv2d c -> of(Direction.FORWARD, c.params(), in[0], in[1].shape(), out, FusedOp.Activation.NONE,
                    false, false, tf32, deterministic);
            case ConvOp.Conv2dBackwardInput c -> of(Direction.BACKWARD_INPUT, c.params(), out, in[1].shape(), in[0],
                    FusedOp.Activation.NONE, false, false, tf32, deterministic);
            case ConvOp.Conv2dBackwardWeight c -> of(Direction.BACKWARD_WEIGHT, c.params(), in[0], out.shape(), in[1],
                    FusedOp.Activation.NONE, false, false, tf32, deterministic);
        };
    }

    static ConvProblem of(FusedOp.ConvBiasActivation op, Tensor[] in, Tensor out, boolean tf32, boolean deterministic) {
        return of(Direction.FORWARD, op.params(), in[0], in[1].shape(), out, op.activation(), true, in.length == 4, tf32,
                deterministic);
    }

    private static ConvProblem of(Direction d, ConvParams p, Tensor x, Shape w, Tensor y, FusedOp.Activation a,
            boolean fused, boolean residual, boolean tf32, boolean deterministic) {
        return new ConvProblem(d, x.dim(0), x.dim(1), x.dim(2), x.dim(3), w.dim(0), w.dim(1), w.dim(2), y.dim(1),
                y.dim(2), p, x.dtype(), fused, a, residual, tf32 && x.dtype() == DType.F32, deterministic);
    }

    /** The same without what is fused behind it. */
    ConvProblem plain() {
        return new ConvProblem(direction, n, h, w, c, o, kH, kW, outH, outW, params, dtype, false, FusedOp.Activation.NONE,
                false, tf32, deterministic);
    }

    int groups() {
        return params.groups();
    }

    /** Positions of y. */
    long rows() {
        return (long) n * outH * outW;
    }

    long inputSize() {
        return (long) n * h * w * c;
    }

    long outputSize() {
        return rows() * o;
    }

    /** Whether nothing is summed up, so that the result is zero (or what is fused behind). */
    boolean isEmpty() {
        return switch (direction) {
            case FORWARD -> inputSize() == 0;
            case BACKWARD_INPUT -> outputSize() == 0;
            case BACKWARD_WEIGHT -> inputSize() == 0 || outputSize() == 0;
        };
    }

    /** Whether every output channel reads a single input channel. */
    boolean isDepthwise() {
        return groups() == c;
    }

    /** Whether every position of y reads the same position of x only, so that it is a matrix product. */
    boolean isPointwise() {
        return kH == 1 && kW == 1 && params.strideH() == 1 && params.strideW() == 1 && h == outH && w == outW;
    }

    /** As in logs and in the file of choices; without spaces. */
    String key() {
        ConvParams p = params;
        return direction.name().toLowerCase(java.util.Locale.ROOT) + "/x" + n + "," + h + "," + w + "," + c + "/w" + o + ","
                + kH + "," + kW + "/stride" + p.strideH() + "," + p.strideW() + "/pad" + p.padTop() + "," + p.padBottom()
                + "," + p.padLeft() + "," + p.padRight() + "/dilation" + p.dilationH() + "," + p.dilationW() + "/groups"
                + p.groups() + "/" + dtype + (tf32 ? "/tf32" : "") + (fused ? "/bias," + activation : "")
                + (residual ? ",residual" : "") + (deterministic ? "/deterministic" : "");
    }

    @Override
    public String toString() {
        return key();
    }
}
