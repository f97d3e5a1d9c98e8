package dev.graft.nn;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;

/** 2-D convolution: [N, H, W, in] to [N, Ho, Wo, out]. Weight [out, kH, kW, in/groups]. */
public final class Conv2d extends Module {
    private final int in;
    private final int out;
    private final int kernelH;
    private final int kernelW;
    private final ConvSpec spec;
    private final Parameter weight;
    private final Parameter bias;
    private final FoldedConv folded = new FoldedConv();

    public Conv2d(int in, int out, int kernel, ConvSpec spec) {
        this(in, out, kernel, kernel, spec);
    }

    public Conv2d(int in, int out, int kernelH, int kernelW, ConvSpec spec) {
        spec.check("conv2d", in, out, kernelH, kernelW);
        this.in = in;
        this.out = out;
        this.kernelH = kernelH;
        this.kernelW = kernelW;
        this.spec = spec;
        int perGroup = in / spec.groups();
        weight = parameter("weight", Parameter.Kind.CONV_WEIGHT, spec.init(), out, kernelH, kernelW, perGroup);
        bias = spec.bias()
                ? parameter("bias", Parameter.Kind.BIAS, spec.biasInit(kernelH * kernelW * perGroup), out) : null;
    }

    public int inChannels() {
        return in;
    }

    public int outChannels() {
        return out;
    }

    public int kernelH() {
        return kernelH;
    }

    public int kernelW() {
        return kernelW;
    }

    public ConvSpec spec() {
        return spec;
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
        return run(x, FusedOp.Activation.NONE);
    }

    Tensor run(Tensor x, FusedOp.Activation then) {
        ConvParams p = params(x);
        return bias == null ? then.apply(x.conv2d(weight.value(), p))
                : Dispatcher.one(new FusedOp.ConvBiasActivation(p, then), x, weight.value(), bias.value());
    }

    /** The op's arguments for {@code x}; an input of another rank is left to the op's own check. */
    ConvParams params(Tensor x) {
        return x.rank() == 4 ? spec.params(x.dim(1), x.dim(2), kernelH, kernelW) : spec.params(1, 1, kernelH, kernelW);
    }

    FoldedConv folded() {
        return folded;
    }

    @Override
    void release() {
        folded.close();
    }

    @Override
    protected String describe() {
        return in + " to " + out + ", " + kernelH + "x" + kernelW + spec.describe();
    }
}
