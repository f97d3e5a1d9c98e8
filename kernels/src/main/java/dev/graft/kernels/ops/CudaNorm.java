package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.NormOp;

/** Normalisation. All sums have a fixed order, so results have the same bits in every run. */
public final class CudaNorm {
    private final CudaDevice device;
    private final CudaBatchNorm batches;
    private final CudaGroupNorm groups;
    private final CudaLayerNorm layers;

    public CudaNorm(CudaDevice device) {
        this.device = device;
        batches = new CudaBatchNorm(device);
        groups = new CudaGroupNorm(device);
        layers = new CudaLayerNorm(device);
    }

    /** @return whether this was computed here */
    public boolean run(NormOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case NormOp.BatchNorm b -> batches.forward(b.eps(), Activation.NONE, in, out);
            case NormOp.BatchNormActivation b -> batches.forward(b.eps(), b.activation(), in, out);
            case NormOp.GroupNorm g -> groups.forward(g, in, out);
            case NormOp.LayerNorm l -> layers.forward(l.eps(), in, out);
            case NormOp.BatchNormBackward b when some(in[1], out) ->
                    batches.backward(Activation.NONE, in[0], in[1], null, in[2], in[3], in[4], out);
            case NormOp.BatchNormActivationBackward b when some(in[1], out) ->
                    batches.backward(b.activation(), in[0], in[1], in[2], in[3], in[4], in[5], out);
            case NormOp.GroupNormBackward g when some(in[1], out) -> groups.backward(g, in, out);
            case NormOp.LayerNormBackward l when some(in[1], out) -> layers.backward(in, out);
            case NormOp.BatchNormBackward b -> { }
            case NormOp.BatchNormActivationBackward b -> { }
            case NormOp.GroupNormBackward g -> { }
            case NormOp.LayerNormBackward l -> { }
        }
        return true;
    }

    /** Whether there are elements; otherwise the gradients of scale and shift become 0. */
    private boolean some(Tensor x, Tensor[] out) {
        if (x.size() > 0) {
            return true;
        }
        for (Tensor t : out) {
            device.zero(CudaStorage.address(t), t.size() * t.dtype().bytes());
        }
        return false;
    }
}
