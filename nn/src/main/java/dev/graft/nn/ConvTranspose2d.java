package dev.graft.nn;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;

/**
 * Transposed 2-D convolution, the gradient of {@link Conv2d} by its input: [N, H, W, in] to [N, Ho, Wo, out] with
 * Ho = (H − 1)·stride − padding + dilation·(kH − 1) + outputPadding + 1. Weight [in, kH, kW, out/groups].
 */
public final class ConvTranspose2d extends Module {
    private final int in;
    private final int out;
    private final int kernelH;
    private final int kernelW;
    private final int outputPadding;
    private final ConvSpec spec;
    private final Parameter weight;
    private final Parameter bias;

    public ConvTranspose2d(int in, int out, int kernel, ConvSpec spec) {
        this(in, out, kernel, kernel, 0, spec);
    }

    /** @param outputPadding rows and columns more at the end of the output; less than stride or dilation */
    public ConvTranspose2d(int in, int out, int kernelH, int kernelW, int outputPadding, ConvSpec spec) {
        spec.check("conv_transpose2d", in, out, kernelH, kernelW);
        if (!(spec.padding() instanceof Padding.Explicit)) {
            throw new GraftException("conv_transpose2d: padding " + spec.padding() + " is not defined here: give numbers");
        }
        if (outputPadding < 0 || outputPadding >= Math.max(spec.strideH(), spec.dilationH())
                || outputPadding >= Math.max(spec.strideW(), spec.dilationW())) {
            throw new GraftException("conv_transpose2d: output padding " + outputPadding
                    + " must be smaller than stride or dilation");
        }
        this.in = in;
        this.out = out;
        this.kernelH = kernelH;
        this.kernelW = kernelW;
        this.outputPadding = outputPadding;
        this.spec = spec;
        int perGroup = out / spec.groups();
        weight = parameter("weight", Parameter.Kind.CONV_TRANSPOSE_WEIGHT, spec.init(), in, kernelH, kernelW, perGroup);
        bias = spec.bias()
                ? parameter("bias", Parameter.Kind.BIAS, spec.biasInit(kernelH * kernelW * perGroup), out) : null;
    }

    public Parameter weight() {
        return weight;
    }

    /** The additive term [out]; null when the layer has none. */
    public Parameter bias() {
        return bias;
    }

    @Override
    protected Tensor forward(Tensor x) {
        if (x.rank() != 4 || x.dim(3) != in) {
            throw new GraftException("conv_transpose2d: input has shape " + x.shape() + ", [N, H, W, " + in
                    + "] is needed");
        }
        Padding.Explicit p = (Padding.Explicit) spec.padding();
        int h = size(x.dim(1), spec.strideH(), p.top() + p.bottom(), spec.dilationH(), kernelH);
        int w = size(x.dim(2), spec.strideW(), p.left() + p.right(), spec.dilationW(), kernelW);
        Tensor y = Dispatcher.one(new ConvOp.Conv2dBackwardInput(spec.params(h, w, kernelH, kernelW), h, w), x,
                weight.value());
        return bias == null ? y : y.add(bias.value());
    }

    private int size(int n, int stride, int padding, int dilation, int kernel) {
        int size = (n - 1) * stride - padding + dilation * (kernel - 1) + outputPadding + 1;
        if (size < 1) {
            throw new GraftException("conv_transpose2d: an input size of " + n + " leaves nothing after padding " + padding
                    + ": use less padding or a larger input");
        }
        return size;
    }

    @Override
    protected String describe() {
        return in + " to " + out + ", " + kernelH + "x" + kernelW + spec.describe()
                + (outputPadding == 0 ? "" : ", output padding " + outputPadding);
    }
}
