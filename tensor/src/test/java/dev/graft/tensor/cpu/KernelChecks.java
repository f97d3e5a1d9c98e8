package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;

/** What the tests of kernels share: every provider, one and several threads, and comparisons of arrays. */
final class KernelChecks {
    private KernelChecks() {}

    /** The plain loops, and the Vector API where this process has it. */
    static List<MicroKernels> providers() {
        List<MicroKernels> all = new ArrayList<>(List.of(new PlainKernels()));
        if (CpuFeatures.simd()) {
            all.add(new VectorKernels());
        }
        return all;
    }

    /** Runs {@code kernel} with every provider on 1, 2 and 3 threads; a provider's results must be the same bits. */
    static List<float[]> onEveryProvider(Supplier<float[]> kernel) {
        List<float[]> results = new ArrayList<>();
        int threads = WorkerPool.shared().threads();
        for (MicroKernels mk : providers()) {
            MicroKernels old = CpuFeatures.select(mk);
            try {
                WorkerPool.setThreads(1);
                float[] one = kernel.get();
                for (int n = 2; n <= 3; n++) {
                    WorkerPool.setThreads(n);
                    assertThat(kernel.get()).as(mk.name() + ", " + n + " threads against 1").isEqualTo(one);
                }
                results.add(one);
            } finally {
                CpuFeatures.select(old);
                WorkerPool.setThreads(threads);
            }
        }
        return results;
    }

    static float[] random(long seed, int n) {
        Random r = new Random(seed);
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) r.nextGaussian();
        }
        return x;
    }

    /** Largest difference over the largest magnitude: what rounding in a sum is measured by. */
    static double relativeError(float[] found, double[] expected) {
        assertThat(found).hasSameSizeAs(expected);
        double error = 0;
        double scale = 0;
        for (int i = 0; i < found.length; i++) {
            double d = Math.abs(found[i] - expected[i]);
            error = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(error, d);
            scale = Math.max(scale, Math.abs(expected[i]));
        }
        return error == 0 ? 0 : error / scale;
    }

    /** Euclidean norm of the difference over the norm of the expected values. */
    static double relativeNorm(float[] found, double[] expected) {
        double error = 0;
        double norm = 0;
        for (int i = 0; i < found.length; i++) {
            error += (found[i] - expected[i]) * (found[i] - expected[i]);
            norm += expected[i] * expected[i];
        }
        return error == 0 ? 0 : Math.sqrt(error / norm);
    }
}
