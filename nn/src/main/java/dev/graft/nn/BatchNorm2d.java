package dev.graft.nn;

import dev.graft.autograd.Checkpoint;
import dev.graft.autograd.Tape;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Update;

/**
 * Batch normalisation per channel, the last axis (Ioffe and Szegedy 2015, arXiv:1502.03167): [N, H, W, C], and as well
 * [N, C] and [N, L, C], where PyTorch calls it BatchNorm1d.
 *
 * <p>In training the batch's statistics normalise, and running_mean and running_var move towards them by {@code momentum}
 * (the variance unbiased, as in PyTorch). In evaluation, and always when frozen, the running statistics normalise and
 * stay as they are.
 */
public final class BatchNorm2d extends Module {
    private final int channels;
    private final double eps;
    private final double momentum;
    private final Parameter weight;
    private final Parameter bias;
    private final Buffer mean;
    private final Buffer variance;
    private final Buffer batches;

    public BatchNorm2d(int channels) {
        this(channels, 1e-5, 0.1);
    }

    /** @param momentum the share of the new batch in the running statistics */
    public BatchNorm2d(int channels, double eps, double momentum) {
        if (channels < 1 || !(eps > 0) || !(momentum >= 0 && momentum <= 1)) {
            throw new GraftException("batch_norm: " + channels + " channels, eps " + eps + ", momentum " + momentum
                    + ": channels and eps must be positive, momentum from 0 to 1");
        }
        this.channels = channels;
        this.eps = eps;
        this.momentum = momentum;
        weight = parameter("weight", Parameter.Kind.NORM_WEIGHT, Init.ones(), channels);
        bias = parameter("bias", Parameter.Kind.BIAS, Init.zeros(), channels);
        mean = buffer("running_mean", () -> Tensor.zeros(channels));
        variance = buffer("running_var", () -> Tensor.ones(channels));
        batches = buffer("num_batches_tracked",
                () -> Tensor.fill(new TensorSpec(DType.I64, Shape.SCALAR), 0, Device.CPU));
    }

    public int channels() {
        return channels;
    }

    public double eps() {
        return eps;
    }

    public Parameter weight() {
        return weight;
    }

    public Parameter bias() {
        return bias;
    }

    public Buffer runningMean() {
        return mean;
    }

    public Buffer runningVar() {
        return variance;
    }

    /** Whether the running statistics normalise in the current call, rather than the batch's. */
    boolean usesRunningStatistics() {
        return frozen() || !Context.current().training();
    }

    @Override
    protected Tensor forward(Tensor x) {
        check(x);
        if (usesRunningStatistics()) {
            Tensor scale = scale();
            Tensor shift = shift(scale);
            // 16-bit values in float32: scale and shift would lose digits, and their sum the difference of large numbers
            return x.dtype() == DType.BF16 || x.dtype() == DType.F16
                    ? x.cast(DType.F32).mul(scale).add(shift).cast(x.dtype()) : x.mul(scale).add(shift);
        }
        return normalise(x, FusedOp.Activation.NONE, null);
    }

    private void check(Tensor x) {
        if (x.rank() < 2 || x.dim(-1) != channels) {
            throw new GraftException("batch_norm in " + Context.current().path() + ": input has shape " + x.shape()
                    + ", [N, ..., " + channels + "] is needed");
        }
    }

    /** As part of this module: then(x normalised by its own statistics + residual), where a residual of null is none. */
    Tensor run(Tensor x, FusedOp.Activation then, Tensor residual) {
        return within(() -> {
            check(x);
            return normalise(x, then, residual);
        });
    }

    private Tensor normalise(Tensor x, FusedOp.Activation then, Tensor residual) {
        long values = x.size() / channels;
        if (values < 2) {
            throw new GraftException("batch_norm in " + Context.current().path() + ": training needs more than one value"
                    + " per channel, input has shape " + x.shape() + ": use a larger batch, or freeze this layer");
        }
        NormOp op = then == FusedOp.Activation.NONE && residual == null ? new NormOp.BatchNorm(eps)
                : new NormOp.BatchNormActivation(eps, then);
        Tensor w = weight.value();
        Tensor b = bias.value();
        Tensor[] out = residual == null ? Dispatcher.run(op, x, w, b) : Dispatcher.run(op, x, w, b, residual);
        if (!Checkpoint.isRecomputing()) {
            Tape.noGrad(() -> {
                track(out[1], out[2], values);
                return null;
            });
        }
        return out[0];
    }

    /** Moves the running statistics towards a batch's mean and 1/sqrt(var + eps), both [C]. */
    private void track(Tensor batchMean, Tensor invstd, long values) {
        Tensor unbiased = invstd.square().reciprocal().sub(eps).maximum(0).mul((double) values / (values - 1));
        Update step = new Update.Axpby(1 - momentum, momentum);
        Dispatcher.update(step, mean.value(), batchMean.cast(mean.value().dtype()));
        Dispatcher.update(step, variance.value(), unbiased.cast(variance.value().dtype()));
        Dispatcher.update(new Update.Assign(), batches.value(), batches.value().add(1));
    }

    /** weight / sqrt(running_var + eps), [C]. */
    Tensor scale() {
        Tensor w = weight.value();
        return w.mul(variance.value().cast(w.dtype()).add(eps).rsqrt());
    }

    /** bias − running_mean · scale, [C]. */
    Tensor shift(Tensor scale) {
        return bias.value().sub(mean.value().cast(scale.dtype()).mul(scale));
    }

    @Override
    protected String describe() {
        return channels + (eps == 1e-5 ? "" : ", eps " + eps) + (momentum == 0.1 ? "" : ", momentum " + momentum);
    }
}
