package dev.graft.nn;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;

/** x·Wᵀ + b over the last axis: [..., in] to [..., out]. Weight [out, in], as PyTorch's. */
public final class Linear extends Module {
    private final int in;
    private final int out;
    private final Parameter weight;
    private final Parameter bias;

    public Linear(int in, int out) {
        this(in, out, true);
    }

    public Linear(int in, int out, boolean bias) {
        this(in, out, bias, Init.fanInUniform(in));
    }

    Linear(int in, int out, boolean bias, Init biasInit) {
        if (in < 1 || out < 1) {
            throw new GraftException("linear: " + in + " to " + out + " features: both must be positive");
        }
        this.in = in;
        this.out = out;
        weight = parameter("weight", Parameter.Kind.LINEAR_WEIGHT, Init.kaimingUniform(), out, in);
        this.bias = bias ? parameter("bias", Parameter.Kind.BIAS, biasInit, out) : null;
    }

    public int inFeatures() {
        return in;
    }

    public int outFeatures() {
        return out;
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
        return run(x, then, null);
    }

    /** {@code residual}, of the result's shape, is added before the activation; null for none. */
    Tensor run(Tensor x, FusedOp.Activation then, Tensor residual) {
        boolean stored = weight.dtype() != DType.F32;
        if (stored || bias == null) {
            if (residual != null && !residual.shape().equals(x.shape().with(-1, out))) {
                throw new GraftException("linear: residual " + residual.shape() + " is not of the result's shape "
                        + x.shape().with(-1, out));
            }
            Tensor y = stored ? weight.product(x, 0, out, bias == null ? null : bias.value())
                    : x.matmulTransposed(weight.value());
            return then.apply(residual == null ? y : y.add(residual));
        }
        FusedOp op = new FusedOp.LinearBiasActivation(then);
        return residual == null ? Dispatcher.one(op, x, weight.value(), bias.value())
                : Dispatcher.one(op, x, weight.value(), bias.value(), residual);
    }

    @Override
    String quantizable() {
        return "weight";
    }

    @Override
    protected String describe() {
        return in + " to " + out + (bias == null ? ", no bias" : "")
                + (weight.dtype() == DType.F32 ? "" : ", " + weight.dtype());
    }
}
