package dev.graft.nn;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolParams;

/** The largest value of each window: [N, H, W, C] to [N, Ho, Wo, C]. */
public final class MaxPool2d extends Module {
    private final PoolParams params;

    public MaxPool2d(int kernel) {
        this(kernel, kernel, 0);
    }

    public MaxPool2d(int kernel, int stride, int padding) {
        this(PoolParams.of(kernel, stride, padding));
    }

    public MaxPool2d(PoolParams params) {
        this.params = params;
    }

    /** The same with windows that may hang over the end of the image. */
    public MaxPool2d ceilMode(boolean on) {
        return new MaxPool2d(params.withCeilMode(on));
    }

    @Override
    protected Tensor forward(Tensor x) {
        return x.maxPool2d(params);
    }

    @Override
    protected String describe() {
        return describe(params);
    }

    static String describe(PoolParams p) {
        return p.kernelH() + "x" + p.kernelW() + ", stride " + p.strideH()
                + (p.strideW() == p.strideH() ? "" : "x" + p.strideW())
                + (p.padTop() + p.padBottom() + p.padLeft() + p.padRight() == 0 ? ""
                        : ", padding " + Padding.of(p.padTop(), p.padBottom(), p.padLeft(), p.padRight()))
                + (p.ceilMode() ? ", ceil" : "");
    }
}
