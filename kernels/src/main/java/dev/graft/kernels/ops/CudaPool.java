package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.Args;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;

/** Pooling of [N, H, W, C] images and its gradients, which gather: the same bits in every run. */
public final class CudaPool {
    private static final PoolParams NO_WINDOWS = PoolParams.of(1, 1, 0);

    private final CudaDevice device;
    private final KernelTable kernels;
    private final CudaReduce reductions;
    private final CudaIndex index;

    /** @param reductions for means of whole images; {@code index} for winners that may lie anywhere */
    public CudaPool(CudaDevice device, CudaReduce reductions, CudaIndex index) {
        this.device = device;
        kernels = new KernelTable(device);
        this.reductions = reductions;
        this.index = index;
    }

    /** @return whether this was computed here */
    public boolean run(PoolOp op, Tensor[] in, Tensor[] out) {
        Tensor a = in[0];
        Tensor b = out[0];
        return switch (op) {
            case PoolOp.MaxPool2d m -> {
                launch("max_pool", b, a, b, m.params(), false, out[1]);
                yield true;
            }
            case PoolOp.MaxPool2dBackward m when m.params() != null && a.dtype().isFloat() -> {
                launch("max_pool_backward", b, b, a, m.params(), false, in[1]);
                yield true;
            }
            case PoolOp.MaxPool2dBackward m -> index.addAlong(a, in[1], b, a.dim(0), (long) a.dim(1) * a.dim(2), a.dim(3),
                    (long) m.inH() * m.inW());
            case PoolOp.MaxPool2dGather m -> index.takeAlong(a, in[1], b, (long) b.dim(1) * b.dim(2), b.dim(3),
                    (long) a.dim(1) * a.dim(2));
            case PoolOp.AvgPool2d p -> {
                launch("avg_pool", b, a, b, p.params(), p.countPadding(), null);
                yield true;
            }
            case PoolOp.AvgPool2dBackward p -> {
                if (!a.dtype().isFloat()) {
                    yield false;
                }
                launch("avg_pool_backward", b, b, a, p.params(), p.countPadding(), null);
                yield true;
            }
            case PoolOp.AdaptiveAvgPool2d p -> {
                if (p.outH() == 1 && p.outW() == 1) {
                    reductions.mean(a, b, a.dim(0), (long) a.dim(1) * a.dim(2), a.dim(3));
                } else {
                    launch("adaptive_pool", b, a, b, NO_WINDOWS, false, null);
                }
                yield true;
            }
            case PoolOp.AdaptiveAvgPool2dBackward p -> {
                if (!a.dtype().isFloat()) {
                    yield false;
                }
                launch("adaptive_pool_backward", b, b, a, NO_WINDOWS, false, null);
                yield true;
            }
        };
    }

    /**
     * @param written which of the next two the threads compute, reading the other
     * @param image   the tensor of the image's size
     * @param pooled  that with a pixel for every window
     * @param places  the winners' places, or null
     */
    private void launch(String name, Tensor written, Tensor image, Tensor pooled, PoolParams p, boolean counts,
                        Tensor places) {
        int width = places == null ? Vectors.wholeOrOne(image.dtype(), image.dim(3), image, pooled)
                : Vectors.wholeOrOne(image.dtype(), image.dim(3), image, pooled, places);
        long items = written.size() / width;
        boolean unrolled = name.equals("max_pool") && p.kernelH() == p.kernelW() && p.kernelH() <= 3;
        int kernel = unrolled ? p.kernelH() : 0;
        DType counter = Vectors.counter(items);
        Args args = kernels.get(name, image.dtype(), counter, width, kernel, () -> KernelSource.of("pool.cu")
                .define("T", CudaTypes.of(image.dtype())).define("V", width).define("I", Vectors.unsigned(counter))
                .define("KERNEL", kernel)).args().ptr(written == image ? pooled : image).ptr(written);
        if (places != null) {
            args.ptr(places);
        }
        args.i64(items).ints(image.dim(1), pooled.dim(1), p.kernelH(), p.strideH(), p.padTop(), p.padBottom(),
                image.dim(2), pooled.dim(2), p.kernelW(), p.strideW(), p.padLeft(), p.padRight(), image.dim(3) / width,
                counts ? 1 : 0).launch(Vectors.blocks(items), Vectors.THREADS);
    }
}
