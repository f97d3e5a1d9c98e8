package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;

/** Softmax over the last axis and its gradient. */
final class CudaSoftmax {
    private final CudaDevice device;
    private final KernelTable kernels;

    CudaSoftmax(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    void forward(boolean log, Tensor x, Tensor y) {
        int width = Vectors.width(x.dtype(), x.dim(-1), x, y);
        RowTeams r = teams(x, width);
        long rows = x.size() / x.dim(-1);
        kernel("softmax", log, x, width, r).args().ptr(x).ptr(y).i64(rows).i32(x.dim(-1) / width).i32(r.team())
                .launch(r.blocks(rows), r.threads());
    }

    void backward(boolean log, Tensor dy, Tensor y, Tensor dx) {
        int width = Vectors.width(y.dtype(), y.dim(-1), dy, y, dx);
        RowTeams r = teams(y, width);
        long rows = y.size() / y.dim(-1);
        kernel("softmax_backward", log, y, width, r).args().ptr(dy).ptr(y).ptr(dx).i64(rows).i32(y.dim(-1) / width)
                .i32(r.team()).launch(r.blocks(rows), r.threads());
    }

    private static RowTeams teams(Tensor x, int width) {
        return RowTeams.keeping(x.dim(-1) / width, width, x.dtype() == DType.F64 ? 16 : 32, 512);
    }

    private Kernel kernel(String name, boolean log, Tensor x, int width, RowTeams r) {
        int variant = log ? 1 : 0;
        return kernels.get(r.named(name, width), x.dtype(), null, width, variant, () -> KernelSource.of("softmax.cu")
                .define("T", CudaTypes.of(x.dtype())).define("V", width).define("LOG", variant));
    }
}
