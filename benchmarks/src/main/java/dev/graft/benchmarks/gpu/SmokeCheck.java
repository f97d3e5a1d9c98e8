package dev.graft.benchmarks.gpu;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.load.Doctor;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Memory;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.backend.Mark;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.ConvParams;
import java.util.Locale;

/** The first things that must work, each needing only what came before it. */
final class SmokeCheck {
    private final CheckLog log;
    private final CudaBackend backend;
    private final Device cuda = Device.cuda();

    SmokeCheck(CheckLog log, CudaBackend backend) {
        this.log = log;
        this.backend = backend;
    }

    void run() {
        log.step("libraries and device", () -> Doctor.diagnose().lines().collect(java.util.stream.Collectors.joining("; ")));
        log.step("chip", () -> {
            CudaDevice d = backend.cuda();
            return String.format(Locale.ROOT, "%s, compute capability %d, %d multiprocessors, %.1f TB/s by its clocks",
                    d.name(), d.computeCapability(), d.multiprocessors(), d.peakBandwidth() / 1e12);
        });
        log.step("copies to the device and back", () -> scoped(this::copies));
        log.step("memory beyond 4 GiB", () -> scoped(this::farMemory));
        log.step("a kernel is compiled and right", () -> scoped(this::kernel));
        log.step("cost of a launch", () -> scoped(this::launches));
        log.step("float32 product is exact", () -> scoped(() -> product(DType.F32, 1e-5)));
        log.step("bf16 product", () -> scoped(() -> product(DType.BF16, 2e-2)));
        log.step("convolution and its gradients' shapes", () -> scoped(this::convolution));
        log.step("captured step", () -> scoped(this::captured));
        log.step("convolutions are computed by", () -> backend.convolutionChoices().toString());
    }

    private static String scoped(CheckLog.Step s) throws Exception {
        try (Scope scope = Scope.open("smoke")) {
            return s.run();
        }
    }

    private String copies() {
        int n = 64 << 20;
        float[] values = new float[n];
        for (int i = 0; i < n; i += 1021) {
            values[i] = i;
        }
        Tensor host = Tensor.of(values, n);
        long t0 = System.nanoTime();
        Tensor t = host.to(cuda);
        backend.synchronize();
        long t1 = System.nanoTime();
        float[] back = t.toFloats();
        long t2 = System.nanoTime();
        for (int i = 0; i < n; i += 1021) {
            CheckLog.expect(back[i] == i, "element " + i + " is " + back[i]);
        }
        return String.format(Locale.ROOT, "up %.1f GB/s, down %.1f GB/s from heap arrays", 4.0 * n / (t1 - t0),
                4.0 * n / (t2 - t1));
    }

    private String farMemory() {
        Tensor t = Tensor.fill(new TensorSpec(DType.BF16, Shape.of(3 << 10, 1 << 20)), 1, cuda);       // 6 GiB
        Tensor last = t.row((3 << 10) - 1);
        float sum = (float) last.cast(DType.F32).sum().item();
        CheckLog.expect(sum == 1 << 20, "the last row sums to " + sum);
        return "6 GiB, " + Memory.report(cuda);
    }

    private String kernel() {
        Tensor x = Tensor.randn(64, 1000);
        double worst = difference(x.softmax(), x.to(cuda).softmax());
        CheckLog.expect(worst < 1e-6, "softmax is off by " + worst);
        return "softmax differs by " + worst + " from the CPU's";
    }

    private static double difference(Tensor a, Tensor b) {
        double[] x = a.toDoubles();
        double[] y = b.to(Device.CPU).toDoubles();
        double worst = 0;
        for (int i = 0; i < x.length; i++) {
            worst = Math.max(worst, Math.abs(x[i] - y[i]));
        }
        return worst;
    }

    private String launches() {
        Tensor x = Tensor.randn(32, 32).to(cuda);
        int n = 10_000;
        for (int i = 0; i < 2 * n; i++) {
            x.softmax().close();
        }
        backend.synchronize();
        long t0 = System.nanoTime();
        for (int i = 0; i < n; i++) {
            x.softmax().close();
        }
        long host = System.nanoTime() - t0;
        backend.synchronize();
        return String.format(Locale.ROOT, "%.2f us an op on the host, %.2f us end to end", host / 1e3 / n,
                (System.nanoTime() - t0) / 1e3 / n);
    }

    private String product(DType type, double tolerance) {
        Tensor a = Tensor.randn(300, 200);
        Tensor b = Tensor.randn(200, 100);
        Tensor right = a.matmul(b);
        double worst = difference(right, a.to(cuda).cast(type).matmul(b.to(cuda).cast(type)).cast(DType.F32));
        double largest = right.unary(dev.graft.tensor.op.UnaryFn.ABS).max().item();
        CheckLog.expect(worst < tolerance * largest, "off by " + worst + " where the largest value is " + largest);
        return "differs by " + worst + " from the CPU's";
    }

    private String convolution() {
        Tensor x = Tensor.randn(4, 20, 20, 32);
        Tensor w = Tensor.randn(64, 3, 3, 32).mul(0.06);
        double worst = difference(x.conv2d(w, ConvParams.of(1, 1)), x.to(cuda).conv2d(w.to(cuda), ConvParams.of(1, 1)));
        CheckLog.expect(worst < 1e-4, "off by " + worst);
        return "differs by " + worst + " from the CPU's";
    }

    private String captured() {
        Tensor x = Tensor.randn(64, 64).to(cuda);
        Tensor[] y = new Tensor[1];
        Runnable step = () -> {
            Tensor t = x;
            for (int i = 0; i < 20; i++) {
                t = t.matmul(x).softmax();
            }
            y[0] = t;
        };
        step.run();
        float[] right = y[0].toFloats();
        try (StepGraph graph = Context.inference().call(() -> backend.capture(step))) {
            graph.replay(RandomStream.of(0, 0), () -> { });
            CheckLog.expect(java.util.Arrays.equals(right, y[0].toFloats()), "a replay gives other values");
            Mark a = backend.mark();
            for (int i = 0; i < 100; i++) {
                graph.replay(RandomStream.of(0, 0), () -> { });
            }
            return String.format(Locale.ROOT, "%d launches, %.2f us for each", graph.launches(),
                    a.microsTo(backend.mark()) / 100 / graph.launches());
        }
    }
}
