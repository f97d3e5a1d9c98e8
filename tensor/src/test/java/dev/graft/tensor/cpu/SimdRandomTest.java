package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.Samples.normal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Philox;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.CreateOp.Distribution;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Vectors of random numbers against the definition, {@link Philox#block}, bit by bit. */
class SimdRandomTest {
    private static final long[] FIRST = {0, 1, 2, 3, 4096, 12_345, (1L << 34) - 4096, (1L << 34) - 1021, 1L << 34,
        (1L << 34) + 2, (5L << 34) - 4 * 64, (1L << 62) - 6};
    private static final int[] LENGTHS = {0, 1, 3, 4, 31, 32, 33, 64, 511, 512, 515, 1000, 4096};
    private static final long[][] KEYS = {{0, 0}, {-1, -1}, {0x299f31d0a4093822L, 0x85a308d3243f6a88L}, {-8, 1L << 32},
        {1L << 31, 0xFFFF_FFFFL}};

    @BeforeAll
    static void onlyWithVectors() {
        assumeTrue(Simd.ENABLED, "the Vector API is off");
    }

    private static CreateOp.Random op(Distribution d, double a, double b, long[] key) {
        return new CreateOp.Random(new TensorSpec(DType.F32, Shape.of(1)), d, a, b, key[0], key[1], Device.CPU);
    }

    /** Elements from {@code first} on, each from its own block, by the formulas of the definition. */
    private static float[] defined(CreateOp.Random op, long first, int n) {
        float[] y = new float[n];
        int[] w = new int[4];
        for (int i = 0; i < n; i++) {
            Philox.block(op.seed(), op.stream(), first + i >> 2, w);
            double u = (w[(int) (first + i & 3)] >>> 8) * 0x1p-24;
            if (op.distribution() == Distribution.BERNOULLI) {
                y[i] = u < op.a() ? (float) op.b() : 0f;
            } else {
                float v = (float) (op.a() + (op.b() - op.a()) * u);
                y[i] = op.b() > op.a() && v >= op.b() ? Math.nextDown((float) op.b()) : v;
            }
        }
        return y;
    }

    /** Also that nothing before and behind the range is written. */
    private static void check(CreateOp.Random op, long first, int n) {
        float[] want = defined(op, first, n);
        float[] frame = Samples.at(5, new float[n]);
        float[] y = frame.clone();
        SimdRandom.fill(op, first, y, 5, n);
        System.arraycopy(want, 0, frame, 5, n);
        same(y, frame, op, first);
        if (op.distribution() != Distribution.BERNOULLI) {
            return;
        }
        float[] x = Samples.at(2, normal(n, n));
        float[] special = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -0f,
            Float.MIN_VALUE, Float.MAX_VALUE};
        for (int i = 0; i < n; i++) {
            if (i % 7 == 3) {
                x[2 + i] = special[i / 7 % special.length];
            }
            frame[5 + i] = x[2 + i] * want[i];
        }
        SimdRandom.product(op, first, x, 2, y, 5, n);
        same(y, frame, op, first);
    }

    private static void same(float[] got, float[] want, CreateOp.Random op, long first) {
        int at = Arrays.mismatch(got, want);        // tells -0 from 0
        assertThat(at).as("%s from %s: differs at this index", op, first).isEqualTo(-1);
    }

    @Test
    void anyStartAndLength() {
        for (long first : FIRST) {
            for (int n : LENGTHS) {
                check(op(Distribution.BERNOULLI, 0.7, 1 / 0.7, KEYS[2]), first, n);
                check(op(Distribution.UNIFORM, -3, 0.7, KEYS[2]), first, n);
            }
        }
    }

    @Test
    void anySeedAndStream() {
        for (long[] key : KEYS) {
            for (long first : new long[] {2, (1L << 34) - 1021, (1L << 61) + 4}) {
                check(op(Distribution.BERNOULLI, 0.3, 1.5, key), first, 2047);
            }
        }
    }

    @Test
    void anyProbabilityAndValue() {
        double[] p = {0, 0x1p-25, 0x1p-24, 1e-3, 0.5, 1 - 0x1p-24, Math.nextDown(1.0), 1, 2, -1, Double.NaN};
        float[] values = {1, 0f, -0f, -2.5f, Float.MIN_VALUE, Float.POSITIVE_INFINITY, Float.NaN};
        for (double a : p) {
            check(op(Distribution.BERNOULLI, a, 1.25, KEYS[1]), 1, 3000);
        }
        for (float v : values) {
            check(op(Distribution.BERNOULLI, 0.5, v, KEYS[1]), 1, 600);
        }
    }

    /** A tiny probability: the words that are just below and above the border, which a sample would hardly have. */
    @Test
    void theBorderIsExact() {
        long[] key = KEYS[0];
        int n = 4096;
        float[] u = defined(op(Distribution.UNIFORM, 0, 1, key), 0, n);
        for (int i = 0; i < n; i += 97) {
            check(op(Distribution.BERNOULLI, u[i], 2, key), 0, n);
            check(op(Distribution.BERNOULLI, Math.nextUp((double) u[i]), 2, key), 0, n);
        }
    }

    @Test
    void uniformBounds() {
        double[][] bounds = {{0, 1}, {1e6, 1e6 + 1}, {1, 1 + 0x1p-23}, {1, 1 + 0x1p-25}, {1, 1 + 3 * 0x1p-25}, {-1, 1e-300},
            {-1, -1e-300}, {1e16, 1e16 + 2}, {2, 1}, {3, 3}, {0, Float.MIN_VALUE}, {-1e39, 1e39},
            {0, Double.POSITIVE_INFINITY}, {Double.NEGATIVE_INFINITY, 0}, {0, Double.NaN}};
        for (double[] b : bounds) {
            check(op(Distribution.UNIFORM, b[0], b[1], KEYS[3]), 6, 5000);
        }
    }

    /** A kernel behaves the same before and after it is compiled, for words and for products in turn. */
    @Test
    void compiledCodeGivesTheSame() {
        CreateOp.Random op = op(Distribution.BERNOULLI, 0.9, 1 / 0.9, KEYS[2]);
        float[] x = normal(1, 4096);
        float[] y = new float[x.length];
        for (int i = 0; i < 2000; i++) {
            SimdRandom.product(op, i, x, 0, y, 0, x.length);
            SimdRandom.fill(op, i, y, 0, 64);
        }
        anyStartAndLength();
    }
}
