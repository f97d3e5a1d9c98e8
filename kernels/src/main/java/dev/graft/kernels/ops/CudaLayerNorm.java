package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;

/** Layer norm over the last axis. */
final class CudaLayerNorm {
    private final CudaDevice device;
    private final KernelTable kernels;

    CudaLayerNorm(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    /** in: x, gamma, beta; out: y, mean, rstd. */
    void forward(double eps, Tensor[] in, Tensor[] out) {
        Tensor x = in[0];
        int width = Vectors.width(x.dtype(), x.dim(-1), x, in[1], in[2], out[0]);
        int vectors = x.dim(-1) / width;
        long rows = x.size() / x.dim(-1);
        RowTeams r = RowTeams.keeping(vectors, width, x.dtype() == DType.F64 ? 16 : 32, 512);
        kernel(r.named("layer_norm", width), x, in[1], width).args().ptr(x).ptr(in[1]).ptr(in[2])
                .ptr(out[0]).ptr(out[1]).ptr(out[2]).i64(rows).i32(vectors).i32(r.team()).f64(eps)
                .launch(r.blocks(rows), r.threads());
    }

    /** in: dy, x, gamma, mean, rstd; out: dx, dgamma, dbeta. */
    void backward(Tensor[] in, Tensor[] out) {
        Tensor x = in[1];
        int channels = x.dim(-1);
        int width = Vectors.width(x.dtype(), channels, in[0], x, in[2], out[0]);
        int vectors = channels / width;
        long rows = x.size() / channels;
        RowTeams r = RowTeams.keepingTwice(vectors, width, x.dtype() == DType.F64 ? 16 : 32);
        Kernel k = kernel(r.named("layer_norm_backward", width), x, in[2], width);
        if (r.each() == 0) {
            k.args().ptr(in[0]).ptr(x).ptr(in[2]).ptr(in[3]).ptr(in[4]).ptr(out[0]).i64(rows).i32(vectors).i32(r.team())
                    .launch(r.blocks(rows), r.threads());
            longParameters(in, out, rows, vectors, width);
            return;
        }
        DType sum = Vectors.accumulator(x.dtype());
        int shared = r.team() <= 32 ? 2 * channels * sum.bytes() : 0;
        long blocks = Math.min(r.blocks(rows),
                (long) device.multiprocessors() * k.blocksPerMultiprocessor(r.threads(), shared));
        try (Scratch partial = device.scratch(2 * blocks * channels * sum.bytes())) {
            k.args().ptr(in[0]).ptr(x).ptr(in[2]).ptr(in[3]).ptr(in[4]).ptr(out[0]).ptr(partial.address()).i64(rows)
                    .i32(vectors).i32(r.team()).launch((int) blocks, 1, 1, r.threads(), 1, 1, shared);
            int part = Math.min(width, 16 / sum.bytes());
            Tiles t = Tiles.whole(2, blocks, channels / part);
            kernel("layer_norm_parameters", x, in[2], width).args().ptr(partial.address()).ptr(out[1]).ptr(out[2])
                    .longs(t.longs()).launch(t.blocks(), Tiles.THREADS);
        }
    }

    private void longParameters(Tensor[] in, Tensor[] out, long rows, int vectors, int width) {
        Tiles t = Tiles.reducing(1, rows, vectors, device.multiprocessors());
        try (Scratch partial = device.scratch(t.partial(2 * width, in[1].dtype()))) {
            kernel("layer_norm_sums", in[1], in[2], width).args().ptr(in[0]).ptr(in[1]).ptr(in[3]).ptr(in[4]).ptr(out[1])
                    .ptr(out[2]).ptr(partial.address()).ptr(device.counters()).longs(t.longs())
                    .launch(t.blocks(), Tiles.THREADS);
        }
    }

    private Kernel kernel(String function, Tensor x, Tensor gamma, int width) {
        return kernels.get(function, x.dtype(), gamma.dtype(), width, 0, () -> KernelSource.of("layer_norm.cu")
                .define("T", CudaTypes.of(x.dtype())).define("W", CudaTypes.of(gamma.dtype())).define("V", width));
    }
}
