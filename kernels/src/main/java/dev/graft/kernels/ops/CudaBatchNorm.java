package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp.Activation;

/** Batch norm in training mode over all axes but the last, with residual and activation. */
final class CudaBatchNorm {
    private static final int ROWS_PER_THREAD = 8;

    private final CudaDevice device;
    private final KernelTable kernels;

    CudaBatchNorm(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    /** in: x, gamma, beta and maybe a residual; out: y, mean, invstd. */
    void forward(double eps, Activation activation, Tensor[] in, Tensor[] out) {
        Tensor x = in[0];
        Tensor residual = in.length > 3 ? in[3] : null;
        int channels = x.dim(-1);
        long rows = x.size() / channels;
        int width = Vectors.width(x.dtype(), channels, x, in[1], in[2], residual == null ? x : residual, out[0]);
        int variant = variant(activation, residual != null);
        long bytes = Vectors.accumulator(x.dtype()).bytes();
        Tiles t = Tiles.reducing(1, rows, channels / width, device.multiprocessors());
        try (Scratch statistics = device.scratch(2 * channels * bytes);
                Scratch partial = device.scratch(t.partial(2 * width, x.dtype()))) {
            kernel("batch_norm_statistics", x, in[1], width, variant).args().ptr(x).ptr(out[1]).ptr(out[2])
                    .ptr(statistics.address()).ptr(partial.address()).ptr(device.counters()).longs(t.longs()).f64(eps)
                    .launch(t.blocks(), Tiles.THREADS);
            Tiles w = Tiles.walking(1, rows, channels / width, ROWS_PER_THREAD);
            kernel("batch_norm_apply", x, in[1], width, variant).args().ptr(x).ptr(residual == null ? x : residual)
                    .ptr(in[1]).ptr(in[2]).ptr(statistics.address()).ptr(out[0]).longs(w.longs())
                    .launch(w.blocks(), Tiles.THREADS);
        }
    }

    /**
     * @param y   the forward result, which tells where the activation passed; null without activation
     * @param out dx, dgamma, dbeta and maybe dresidual
     */
    void backward(Activation activation, Tensor dy, Tensor x, Tensor y, Tensor gamma, Tensor mean, Tensor invstd,
                  Tensor[] out) {
        Tensor passed = y == null ? x : y;
        Tensor residual = out.length > 3 ? out[3] : out[0];
        int channels = x.dim(-1);
        long rows = x.size() / channels;
        int width = Vectors.width(x.dtype(), channels, dy, x, passed, gamma, mean, invstd, out[0], residual);
        int variant = variant(activation, out.length > 3);
        long bytes = Vectors.accumulator(x.dtype()).bytes();
        Tiles t = Tiles.reducing(1, rows, channels / width, device.multiprocessors());
        try (Scratch sums = device.scratch(2 * channels * bytes);
                Scratch partial = device.scratch(t.partial(2 * width, x.dtype()))) {
            kernel("batch_norm_sums", x, gamma, width, variant).args().ptr(dy).ptr(x).ptr(passed).ptr(mean).ptr(invstd)
                    .ptr(sums.address()).ptr(out[1]).ptr(out[2]).ptr(partial.address()).ptr(device.counters())
                    .longs(t.longs()).launch(t.blocks(), Tiles.THREADS);
            Tiles w = Tiles.walking(1, rows, channels / width, ROWS_PER_THREAD);
            kernel("batch_norm_gradient", x, gamma, width, variant).args().ptr(dy).ptr(x).ptr(passed).ptr(gamma).ptr(mean)
                    .ptr(invstd).ptr(sums.address()).ptr(out[0]).ptr(residual).longs(w.longs())
                    .launch(w.blocks(), Tiles.THREADS);
        }
    }

    /** ACT and RESIDUAL of the kernels as one number. */
    private static int variant(Activation activation, boolean residual) {
        int act = switch (activation) {
            case NONE -> 0;
            case RELU -> 1;
            case RELU6 -> 2;
            case GELU, GELU_TANH -> throw new IllegalArgumentException("batch norm and " + activation + " is no op");
        };
        return 2 * act + (residual ? 1 : 0);
    }

    private Kernel kernel(String function, Tensor x, Tensor gamma, int width, int variant) {
        return kernels.get(function, x.dtype(), gamma.dtype(), width, variant, () -> KernelSource.of("batch_norm.cu")
                .define("T", CudaTypes.of(x.dtype())).define("W", CudaTypes.of(gamma.dtype())).define("V", width)
                .define("ACT", variant / 2).define("RESIDUAL", variant % 2));
    }
}
