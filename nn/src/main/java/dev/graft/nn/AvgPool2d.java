package dev.graft.nn;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolParams;

/** The mean of each window: [N, H, W, C] to [N, Ho, Wo, C]. */
public final class AvgPool2d extends Module {
    private final PoolParams params;
    private final boolean countPadding;

    public AvgPool2d(int kernel) {
        this(kernel, kernel, 0);
    }

    public AvgPool2d(int kernel, int stride, int padding) {
        this(PoolParams.of(kernel, stride, padding), true);
    }

    /** @param countPadding whether padding counts as zeros (PyTorch's default) or not at all (TensorFlow) */
    public AvgPool2d(PoolParams params, boolean countPadding) {
        this.params = params;
        this.countPadding = countPadding;
    }

    /** The same with windows that may hang over the end of the image. */
    public AvgPool2d ceilMode(boolean on) {
        return new AvgPool2d(params.withCeilMode(on), countPadding);
    }

    @Override
    protected Tensor forward(Tensor x) {
        return x.avgPool2d(params, countPadding);
    }

    @Override
    protected String describe() {
        return MaxPool2d.describe(params) + (countPadding ? "" : ", padding not counted");
    }
}
