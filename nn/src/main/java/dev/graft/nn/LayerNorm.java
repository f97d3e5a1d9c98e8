package dev.graft.nn;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;

/** Normalises the last axis of [..., size] (Ba et al. 2016, arXiv:1607.06450), then scales and shifts it. */
public final class LayerNorm extends Module {
    private final int size;
    private final double eps;
    private final Parameter weight;
    private final Parameter bias;

    public LayerNorm(int size) {
        this(size, 1e-5);
    }

    public LayerNorm(int size, double eps) {
        if (size < 1 || !(eps > 0)) {
            throw new GraftException("layer_norm: size " + size + " and eps " + eps + " must be positive");
        }
        this.size = size;
        this.eps = eps;
        weight = parameter("weight", Parameter.Kind.NORM_WEIGHT, Init.ones(), size);
        bias = parameter("bias", Parameter.Kind.BIAS, Init.zeros(), size);
    }

    public Parameter weight() {
        return weight;
    }

    public Parameter bias() {
        return bias;
    }

    @Override
    protected Tensor forward(Tensor x) {
        return Dispatcher.one(new NormOp.LayerNorm(eps), x, weight.value(), bias.value());
    }

    @Override
    protected String describe() {
        return size + (eps == 1e-5 ? "" : ", eps " + eps);
    }
}
