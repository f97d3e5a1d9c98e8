package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.Samples.assertClose;
import static dev.graft.tensor.cpu.Samples.at;
import static dev.graft.tensor.cpu.Samples.normal;
import static dev.graft.tensor.cpu.Samples.onOneAndTwoThreads;
import static dev.graft.tensor.cpu.Samples.uniform;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Philox;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ElementwiseTest {
    private static final float[] SPECIAL = {0f, -0f, 1f, -1f, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY,
        Float.MIN_VALUE, Float.MIN_NORMAL / 3, -Float.MIN_NORMAL / 5, Float.MAX_VALUE, -Float.MAX_VALUE, 88.7f, 88.75f,
        -87.5f, -103f, -105f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 8388607.5f, 1e10f, -3f, 3f, 6f, 1e-8f, -1e-8f, 20f, 10000f};

    static Stream<ElementLoops> loops() {
        return Samples.elementLoops();
    }

    private static float[] inputs(UnaryFn f) {
        float[] x = normal(1, 3001);
        for (int i = 0; i < x.length; i++) {
            x[i] *= i % 3 == 0 ? 10 : i % 3 == 1 ? 1 : 0.01f;
            boolean positive = f == UnaryFn.LOG || f == UnaryFn.SQRT || f == UnaryFn.RSQRT;
            if (positive || f == UnaryFn.LOG1P && x[i] < -0.99f) {
                x[i] = Math.abs(x[i]);
            }
        }
        float[] all = Arrays.copyOf(x, x.length + SPECIAL.length);
        System.arraycopy(SPECIAL, 0, all, x.length, SPECIAL.length);
        return all;
    }

    /** Functions that subtract nearly equal numbers keep a small absolute error only. */
    private static double scale(UnaryFn f) {
        return switch (f) {
            case GELU -> 0.3;
            case GELU_TANH, MISH, SILU, SIN, COS, SELU, ELU -> 0.05;
            default -> 1e-37;
        };
    }

    @ParameterizedTest
    @MethodSource("loops")
    void unaryFunctionsAreAFewUlpFromTheFormula(ElementLoops loops) {
        for (UnaryFn f : UnaryFn.values()) {
            float[] x = inputs(f);
            double[] want = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                want[i] = f.apply(x[i], 0.3f);
            }
            float[] y = new float[x.length];
            new Elementwise(loops).unary(f, 0.3f, x, 0, y, 0, x.length);
            if (f == UnaryFn.GELU || f == UnaryFn.GELU_TANH || f == UnaryFn.SILU || f == UnaryFn.MISH) {
                skipMinusInfinity(x, y, want);
            }
            assertClose(f + " " + loops.getClass().getSimpleName(), y, want, 4e-7, scale(f));
        }
    }

    /** Over all exponents, and densely where the functions change their form. */
    @ParameterizedTest
    @MethodSource("loops")
    void exponentialTanhAndErfAreWithinTwoUlp(ElementLoops loops) {
        int n = 100_000;
        float[] x = new float[2 * n];
        for (int i = 0; i < n; i++) {
            x[i] = Float.intBitsToFloat(i / 2 * 42_700 | i % 2 << 31);
            x[n + i] = (i % 2 == 0 ? 6f : -6f) * i / n;
        }
        for (UnaryFn f : new UnaryFn[] {UnaryFn.EXP, UnaryFn.TANH, UnaryFn.ERF, UnaryFn.GELU}) {
            float[] y = new float[x.length];
            new Elementwise(loops).unary(f, 0, x, 0, y, 0, x.length);
            for (int i = 0; i < x.length; i++) {
                double want = f.apply(x[i], 0);
                double allowed = f == UnaryFn.GELU ? 1e-7 * Math.max(1, Math.abs(want)) : 2 * Math.ulp((float) want);
                if (y[i] != (float) want && !(Math.abs(y[i] - want) <= allowed)) { // text is made for failures only
                    assertThat(y[i]).as("%s of %s by %s", f, x[i], loops.getClass().getSimpleName()).isEqualTo((float) want);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("loops")
    void dropoutMultipliesByTheGeneratorsFactors(ElementLoops loops) {
        for (int n : new int[] {1, 31, 32, 33, 4096, 4097, 10_007}) {
            for (long stream : new long[] {0, 7, 0x1_2345_6789L}) {
                CreateOp.Random factors = new CreateOp.Random(new TensorSpec(DType.F32, Shape.of(n)),
                        CreateOp.Distribution.BERNOULLI, 0.7, 1 / 0.7, 0xFEDC_BA98_7654_3210L, stream, Device.CPU);
                float[] x = normal(3, n);
                double[] f = new double[n];
                Philox.fill(factors, 0, f, 0, n);
                float[] want = new float[n];
                for (int i = 0; i < n; i++) {
                    want[i] = x[i] * (float) f[i];
                }
                float[] got = onOneAndTwoThreads(() -> {
                    float[] y = new float[n];
                    new Elementwise(loops).dropout(factors, x, 0, y, 0, n);
                    return y;
                });
                assertThat(got).isEqualTo(want);
            }
        }
    }

    /** x times a factor that underflows: -infinity times 0 is NaN in one form and 0 in another. */
    private static void skipMinusInfinity(float[] x, float[] y, double[] want) {
        for (int i = 0; i < x.length; i++) {
            if (x[i] < -100) {
                y[i] = 0;
                want[i] = 0;
            }
        }
    }

    @ParameterizedTest
    @MethodSource("loops")
    void gradientsMatchTheDerivative(ElementLoops loops) {
        for (UnaryFn f : UnaryFn.values()) {
            float[] x = Arrays.copyOf(inputs(f), 3001);
            float[] dy = normal(2, x.length);
            float[] saved = x.clone();
            double[] want = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                if (f.savesOutput()) {
                    saved[i] = (float) f.apply(x[i], 0.3f);
                }
                want[i] = dy[i] * f.derivative(saved[i], 0.3f);
            }
            float[] dx = new float[x.length];
            new Elementwise(loops).unaryGrad(f, 0.3f, saved, 0, dy, 0, dx, 0, x.length);
            assertClose(f + " gradient", dx, want, 2e-6, 0.2);
        }
    }

    @ParameterizedTest
    @MethodSource("loops")
    void lengthsOffsetsAndInPlace(ElementLoops loops) {
        Elementwise e = new Elementwise(loops);
        for (int n : Samples.LENGTHS) {
            float[] x = normal(n, n);
            float[] whole = new float[n];
            e.unary(UnaryFn.EXP, 0, x, 0, whole, 0, n);
            float[] shifted = at(5, x);
            float[] same = onOneAndTwoThreads(() -> {
                float[] y = shifted.clone();
                e.unary(UnaryFn.EXP, 0, y, 5, y, 5, n);
                return y;
            });
            assertThat(same).isEqualTo(at(5, whole));
            if (n > 20) {
                float[] tail = new float[n - 20];
                e.unary(UnaryFn.EXP, 0, x, 20, tail, 0, n - 20);
                assertThat(tail).isEqualTo(Arrays.copyOfRange(whole, 20, n));
            }
        }
    }

    private static final int[][][] SHAPES = {
        {{5}, {5}}, {{}, {}}, {{3, 4}, {}}, {{}, {3, 4}}, {{2, 3, 5}, {5}}, {{5}, {2, 3, 5}}, {{7, 1}, {1, 9}},
        {{4, 1, 3}, {2, 1}}, {{2, 1, 3, 1}, {1, 4, 1, 5}}, {{0, 3}, {3}}, {{90, 300}, {300}}, {{3, 40000}, {1}},
        {{3, 40000}, {3, 1}}, {{2000, 24}, {24}}, {{24}, {2000, 24}}, {{5000, 3}, {5000, 1}}, {{2, 7, 1}, {2, 1, 7}},
        {{1, 1, 8}, {1}}, {{33, 17}, {33, 17}}, {{40, 30, 20}, {40, 1, 20}}};

    @ParameterizedTest
    @MethodSource("loops")
    void binaryBroadcasts(ElementLoops loops) {
        Elementwise e = new Elementwise(loops);
        for (int[][] s : SHAPES) {
            Shape xs = Shape.of(s[0]);
            Shape ys = Shape.of(s[1]);
            Shape zs = Shape.broadcast(xs, ys);
            float[] x = uniform(3, (int) xs.size(), 0.5, 3);
            float[] y = uniform(4, (int) ys.size(), 0.5, 3);
            for (BinaryFn f : BinaryFn.values()) {
                if (f.isLogical()) {
                    continue;
                }
                float[] want = new float[(int) zs.size()];
                for (int i = 0; i < want.length; i++) {
                    want[i] = (float) f.apply(x[index(i, zs, xs)], y[index(i, zs, ys)]);
                }
                if (f.isPredicate()) {
                    byte[] z = new byte[want.length];
                    e.compare(f, x, 0, xs, y, 0, ys, z, 0, zs);
                    float[] got = new float[z.length];
                    for (int i = 0; i < z.length; i++) {
                        got[i] = z[i];
                    }
                    assertThat(got).as(f + Arrays.deepToString(s)).isEqualTo(want);
                } else {
                    float[] z = onOneAndTwoThreads(() -> {
                        float[] out = new float[want.length];
                        e.binary(f, x, 0, xs, y, 0, ys, out, 0, zs);
                        return out;
                    });
                    assertThat(z).as(f + Arrays.deepToString(s)).isEqualTo(want);
                }
            }
        }
    }

    /** Index into a tensor of shape {@code s} of element {@code i} of the broadcast shape {@code out}. */
    private static int index(int i, Shape out, Shape s) {
        int at = 0;
        int stride = 1;
        for (int k = 1; k <= out.rank(); k++) {
            int d = out.dim(-k);
            if (k <= s.rank()) {
                at += s.dim(-k) == 1 ? 0 : i % d * stride;
                stride *= s.dim(-k);
            }
            i /= d;
        }
        return at;
    }

    @ParameterizedTest
    @MethodSource("loops")
    void scalarOperandsAndMaxWithNaN(ElementLoops loops) {
        Elementwise e = new Elementwise(loops);
        float[] x = Arrays.copyOf(inputs(UnaryFn.EXP), 3032);
        for (BinaryFn f : BinaryFn.values()) {
            for (float s : new float[] {2f, 1f, -1f, 0.5f, 3f}) {
                if (f.isLogical()) {
                    continue;
                }
                float[] z = new float[x.length];
                if (f.isPredicate()) {
                    byte[] b = new byte[x.length];
                    e.compareScalar(f, x, 0, s, b, 0, x.length);
                    for (int i = 0; i < b.length; i++) {
                        z[i] = b[i];
                    }
                } else {
                    e.binaryScalar(f, x, 0, s, z, 0, x.length);
                }
                float[] want = new float[x.length];
                for (int i = 0; i < z.length; i++) {
                    want[i] = (float) f.apply(x[i], s);
                }
                assertThat(z).as("%s with %s", f, s).isEqualTo(want);
            }
        }
    }

    @Test
    void whereBroadcastsItsThreeOperands() {
        Shape cs = Shape.of(4, 1);
        Shape xs = Shape.of(3);
        Shape ys = Shape.of(2, 1, 1);
        Shape zs = Shape.of(2, 4, 3);
        byte[] c = {1, 0, 0, 1};
        float[] x = {1, 2, 3};
        float[] y = {-1, -2};
        float[] z = new float[24];
        new Elementwise(ElementLoops.best()).where(c, 0, cs, x, 0, xs, y, 0, ys, z, 0, zs);
        for (int i = 0; i < 24; i++) {
            assertThat(z[i]).isEqualTo(c[i / 3 % 4] != 0 ? x[i % 3] : y[i / 12]);
        }
    }
}
