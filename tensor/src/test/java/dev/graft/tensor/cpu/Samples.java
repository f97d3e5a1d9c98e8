package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Test data and comparisons that the kernel tests share. */
final class Samples {
    /** Lengths around vector widths and chunk borders. */
    static final int[] LENGTHS = {0, 1, 2, 7, 15, 16, 17, 33, 100, 1023, 8193, 40001};

    private Samples() {}

    static Stream<ElementLoops> elementLoops() {
        return Simd.ENABLED ? Stream.of(new PlainElementLoops(), new SimdElementLoops(0))
                : Stream.of(new PlainElementLoops());
    }

    static Stream<RowLoops> rowLoops() {
        return Simd.ENABLED ? Stream.of(new PlainRowLoops(), new SimdRowLoops()) : Stream.of(new PlainRowLoops());
    }

    static float[] normal(long seed, int n) {
        Random r = new Random(seed);
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) r.nextGaussian();
        }
        return x;
    }

    static float[] uniform(long seed, int n, double low, double high) {
        Random r = new Random(seed);
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) (low + (high - low) * r.nextDouble());
        }
        return x;
    }

    /** {@code x} behind {@code offset} elements of rubbish and before some more. */
    static float[] at(int offset, float[] x) {
        float[] y = new float[offset + x.length + 3];
        Arrays.fill(y, -777f);
        System.arraycopy(x, 0, y, offset, x.length);
        return y;
    }

    static float[] floats(double[] x) {
        float[] y = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = (float) x[i];
        }
        return y;
    }

    /** Every element within {@code tolerance} times (|want| + scale); NaN and infinities must agree. */
    static void assertClose(String what, float[] got, double[] want, double tolerance, double scale) {
        assertThat(got.length).as(what).isEqualTo(want.length);
        for (int i = 0; i < want.length; i++) {
            float w = (float) want[i];
            if (Float.isNaN(w) ? Float.isNaN(got[i]) : w == got[i]) {
                continue;
            }
            double error = Math.abs(got[i] - want[i]);
            assertThat(error).as("%s[%d]: got %s, want %s", what, i, got[i], w)
                    .isLessThanOrEqualTo(tolerance * (Math.abs(want[i]) + scale));
        }
    }

    /** The result must have the same bits on one and on two threads. */
    static <T> T onOneAndTwoThreads(Supplier<T> body) {
        int before = WorkerPool.shared().threads();
        try {
            WorkerPool.setThreads(1);
            T one = body.get();
            WorkerPool.setThreads(2);
            T two = body.get();
            assertThat(two).isEqualTo(one);
            return two;
        } finally {
            WorkerPool.setThreads(before);
        }
    }
}
