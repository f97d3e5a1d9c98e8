package dev.graft.nn;

import dev.graft.tensor.Tensor;

/**
 * [N, ...] to [N, all the rest]. Images [N, H, W, C] are flattened channels first, as C·H·W, so that a linear layer's
 * weights that come from PyTorch fit.
 */
public final class Flatten extends Module {
    @Override
    protected Tensor forward(Tensor x) {
        boolean spatial = x.rank() == 4 && x.dim(1) * x.dim(2) > 1 && x.dim(3) > 1;
        return (spatial ? x.permute(0, 3, 1, 2) : x).flatten(1);
    }
}
