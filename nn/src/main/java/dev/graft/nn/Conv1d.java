package dev.graft.nn;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;

/**
 * 1-D convolution: [N, L, in] to [N, Lo, out], run as a 2-D one over images of height 1. Weight [out, 1, k, in/groups]. Of
 * the spec's values those for the width hold.
 */
public final class Conv1d extends Module {
    private final int in;
    private final int out;
    private final int kernel;
    private final ConvSpec spec;
    private final Parameter weight;
    private final Parameter bias;

    public Conv1d(int in, int out, int kernel, ConvSpec spec) {
        spec.check("conv1d", in, out, 1, kernel);
        this.in = in;
        this.out = out;
        this.kernel = kernel;
        this.spec = spec;
        int perGroup = in / spec.groups();
        weight = parameter("weight", Parameter.Kind.CONV1D_WEIGHT, spec.init(), out, 1, kernel, perGroup);
        bias = spec.bias() ? parameter("bias", Parameter.Kind.BIAS, spec.biasInit(kernel * perGroup), out) : null;
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
        if (x.rank() != 3) {
            throw new GraftException("conv1d: input has shape " + x.shape() + ", [N, L, C] is needed");
        }
        int[] c = spec.padding().columns(x.dim(1), kernel, spec.strideW(), spec.dilationW());
        ConvParams p = new ConvParams(1, spec.strideW(), 0, 0, c[0], c[1], 1, spec.dilationW(), spec.groups());
        Tensor image = x.unsqueeze(1);
        Tensor y = bias == null ? image.conv2d(weight.value(), p)
                : Dispatcher.one(new FusedOp.ConvBiasActivation(p, FusedOp.Activation.NONE), image, weight.value(),
                        bias.value());
        return y.reshape(y.dim(0), y.dim(2), y.dim(3));
    }

    @Override
    protected String describe() {
        return in + " to " + out + ", " + kernel + spec.describe();
    }
}
