package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ResizeOp;

/** Resampling of [N, H, W, C] images and its gradient, which gathers: the same bits in every run. */
public final class CudaResize {
    private final CudaDevice device;
    private final KernelTable kernels;

    public CudaResize(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    /** @return whether this was computed here */
    public boolean run(ResizeOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case ResizeOp.Resize2d r -> launch("resize", r.mode(), r.alignCorners(), in[0], out[0], in[0], out[0]);
            case ResizeOp.Resize2dBackward r ->
                    launch("resize_backward", r.mode(), r.alignCorners(), in[0], out[0], out[0], in[0]);
        }
        return true;
    }

    /** @param x the image that is read in the forward direction, {@code y} what it becomes */
    private void launch(String name, ResizeOp.Mode mode, boolean alignCorners, Tensor in, Tensor out, Tensor x, Tensor y) {
        int width = Vectors.wholeOrOne(in.dtype(), in.dim(3), in, out);
        long items = out.size() / width;
        long position = Math.max((2L * y.dim(1) + 1) * Math.max(x.dim(1), y.dim(1)),
                (2L * y.dim(2) + 1) * Math.max(x.dim(2), y.dim(2)));
        int way = mode == ResizeOp.Mode.NEAREST ? 0 : alignCorners ? 2 : 1;
        DType counter = Vectors.counter(items);
        DType fraction = Vectors.counter(position);
        int variant = way + (fraction == DType.I64 ? 3 : 0);
        kernels.get(name, in.dtype(), counter, width, variant, () -> KernelSource.of("resize.cu")
                .define("T", CudaTypes.of(in.dtype())).define("V", width).define("I", Vectors.unsigned(counter))
                .define("P", Vectors.unsigned(fraction)).define("MODE", way)).args().ptr(in).ptr(out).i64(items)
                .ints(x.dim(1), x.dim(2), y.dim(1), y.dim(2), in.dim(3) / width)
                .launch(Vectors.blocks(items), Vectors.THREADS);
    }
}
