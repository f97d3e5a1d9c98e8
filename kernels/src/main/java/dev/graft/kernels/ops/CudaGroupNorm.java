package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;

/** Group norm of [N, ..., C] images. */
final class CudaGroupNorm {
    private static final int ROWS_PER_THREAD = 8;
    private static final int GROUPS_PER_BLOCK = 8;

    private final CudaDevice device;
    private final KernelTable kernels;

    CudaGroupNorm(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    /** in: x, gamma, beta; out: y, mean, rstd. */
    void forward(NormOp.GroupNorm op, Tensor[] in, Tensor[] out) {
        Tensor x = in[0];
        int channels = x.dim(-1);
        long images = x.dim(0);
        long pixels = x.size() / images / channels;
        long groups = images * op.groups();
        int groupWidth = channels / op.groups();
        int width = Vectors.width(x.dtype(), channels, x, in[1], in[2], out[0]);
        long bytes = Vectors.accumulator(x.dtype()).bytes();
        Tiles t = Tiles.reducing(images, pixels, channels / width, device.multiprocessors());
        try (Scratch moments = device.scratch(2 * images * channels * bytes);
                Scratch statistics = device.scratch(2 * groups * bytes);
                Scratch partial = device.scratch(t.partial(2 * width, x.dtype()))) {
            kernel("group_norm_moments", x, in[1], width).args().ptr(x).ptr(moments.address()).ptr(partial.address())
                    .ptr(device.counters()).longs(t.longs()).launch(t.blocks(), Tiles.THREADS);
            kernel("group_norm_merge", x, in[1], width).args().ptr(x).ptr(moments.address()).ptr(statistics.address())
                    .ptr(out[1]).ptr(out[2]).i64(groups).i32(op.groups()).i64(groupWidth).i64(pixels).f64(op.eps())
                    .launch(Tiles.ceil(groups, GROUPS_PER_BLOCK), Tiles.THREADS);
            Tiles w = Tiles.walking(images, pixels, channels / width, ROWS_PER_THREAD);
            kernel("group_norm_apply", x, in[1], width).args().ptr(x).ptr(in[1]).ptr(in[2]).ptr(statistics.address())
                    .ptr(out[0]).i64(groups).i32(groupWidth).longs(w.longs()).launch(w.blocks(), Tiles.THREADS);
        }
    }

    /** in: dy, x, gamma, mean, rstd; out: dx, dgamma, dbeta. */
    void backward(NormOp.GroupNormBackward op, Tensor[] in, Tensor[] out) {
        Tensor x = in[1];
        int channels = x.dim(-1);
        long images = x.dim(0);
        long pixels = x.size() / images / channels;
        long groups = images * op.groups();
        int groupWidth = channels / op.groups();
        int width = Vectors.width(x.dtype(), channels, in[0], x, in[2], out[0]);
        int bytes = Vectors.accumulator(x.dtype()).bytes();
        Tiles t = Tiles.reducing(images, pixels, channels / width, device.multiprocessors());
        try (Scratch sums = device.scratch(2 * images * channels * bytes);
                Scratch means = device.scratch(2 * groups * bytes);
                Scratch partial = device.scratch(t.partial(2 * width, x.dtype()))) {
            kernel("group_norm_sums", x, in[2], width).args().ptr(in[0]).ptr(x).ptr(in[3]).ptr(in[4]).ptr(sums.address())
                    .ptr(partial.address()).ptr(device.counters()).i32(groupWidth).longs(t.longs())
                    .launch(t.blocks(), Tiles.THREADS);
            kernel("group_norm_means", x, in[2], width).args().ptr(sums.address()).ptr(in[2]).ptr(means.address())
                    .i64(groups).i32(op.groups()).i64(groupWidth).i64(pixels)
                    .launch(Tiles.ceil(groups, GROUPS_PER_BLOCK), Tiles.THREADS);
            int part = Math.min(width, 16 / bytes);
            Tiles p = Tiles.whole(2, images, channels / part);
            kernel("group_norm_parameters", x, in[2], width).args().ptr(sums.address()).ptr(out[1]).ptr(out[2])
                    .longs(p.longs()).launch(p.blocks(), Tiles.THREADS);
            Tiles w = Tiles.walking(images, pixels, channels / width, ROWS_PER_THREAD);
            kernel("group_norm_gradient", x, in[2], width).args().ptr(in[0]).ptr(x).ptr(in[2]).ptr(in[3]).ptr(in[4])
                    .ptr(means.address()).ptr(out[0]).i64(groups).i32(groupWidth).longs(w.longs())
                    .launch(w.blocks(), Tiles.THREADS);
        }
    }

    private Kernel kernel(String function, Tensor x, Tensor gamma, int width) {
        return kernels.get(function, x.dtype(), gamma.dtype(), width, 0, () -> KernelSource.of("group_norm.cu")
                .define("T", CudaTypes.of(x.dtype())).define("W", CudaTypes.of(gamma.dtype())).define("V", width));
    }
}
