package dev.graft.kernels.ops;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.junit.jupiter.api.Assumptions;

/** The emulated device and what tests of op families do on it. */
final class OnDevice {
    private static final ReferenceBackend REFERENCE = new ReferenceBackend();

    private OnDevice() {}

    /** The device's context is this thread's from here on. */
    static CudaDevice open() {
        Assumptions.assumeTrue(EmulatedCuda.start(), () -> EmulatedCuda.reason());
        try (Tensor t = Tensor.zeros(1).to(Device.cuda())) {
            return ((CudaBackend) Backends.of(Device.cuda())).cuda();
        }
    }

    static Tensor random(SplittableRandom r, DType dtype, int... dims) {
        double[] v = r.doubles(Arrays.stream(dims).asLongStream().reduce(1, (a, b) -> a * b), -1, 1).toArray();
        return Tensor.of(v, dims).cast(dtype);
    }

    /** On the CPU, by the naive loops in float64. */
    static <T> T reference(Supplier<T> body) {
        return Context.inference().withCpu(REFERENCE).call(body);
    }

    static double tolerance(DType dtype) {
        return switch (dtype) {
            case F32 -> 2e-5;
            case F64 -> 1e-12;
            case F16 -> 0x1p-9;
            default -> 0x1p-6;
        };
    }

    /** The largest difference relative to the largest value; 1 or more when something is NaN. */
    static double difference(Tensor got, Tensor want) {
        double[] a = got.to(Device.CPU).toDoubles();
        double[] b = want.toDoubles();
        double largest = 0.03;
        double worst = 0;
        for (int i = 0; i < a.length; i++) {
            largest = Math.max(largest, Math.abs(b[i]));
            double d = Math.abs(a[i] - b[i]);
            worst = d <= worst ? worst : Double.isNaN(d) ? Double.MAX_VALUE : d;
        }
        return worst / largest;
    }
}
