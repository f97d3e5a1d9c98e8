package dev.graft.nn;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import java.util.Arrays;

/**
 * In training sets whole rows of the batch to zero with probability {@code p} and divides the others by 1 − p, so that a
 * residual branch is skipped per image (Huang et al. 2016, arXiv:1603.09382; torchvision's mode "row"); else, and when
 * frozen, gives back its input.
 */
public final class StochasticDepth extends Module {
    private final double p;

    public StochasticDepth(double p) {
        this.p = Dropout.probability("stochastic depth", p);
    }

    @Override
    protected Tensor forward(Tensor x) {
        if (p == 0 || !Context.current().training()) {
            return x;
        }
        if (p == 1) {
            return x.mul(0);
        }
        int[] d = new int[x.rank()];
        Arrays.fill(d, 1);
        if (d.length > 0) {
            d[0] = x.dim(0);
        }
        DType type = x.dtype() == DType.F64 ? DType.F64 : DType.F32;
        Tensor rows = Tensor.random(new TensorSpec(type, Shape.of(d)), CreateOp.Distribution.BERNOULLI, 1 - p, 1 / (1 - p),
                x.device());
        return x.mul(rows.cast(x.dtype()));
    }

    @Override
    protected String describe() {
        return "" + p;
    }
}
