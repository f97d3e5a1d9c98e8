package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.DeviceError;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LossOp;

/** Cross-entropy: one pass over the logits for the loss, one for the gradient. */
public final class CudaLoss {
    private static final int ERROR = DeviceError.TARGET_OUT_OF_RANGE.ordinal();

    private final CudaDevice device;
    private final KernelTable kernels;

    public CudaLoss(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    /** @return whether this was computed here */
    public boolean run(LossOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case LossOp.CrossEntropy c -> forward(c, in[0], in[1], out[0], out[1]);
            case LossOp.CrossEntropyBackward c -> backward(c, in[0], in[1], in[2], in[3], out[0]);
        }
        return true;
    }

    private void forward(LossOp op, Tensor x, Tensor target, Tensor loss, Tensor logsumexp) {
        int width = Vectors.width(x.dtype(), x.dim(1), x);
        long vectors = x.dim(1) / width;
        RowTeams r = RowTeams.walking(vectors, 4);
        kernel("cross_entropy", x, target, width).args().ptr(x).ptr(target).ptr(loss).ptr(logsumexp).i64(x.dim(0))
                .i32((int) vectors).i32(r.team()).f64(op.labelSmoothing()).i64(op.ignoreIndex()).ptr(device.errorFlag())
                .i32(ERROR).launch(r.blocks(x.dim(0)), r.threads());
    }

    private void backward(LossOp op, Tensor dloss, Tensor x, Tensor target, Tensor logsumexp, Tensor dx) {
        int width = Vectors.width(x.dtype(), x.dim(1), x, dx);
        long vectors = x.dim(1) / width;
        RowTeams r = RowTeams.walking(vectors, 4);
        kernel("cross_entropy_backward", x, target, width).args().ptr(dloss).ptr(x).ptr(target).ptr(logsumexp).ptr(dx)
                .i64(x.dim(0)).i32((int) vectors).i32(r.team()).f64(op.labelSmoothing()).i64(op.ignoreIndex())
                .ptr(device.errorFlag()).i32(ERROR).launch(r.blocks(x.dim(0)), r.threads());
    }

    private Kernel kernel(String name, Tensor x, Tensor target, int width) {
        return kernels.get(name, x.dtype(), target.dtype(), width, 0, () -> KernelSource.of("cross_entropy.cu")
                .define("T", CudaTypes.of(x.dtype())).define("V", width).define("I", CudaTypes.of(target.dtype())));
    }
}
