package dev.graft.benchmarks.gpu;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.kernels.CudaBackend;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ReduceOp;
import java.util.Locale;

/** Products, convolutions and memory-bound functions, each under the name that {@code bench.py} gives it. */
final class KernelSpeed {
    private static final int[][] GEMMS = {{8192, 8192, 8192}, {4096, 768, 768}, {4096, 3072, 768}, {4096, 768, 3072},
        {401408, 64, 64}, {401408, 256, 64}, {401408, 64, 256}, {100352, 128, 512}, {100352, 512, 128}, {25088, 256, 1024},
        {25088, 1024, 256}, {6272, 512, 2048}, {6272, 2048, 512}, {128, 1000, 2048}};
    /** Inputs, outputs, kernel, stride, image size: every shape of ResNet-50. */
    private static final int[][] CONVS = {{3, 64, 7, 2, 224}, {64, 64, 1, 1, 56}, {64, 64, 3, 1, 56}, {64, 256, 1, 1, 56},
        {256, 64, 1, 1, 56}, {256, 128, 1, 1, 56}, {128, 128, 3, 2, 56}, {128, 512, 1, 1, 28}, {256, 512, 1, 2, 56},
        {512, 128, 1, 1, 28}, {128, 128, 3, 1, 28}, {512, 256, 1, 1, 28}, {256, 256, 3, 2, 28}, {256, 1024, 1, 1, 14},
        {512, 1024, 1, 2, 28}, {1024, 256, 1, 1, 14}, {256, 256, 3, 1, 14}, {1024, 512, 1, 1, 14}, {512, 512, 3, 2, 14},
        {512, 2048, 1, 1, 7}, {1024, 2048, 1, 2, 14}, {2048, 512, 1, 1, 7}, {512, 512, 3, 1, 7}};
    private static final int BATCH = 128;
    private static final long ELEMENTS = 128L << 20;      // 256 MB of bfloat16
    private static final int WIDTH = 1024;

    private final CheckLog log;
    private final CudaBackend backend;
    private final double budget;

    KernelSpeed(CheckLog log, CudaBackend backend, double budget) {
        this.log = log;
        this.backend = backend;
        this.budget = budget;
    }

    void run() {
        for (int[] g : GEMMS) {
            measure(String.format(Locale.ROOT, "gemm bf16 %dx%dx%d", g[0], g[1], g[2]), 2.0 * g[0] * g[1] * g[2], () -> {
                Tensor a = random(g[0], g[2]);
                Tensor b = random(g[1], g[2]);
                return () -> a.matmulTransposed(b);
            });
        }
        for (int[] c : CONVS) {
            for (String kind : new String[] {"forward", "input", "weight"}) {
                if (!kind.equals("input") || c[0] != 3) {
                    conv(kind, c);
                }
            }
        }
        memory();
    }

    private static Tensor random(int... dims) {
        return Tensor.random(new TensorSpec(DType.F32, Shape.of(dims)), CreateOp.Distribution.NORMAL, 0, 1, Device.cuda())
                .cast(DType.BF16);
    }

    private void conv(String kind, int[] c) {
        int k = c[2];
        ConvParams p = ConvParams.of(c[3], k / 2);
        int out = p.outH(c[4], k);
        double flops = 2.0 * BATCH * out * out * c[1] * k * k * c[0];
        measure(String.format(Locale.ROOT, "conv bf16 %s %d->%d %dx%d stride %d size %d", kind, c[0], c[1], k, k, c[3],
                c[4]), flops,
                () -> {
                    Tensor x = random(BATCH, c[4], c[4], c[0]);
                    Tensor w = random(c[1], k, k, c[0]);
                    Tensor dy = random(BATCH, out, out, c[1]);
                    return switch (kind) {
                        case "forward" -> () -> x.conv2d(w, p);
                        case "input" -> () -> Dispatcher.one(new ConvOp.Conv2dBackwardInput(p, c[4], c[4]), dy, w);
                        default -> () -> Dispatcher.one(new ConvOp.Conv2dBackwardWeight(p, k, k), x, dy);
                    };
                });
    }

    private void memory() {
        double size = 2.0 * ELEMENTS;
        int rows = (int) (ELEMENTS / WIDTH);
        memory("copy", 2 * size, rows, (x, y, v) -> x.copy());
        memory("relu", 2 * size, rows, (x, y, v) -> x.relu());
        memory("gelu", 2 * size, rows, (x, y, v) -> x.gelu());
        memory("add", 3 * size, rows, (x, y, v) -> x.add(y));
        memory("bias", 2 * size, rows, (x, y, v) -> x.add(v));
        memory("softmax", 2 * size, rows, (x, y, v) -> x.softmax());
        memory("layer_norm", 2 * size, rows, (x, y, v) -> Dispatcher.run(new NormOp.LayerNorm(1e-5), x, v, v)[0]);
        memory("sum_rows", size, rows, (x, y, v) -> x.sum(0));
        memory("sum_columns", size, rows, (x, y, v) -> x.sum(1));
        memory("softmax_backward", 3 * size, rows, (x, y, v) -> Dispatcher.one(new ReduceOp.SoftmaxBackward(false), x, y));
        memory("layer_norm_backward", 3 * size, rows, (x, y, v) -> {
            Tensor statistics = y.reshape((int) ELEMENTS).slice(0, 0, rows);
            return Dispatcher.run(new NormOp.LayerNormBackward(1e-5), x, y, v, statistics, statistics)[0];
        });
        memory("batch_norm_relu", 3 * size, rows, (x, y, v) ->
                Dispatcher.run(new NormOp.BatchNormActivation(1e-5, FusedOp.Activation.RELU), x, v, v)[0]);
        memory("batch_norm_relu_backward", 7 * size, rows, (x, y, v) -> Dispatcher.run(
                new NormOp.BatchNormActivationBackward(1e-5, FusedOp.Activation.RELU, false), x, y, y, v, v, v)[0]);
        memory("max_pool2d", 1.75 * size, rows, (x, y, v) -> Dispatcher.run(new PoolOp.MaxPool2d(PoolParams.of(2, 2, 0)),
                x.reshape((int) (ELEMENTS >> 18), 64, 64, 64))[0]);
    }

    private interface Function {
        Tensor of(Tensor x, Tensor y, Tensor vector);
    }

    private void memory(String name, double bytes, int rows, Function f) {
        log.step("memory bf16 " + name, () -> {
            try (Scope s = Scope.open(name)) {
                Tensor x = random(rows, WIDTH);
                Tensor y = random(rows, WIDTH);
                Tensor v = random(WIDTH);
                double seconds = Timing.seconds(backend, budget, () -> {
                    f.of(x, y, v);

                });
                log.result("memory bf16 " + name, seconds).put("bytes", bytes);
                return String.format(Locale.ROOT, "%.3f ms, %.2f TB/s", seconds * 1e3, bytes / seconds / 1e12);
            }
        });
    }

    private interface Setup {
        Runnable make();
    }

    private void measure(String name, double flops, Setup setup) {
        log.step(name, () -> {
            try (Scope s = Scope.open(name)) {
                double seconds = Timing.seconds(backend, budget, setup.make());
                ObjectNode r = log.result(name, seconds);
                r.put("tflops", flops / seconds / 1e12);
                return String.format(Locale.ROOT, "%.3f ms, %.0f TFLOP/s", seconds * 1e3, flops / seconds / 1e12);
            }
        });
    }
}
