package dev.graft.nn;

import dev.graft.tensor.Tensor;

/** Means over as many equal windows as the output has pixels: [N, H, W, C] to [N, h, w, C]. */
public final class AdaptiveAvgPool2d extends Module {
    private final int h;
    private final int w;

    public AdaptiveAvgPool2d(int h, int w) {
        this.h = h;
        this.w = w;
    }

    @Override
    protected Tensor forward(Tensor x) {
        return x.adaptiveAvgPool2d(h, w);
    }

    @Override
    protected String describe() {
        return h + "x" + w;
    }
}
