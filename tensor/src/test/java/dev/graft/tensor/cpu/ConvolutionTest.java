package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.cpu.Epilogue.Activation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fast convolutions against six nested loops in double precision. */
class ConvolutionTest {
    private static final double TOLERANCE = 2e-6;
    private static final double WINOGRAD_TOLERANCE = 1e-5;

    static Stream<ConvGeometry> geometries() {
        List<ConvGeometry> all = new ArrayList<>(List.of(
                ConvGeometry.of(2, 7, 9, 5, 6, 3, 3, 1, 1),
                ConvGeometry.of(1, 1, 1, 4, 3, 1, 1, 1, 0), // a single pixel
                ConvGeometry.of(1, 1, 1, 20, 17, 3, 3, 1, 1),
                ConvGeometry.of(3, 5, 4, 16, 1, 3, 3, 1, 1), // one output channel
                ConvGeometry.of(0, 5, 4, 16, 8, 3, 3, 1, 1), // empty batch
                ConvGeometry.of(0, 5, 4, 8, 8, 3, 3, 1, 1).withGroups(8),
                ConvGeometry.of(2, 30, 29, 3, 64, 7, 7, 2, 3), // stem
                ConvGeometry.of(2, 17, 16, 3, 32, 3, 3, 2, 1),
                ConvGeometry.of(1, 33, 41, 3, 80, 7, 7, 2, 3), // rows of 21 pixels, of 18, of 8
                ConvGeometry.of(2, 29, 36, 3, 16, 3, 3, 2, 1),
                ConvGeometry.of(1, 9, 60, 3, 64, 7, 7, 2, 3),
                ConvGeometry.of(2, 30, 31, 40, 48, 3, 3, 2, 1), // windows in frames: rows of all widths, deep sums
                ConvGeometry.of(1, 12, 29, 80, 32, 3, 3, 2, 1),
                ConvGeometry.of(3, 16, 17, 144, 64, 3, 3, 2, 1),
                ConvGeometry.of(2, 10, 19, 64, 96, 3, 3, 2, 1),
                ConvGeometry.of(1, 7, 22, 48, 64, 3, 3, 2, 1),
                ConvGeometry.of(1, 7, 24, 48, 64, 3, 3, 2, 1),
                ConvGeometry.of(1, 7, 26, 48, 64, 3, 3, 2, 1),
                ConvGeometry.of(1, 7, 28, 48, 80, 3, 3, 2, 1),
                ConvGeometry.of(1, 5, 47, 48, 80, 3, 3, 2, 1),
                ConvGeometry.of(5, 16, 16, 32, 256, 3, 3, 2, 1),
                ConvGeometry.of(2, 21, 37, 64, 96, 1, 1, 2, 0),
                ConvGeometry.of(3, 14, 13, 300, 290, 1, 1, 1, 0), // weight gradients in several bands and groups of columns
                ConvGeometry.of(4, 17, 19, 70, 33, 1, 1, 1, 0),
                ConvGeometry.of(1, 60, 61, 64, 32, 5, 5, 1, 2),
                new ConvGeometry(2, 17, 25, 32, 64, 5, 3, 3, 2, 2, 1, 0, 2, 1, 2, 1),
                new ConvGeometry(1, 20, 31, 16, 32, 3, 3, 1, 3, 7, 6, 5, 4, 4, 3, 1),
                new ConvGeometry(3, 14, 15, 2, 32, 3, 4, 2, 3, 1, 3, 0, 2, 2, 1, 1), // short window rows, dilated
                ConvGeometry.of(2, 3, 2, 3, 80, 5, 5, 1, 6), // padding beyond the image on all sides
                ConvGeometry.of(4, 13, 14, 24, 96, 1, 1, 1, 0),
                ConvGeometry.of(2, 13, 14, 40, 24, 1, 1, 2, 0), // projection of a residual block
                ConvGeometry.of(2, 14, 13, 33, 70, 3, 3, 2, 1),
                ConvGeometry.of(1, 9, 9, 20, 100, 5, 5, 1, 2),
                ConvGeometry.of(1, 6, 6, 4, 10, 6, 6, 1, 0), // whole image
                ConvGeometry.of(1, 20, 3, 7, 8, 3, 1, 3, 1),
                ConvGeometry.of(5, 8, 8, 512, 20, 3, 3, 2, 1), // deep sum
                new ConvGeometry(2, 9, 8, 6, 7, 3, 2, 2, 1, 0, 2, 3, 1, 1, 1, 1), // asymmetric padding and stride
                new ConvGeometry(2, 12, 11, 6, 7, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1), // dilated
                new ConvGeometry(1, 14, 15, 5, 18, 3, 4, 2, 3, 1, 3, 0, 2, 2, 2, 1), // dilated and strided
                new ConvGeometry(1, 19, 18, 5, 18, 3, 3, 4, 2, 1, 3, 0, 2, 2, 4, 1),
                new ConvGeometry(1, 7, 7, 18, 17, 3, 3, 1, 1, 4, 3, 5, 0, 1, 1, 1), // more padding than the kernel reaches
                ConvGeometry.of(2, 7, 7, 5, 6, 2, 2, 5, 0), // inputs that no window sees
                ConvGeometry.of(2, 9, 7, 12, 18, 3, 3, 1, 1).withGroups(3),
                ConvGeometry.of(2, 9, 7, 64, 128, 3, 3, 2, 1).withGroups(4),
                ConvGeometry.of(2, 5, 6, 8, 4, 1, 1, 1, 0).withGroups(4),
                ConvGeometry.of(2, 14, 13, 40, 40, 3, 3, 1, 1).withGroups(40),
                ConvGeometry.of(2, 15, 17, 32, 32, 3, 3, 2, 1).withGroups(32),
                ConvGeometry.of(3, 7, 7, 21, 21, 5, 5, 2, 2).withGroups(21),
                ConvGeometry.of(1, 9, 9, 3, 3, 5, 5, 1, 2).withGroups(3),
                ConvGeometry.of(1, 9, 8, 6, 18, 3, 3, 1, 1).withGroups(6), // channel multiplier 3
                ConvGeometry.of(2, 9, 8, 16, 32, 3, 3, 2, 1).withGroups(16),
                ConvGeometry.of(2, 8, 8, 20, 20, 2, 2, 3, 0).withGroups(20),
                new ConvGeometry(2, 12, 11, 17, 17, 3, 3, 2, 1, 2, 1, 0, 3, 2, 3, 17),
                ConvGeometry.of(2, 1, 1, 33, 33, 3, 3, 1, 1).withGroups(33),
                ConvGeometry.of(2, 1, 1, 33, 33, 3, 3, 2, 1).withGroups(33),
                ConvGeometry.of(1, 7, 2, 64, 64, 3, 3, 1, 1).withGroups(64),
                ConvGeometry.of(9, 8, 10, 24, 24, 3, 3, 2, 1).withGroups(24),
                ConvGeometry.of(3, 9, 7, 300, 300, 3, 3, 1, 1).withGroups(300),
                ConvGeometry.of(1, 5, 33, 160, 160, 3, 3, 1, 1).withGroups(160), // rows in spans
                ConvGeometry.of(1, 5, 33, 160, 160, 3, 3, 2, 1).withGroups(160),
                new ConvGeometry(2, 8, 9, 18, 18, 3, 3, 1, 1, 0, 2, 0, 1, 1, 1, 18), // columns on one side only
                new ConvGeometry(2, 8, 9, 18, 18, 3, 3, 1, 1, 2, 2, 2, 2, 1, 1, 18),
                new ConvGeometry(2, 8, 10, 20, 20, 3, 3, 2, 2, 0, 1, 0, 1, 1, 1, 20), // TensorFlow's "same"
                new ConvGeometry(2, 11, 9, 20, 20, 3, 3, 2, 2, 1, 0, 1, 0, 1, 1, 20),
                new ConvGeometry(2, 9, 12, 20, 20, 5, 5, 2, 2, 1, 2, 1, 2, 1, 1, 20),
                ConvGeometry.of(2, 3, 1, 20, 20, 5, 5, 1, 2).withGroups(20),
                ConvGeometry.of(4, 13, 14, 40, 40, 5, 5, 1, 2).withGroups(40),
                ConvGeometry.of(4, 13, 14, 33, 33, 5, 5, 2, 2).withGroups(33)));
        for (int[] s : new int[][] {{2, 16, 16, 16, 16}, {1, 13, 22, 18, 37}, {3, 14, 14, 64, 20}, {2, 23, 21, 20, 130},
            {1, 20, 20, 140, 150}, {30, 7, 7, 32, 48}, {9, 24, 24, 32, 33}, {4, 20, 20, 40, 66},
            {3, 15, 14, 40, 70}, {7, 11, 13, 33, 130}, {2, 17, 18, 170, 72}, {26, 3, 6, 65, 40}}) { // every kind of edge
            all.add(ConvGeometry.of(s[0], s[1], s[2], s[3], s[4], 3, 3, 1, 1));
        }
        for (int c : new int[] {64, 65, 79, 127}) { // pairs of pixels, and what they leave over on both sides
            for (int w = 1; w < 10; w++) {
                all.add(new ConvGeometry(1, 2, w, c, c, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, c));
                all.add(new ConvGeometry(1, 3, w, c, c, 3, 3, 2, 2, 0, 1, 0, w < 3 ? 3 - w : 1, 1, 1, c));
                if (w >= 3) {
                    all.add(new ConvGeometry(1, 3, w, c, c, 3, 3, 2, 2, 1, 0, w % 2, 0, 1, 1, c));
                    all.add(new ConvGeometry(1, 4, w, c, c, 3, 3, 2, 2, 0, 1, 1, 1, 1, 1, c)); // padded ahead in one way
                    all.add(new ConvGeometry(2, 5, w, c, c, 3, 3, 2, 2, 1, 1, 0, 1, 1, 1, c));
                }
            }
        }
        for (int c : new int[] {64, 67, 79}) { // rows of every width, padded on both sides or on one
            for (int w = 1; w < 14; w++) {
                all.add(new ConvGeometry(1, 3, w, c, c, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, c));
                all.add(new ConvGeometry(1, 3, w, c, c, 3, 3, 1, 1, 0, 1, 0, w < 3 ? 3 - w : w % 2, 1, 1, c));
            }
        }
        for (int c : new int[] {96, 107}) { // squares of pixels: even and odd rows, padded on both sides or on one
            for (int w : new int[] {14, 15, 16, 40, 41, 42, 43}) {
                all.add(new ConvGeometry(1, 4, w, c, c, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, c));
                all.add(new ConvGeometry(1, 5, w, c, c, 3, 3, 1, 1, 0, 1, 0, 1, 1, 1, c));
                all.add(new ConvGeometry(1, 5, w, c, c, 3, 3, 1, 1, 1, 0, 1, 0, 1, 1, c));
                all.add(new ConvGeometry(1, 4, w, c, c, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, c));
            }
        }
        all.add(ConvGeometry.of(2, 19, 18, 17, 33, 3, 3, 1, 0));
        all.add(new ConvGeometry(1, 22, 19, 24, 16, 3, 3, 1, 1, 0, 3, 4, 2, 1, 1, 1));
        all.addAll(randomGeometries(25));
        return all.stream();
    }

    private static List<ConvGeometry> randomGeometries(int count) {
        Random r = new Random(42);
        List<ConvGeometry> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int groups = new int[] {1, 1, 2, 3, 20}[r.nextInt(5)];
            int in = groups * (1 + r.nextInt(groups == 20 ? 1 : 24));
            int out = groups * (1 + r.nextInt(groups > 1 ? 3 : 80));
            all.add(new ConvGeometry(1 + r.nextInt(3), 8 + r.nextInt(9), 8 + r.nextInt(9), in, out, 1 + r.nextInt(4),
                    1 + r.nextInt(4), 1 + r.nextInt(3), 1 + r.nextInt(3), r.nextInt(3), r.nextInt(3), r.nextInt(3),
                    r.nextInt(3), 1 + r.nextInt(2), 1 + r.nextInt(2), groups));
        }
        return all;
    }

    /** y, dx and dw by the definition. */
    private record Naive(double[] y, double[] dx, double[] dw) {
        static Naive of(ConvGeometry g, float[] x, float[] w, float[] dy) {
            Naive n = new Naive(new double[g.outSize()], new double[g.inSize()], new double[g.weightSize()]);
            int ci = g.inC() / g.groups(), co = g.outC() / g.groups();
            for (int i = 0; i < g.outSize(); i++) {
                int o = i % g.outC(), ox = i / g.outC() % g.outW(), oy = i / g.outC() / g.outW() % g.outH();
                int image = i / g.outC() / g.outW() / g.outH();
                for (int ky = 0; ky < g.kH(); ky++) {
                    for (int kx = 0; kx < g.kW(); kx++) {
                        int iy = oy * g.strideH() - g.padTop() + ky * g.dilationH();
                        int ix = ox * g.strideW() - g.padLeft() + kx * g.dilationW();
                        if (iy < 0 || ix < 0 || iy >= g.inH() || ix >= g.inW()) {
                            continue;
                        }
                        int at = ((image * g.inH() + iy) * g.inW() + ix) * g.inC() + o / co * ci;
                        int wt = ((o * g.kH() + ky) * g.kW() + kx) * ci;
                        for (int c = 0; c < ci; c++) {
                            n.y[i] += (double) x[at + c] * w[wt + c];
                            n.dx[at + c] += (double) dy[i] * w[wt + c];
                            n.dw[wt + c] += (double) dy[i] * x[at + c];
                        }
                    }
                }
            }
            return n;
        }
    }

    private static final int OFFSET = 3;
    private static final float UNTOUCHED = 77;

    /** A result at an offset in a larger array: what lies around it must not change. */
    private static float[] inner(float[] result, int size) {
        assertThat(result[OFFSET - 1]).isEqualTo(UNTOUCHED);
        assertThat(result[OFFSET + size]).isEqualTo(UNTOUCHED);
        return Arrays.copyOfRange(result, OFFSET, OFFSET + size);
    }

    private static float[] target(int size) {
        float[] t = new float[size + 2 * OFFSET];
        Arrays.fill(t, UNTOUCHED);
        return t;
    }

    @ParameterizedTest
    @MethodSource("geometries")
    void agreesWithTheDefinition(ConvGeometry g) {
        float[] x = KernelChecks.random(1, OFFSET + g.inSize());
        float[] w = KernelChecks.random(2, OFFSET + g.weightSize());
        float[] dy = KernelChecks.random(3, OFFSET + g.outSize());
        float[] bias = KernelChecks.random(4, g.outC() + 1);
        float[] residual = KernelChecks.random(5, g.outSize() + 2);
        Naive n = Naive.of(g, Arrays.copyOfRange(x, OFFSET, x.length), Arrays.copyOfRange(w, OFFSET, w.length),
                Arrays.copyOfRange(dy, OFFSET, dy.length));
        double[] fused = new double[g.outSize()];
        for (int i = 0; i < fused.length; i++) {
            fused[i] = Math.max(0, n.y[i] + bias[1 + i % g.outC()] + residual[2 + i]);
        }
        boolean winograd = Winograd.pays(g, false) || Winograd.pays(g, true);
        double tolerance = winograd ? WINOGRAD_TOLERANCE : TOLERANCE;
        Epilogue e = Epilogue.bias(bias, 1).residual(residual, 2, g.outC()).activation(Activation.RELU);
        compare("y", n.y, tolerance, () -> {
            float[] y = target(g.outSize());
            Convolution.forward(g, x, OFFSET, w, OFFSET, y, OFFSET, Epilogue.NONE);
            return inner(y, g.outSize());
        });
        compare("y with epilogue, packed weights", fused, tolerance, () -> {
            float[] y = target(g.outSize());
            PackedWeights packed = Convolution.packForward(g, w, OFFSET);
            Convolution.forward(g, x, OFFSET, packed, y, OFFSET, e);
            return inner(y, g.outSize());
        });
        float[] high = KernelChecks.random(6, g.outC() + 1);
        double[] clamped = new double[g.outSize()];
        for (int i = 0; i < high.length; i++) {
            high[i] *= 9;
        }
        for (int i = 0; i < clamped.length; i++) {
            clamped[i] = Math.clamp(n.y[i] + high[1 + i % g.outC()], 0, 6);
        }
        compare("y with bias and ReLU6", clamped, 2e-5, () -> { // large sums may leave little of themselves
            float[] y = target(g.outSize());
            Convolution.forward(g, x, OFFSET, w, OFFSET, y, OFFSET, Epilogue.bias(high, 1).activation(Activation.RELU6));
            return inner(y, g.outSize());
        });
        compare("dx", n.dx, tolerance, () -> {
            float[] dx = target(g.inSize());
            Convolution.backwardData(g, dy, OFFSET, w, OFFSET, dx, OFFSET);
            return inner(dx, g.inSize());
        });
        compare("dx, packed weights", n.dx, tolerance, () -> {
            float[] dx = target(g.inSize());
            Convolution.backwardData(g, dy, OFFSET, Convolution.packBackwardData(g, w, OFFSET), dx, OFFSET);
            return inner(dx, g.inSize());
        });
        compare("dw", n.dw, WinogradWeightGradient.pays(g) ? WINOGRAD_TOLERANCE : TOLERANCE, () -> {
            float[] dw = target(g.weightSize());
            Convolution.backwardWeights(g, x, OFFSET, dy, OFFSET, dw, OFFSET);
            return inner(dw, g.weightSize());
        });
    }

    private static void compare(String what, double[] expected, double tolerance, Supplier<float[]> kernel) {
        for (float[] found : KernelChecks.onEveryProvider(kernel)) {
            double error = tolerance == TOLERANCE ? KernelChecks.relativeError(found, expected)
                    : KernelChecks.relativeNorm(found, expected);
            assertThat(error).as(what).isLessThan(tolerance);
        }
    }

    /** More tiles than fit the working memory; the direct convolution, tested above, is the judge. */
    @Test
    void winogradInSeveralRoundsAgreesWithTheDirectSum() {
        ConvGeometry g = ConvGeometry.of(41, 16, 16, 136, 136, 3, 3, 1, 1);
        MicroKernels mk = CpuFeatures.kernels();
        float[] x = KernelChecks.random(1, g.inSize());
        float[] w = KernelChecks.random(2, g.weightSize());
        float[] dy = KernelChecks.random(3, g.outSize());
        float[] packed = new float[Alignment.FIRST + (int) DirectConvolution.forwardSize(mk, g)];
        float[] y = new float[g.outSize()];
        DirectConvolution.packForward(mk, g, w, 0, packed);
        DirectConvolution.forward(mk, g, x, 0, packed, y, 0, Epilogue.NONE);
        float[] found = new float[g.outSize()];
        Convolution.forward(g, x, 0, w, 0, found, 0, Epilogue.NONE);
        assertThat(found).isNotEqualTo(y); // another algorithm, not the same one twice
        assertThat(KernelChecks.relativeNorm(found, doubles(y))).isLessThan(WINOGRAD_TOLERANCE);
        float[] dw = new float[g.weightSize()];
        DirectConvolution.backwardWeights(mk, g, x, 0, dy, 0, dw, 0);
        float[] dwFound = new float[g.weightSize()];
        Convolution.backwardWeights(g, x, 0, dy, 0, dwFound, 0);
        assertThat(dwFound).isNotEqualTo(dw);
        assertThat(KernelChecks.relativeNorm(dwFound, doubles(dw))).isLessThan(WINOGRAD_TOLERANCE);
    }

    /** A batch that no cache holds is read in another order; image by image it is the order that is tested above. */
    @Test
    void aLargeBatchOfDepthwiseImagesHasTheBitsOfItsImages() {
        assumeTrue(CpuFeatures.kernels().vectors(), "plain loops have no such order");
        int batch = 35;
        ConvGeometry all = ConvGeometry.of(batch, 75, 74, 67, 67, 3, 3, 2, 1).withGroups(67);
        ConvGeometry one = ConvGeometry.of(1, 75, 74, 67, 67, 3, 3, 2, 1).withGroups(67);
        assertThat((long) all.inSize()).isGreaterThan(SlidingDepthwise.FAR);
        float[] x = KernelChecks.random(1, all.inSize());
        float[] w = KernelChecks.random(2, all.weightSize());
        float[] bias = KernelChecks.random(3, 67);
        float[] residual = KernelChecks.random(4, all.outSize());
        float[] y = new float[all.outSize()];
        Epilogue e = Epilogue.bias(bias, 0).activation(Activation.RELU6);
        Convolution.forward(all, x, 0, w, 0, y, 0, e.residual(residual, 0, 67));
        float[] found = new float[all.outSize()];
        for (int i = 0; i < batch; i++) {
            Convolution.forward(one, x, i * one.inSize(), w, 0, found, i * one.outSize(),
                    e.residual(residual, i * one.outSize(), 67));
        }
        assertThat(y).isEqualTo(found).doesNotContain(Float.NaN);
    }

    /** Norm of the error over the norm of the sums in double precision: forward, data gradient, weight gradient. */
    private static double[] errors(ConvGeometry g) {
        float[] x = KernelChecks.random(1, g.inSize());
        float[] w = KernelChecks.random(2, g.weightSize());
        float[] dy = KernelChecks.random(3, g.outSize());
        Naive n = Naive.of(g, x, w, dy);
        float[] y = new float[g.outSize()], dx = new float[g.inSize()], dw = new float[g.weightSize()];
        Convolution.forward(g, x, 0, w, 0, y, 0, Epilogue.NONE);
        Convolution.backwardData(g, dy, 0, w, 0, dx, 0);
        Convolution.backwardWeights(g, x, 0, dy, 0, dw, 0);
        return new double[] {KernelChecks.relativeNorm(y, n.y), KernelChecks.relativeNorm(dx, n.dx),
            KernelChecks.relativeNorm(dw, n.dw)};
    }

    /** Deep sums and all kinds of tiles; precise numerics sum directly, with a tenth of the error. */
    @Test
    void winogradsErrorIsBoundedAndCanBeAvoided() {
        for (int[] s : new int[][] {{3, 7, 7, 512, 128}, {1, 28, 28, 64, 96}, {2, 14, 14, 256, 64}}) {
            ConvGeometry g = ConvGeometry.of(s[0], s[1], s[2], s[3], s[4], 3, 3, 1, 1);
            assertThat(Winograd.pays(g, false) && Winograd.pays(g, true) && WinogradWeightGradient.pays(g)).isTrue();
            Context precise = Context.current().withNumerics(Numerics.DEFAULT.withPrecise(true));
            assertThat(precise.call(() -> Winograd.possible(g))).isFalse();
            double[] found = errors(g);
            double[] direct = precise.call(() -> errors(g));
            for (int i = 0; i < 3; i++) {
                assertThat(found[i]).isBetween(1e-7, WINOGRAD_TOLERANCE);
                assertThat(direct[i]).isLessThan(1e-6);
                assertThat(direct[i]).isLessThan(found[i]);
            }
        }
    }

    static Stream<ConvGeometry> everyAlgorithm() {
        return Stream.of(ConvGeometry.of(3, 14, 14, 200, 136, 3, 3, 1, 1), ConvGeometry.of(9, 7, 7, 136, 200, 3, 3, 1, 1),
                ConvGeometry.of(4, 24, 22, 64, 64, 3, 3, 1, 1), ConvGeometry.of(2, 30, 29, 3, 64, 7, 7, 2, 3),
                ConvGeometry.of(2, 15, 15, 64, 96, 3, 3, 2, 1), ConvGeometry.of(2, 15, 15, 64, 64, 3, 3, 1, 1).withGroups(4),
                ConvGeometry.of(2, 15, 15, 64, 64, 3, 3, 1, 1).withGroups(64), ConvGeometry.of(2, 9, 9, 64, 96, 1, 1, 1, 0),
                ConvGeometry.of(2, 14, 14, 64, 256, 3, 3, 2, 1), ConvGeometry.of(8, 17, 17, 48, 64, 1, 1, 1, 0));
    }

    /** Infinity in one pixel and in one gradient: what does not read it stays finite, whatever the working memory held. */
    @ParameterizedTest
    @MethodSource("everyAlgorithm")
    void infinityReachesOnlyWhatReadsIt(ConvGeometry g) {
        assumeFalse(Winograd.pays(g, false) || WinogradWeightGradient.pays(g) || g.groups() > 1, "sums of whole tiles");
        float[] x = KernelChecks.random(1, g.inSize());
        float[] w = KernelChecks.random(2, g.weightSize());
        float[] dy = KernelChecks.random(3, g.outSize());
        x[g.inC() * (g.inW() + 1)] = Float.POSITIVE_INFINITY;
        dy[g.outSize() / 2] = Float.NEGATIVE_INFINITY;
        try (Scratch s = Scratch.take(1 << 20)) {
            Arrays.fill(s.data, Float.NaN);
        }
        Naive n = Naive.of(g, x, w, dy);
        sameFinite("y", n.y, out -> Convolution.forward(g, x, 0, w, 0, out, 0, Epilogue.NONE));
        if (g.padTop() == 0) { // a gradient that is infinite times the zeros of the padding is not a number
            sameFinite("dw", n.dw, out -> Convolution.backwardWeights(g, x, 0, dy, 0, out, 0));
        }
        sameFinite("dx", n.dx, out -> Convolution.backwardData(g, dy, 0, w, 0, out, 0));
    }

    private static void sameFinite(String what, double[] expected, Consumer<float[]> kernel) {
        float[] found = new float[expected.length];
        kernel.accept(found);
        for (int i = 0; i < found.length; i++) {
            assertThat(Float.isFinite(found[i])).as(what + " " + i).isEqualTo(Double.isFinite(expected[i]));
        }
    }

    /** Neither the number of threads nor whether weights are kept may change a bit. */
    @ParameterizedTest
    @MethodSource("everyAlgorithm")
    void sameBitsOnEveryNumberOfThreadsAndWithKeptWeights(ConvGeometry g) {
        float[] x = KernelChecks.random(1, g.inSize());
        float[] w = KernelChecks.random(2, g.weightSize());
        float[] dy = KernelChecks.random(3, g.outSize());
        int threads = WorkerPool.shared().threads();
        List<float[]> first = null;
        try {
            for (int n : new int[] {1, 2, 5}) {
                WorkerPool.setThreads(n);
                float[] y = new float[g.outSize()], kept = new float[g.outSize()];
                float[] dx = new float[g.inSize()], dxKept = new float[g.inSize()];
                float[] dw = new float[g.weightSize()];
                Convolution.forward(g, x, 0, w, 0, y, 0, Epilogue.NONE);
                Convolution.forward(g, x, 0, Convolution.packForward(g, w, 0), kept, 0, Epilogue.NONE);
                Convolution.backwardData(g, dy, 0, w, 0, dx, 0);
                Convolution.backwardData(g, dy, 0, Convolution.packBackwardData(g, w, 0), dxKept, 0);
                Convolution.backwardWeights(g, x, 0, dy, 0, dw, 0);
                assertThat(kept).as("kept weights").isEqualTo(y);
                assertThat(dxKept).as("kept weights, data gradient").isEqualTo(dx);
                List<float[]> all = List.of(y, dx, dw);
                first = first == null ? all : first;
                for (int i = 0; i < all.size(); i++) {
                    assertThat(all.get(i)).as("result " + i + " on " + n + " threads").isEqualTo(first.get(i));
                }
            }
        } finally {
            WorkerPool.setThreads(threads);
        }
    }

    private static double[] doubles(float[] x) {
        double[] d = new double[x.length];
        Arrays.setAll(d, i -> x[i]);
        return d;
    }

    @Test
    void packedWeightsFitOtherBatchesAndImagesOnly() {
        ConvGeometry g = ConvGeometry.of(1, 8, 8, 16, 16, 3, 3, 1, 1);
        PackedWeights packed = Convolution.packForward(g, KernelChecks.random(1, g.weightSize()), 0);
        assertThat(packed.bytes()).isGreaterThanOrEqualTo(4L * g.weightSize());
        ConvGeometry larger = ConvGeometry.of(2, 11, 5, 16, 16, 3, 3, 1, 1);
        Convolution.forward(larger, new float[larger.inSize()], 0, packed, new float[larger.outSize()], 0, Epilogue.NONE);
        ConvGeometry strided = ConvGeometry.of(1, 8, 8, 16, 16, 3, 3, 2, 1);
        float[] x = new float[4096];
        assertThatThrownBy(() -> Convolution.forward(strided, x, 0, packed, x, 0, Epilogue.NONE))
                .isInstanceOf(GraftException.class).hasMessageContaining("packed weights");
        assertThatThrownBy(() -> Convolution.backwardData(g, x, 0, packed, x, 0))
                .isInstanceOf(GraftException.class).hasMessageContaining("data gradient");
    }

    @Test
    void impossibleGeometriesAreRefused() {
        assertThatThrownBy(() -> ConvGeometry.of(1, 4, 4, 3, 8, 7, 7, 1, 1)).isInstanceOf(GraftException.class)
                .hasMessageContaining("larger than the padded image");
        assertThatThrownBy(() -> ConvGeometry.of(1, 4, 4, 6, 8, 3, 3, 1, 1).withGroups(4)).isInstanceOf(GraftException.class)
                .hasMessageContaining("4 groups must divide");
        assertThatThrownBy(() -> ConvGeometry.of(70_000, 224, 224, 3, 8, 3, 3, 1, 1)).isInstanceOf(GraftException.class)
                .hasMessageContaining("smaller batch");
        ConvGeometry g = ConvGeometry.of(1, 4, 4, 3, 8, 3, 3, 1, 1);
        assertThatThrownBy(() ->
                Convolution.forward(g, new float[47], 0, new float[216], 0, new float[128], 0, Epilogue.NONE))
                .isInstanceOf(GraftException.class).hasMessageContaining("x needs 48 values");
    }

    @Test
    void severalThreadsMayCallAtTheSameTime() throws Exception {
        ConvGeometry g = ConvGeometry.of(2, 20, 20, 32, 32, 3, 3, 1, 1);
        float[] x = KernelChecks.random(1, g.inSize());
        float[] w = KernelChecks.random(2, g.weightSize());
        float[] expected = new float[g.outSize()];
        Convolution.forward(g, x, 0, w, 0, expected, 0, Epilogue.NONE);
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 4; i++) {
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    for (int round = 0; round < 20; round++) {
                        float[] y = new float[g.outSize()];
                        Convolution.forward(g, x, 0, w, 0, y, 0, Epilogue.NONE);
                        assertThat(y).isEqualTo(expected);
                    }
                } catch (Throwable t) {
                    failures.add(t);
                }
            }));
        }
        for (Thread t : threads) {
            t.join();
        }
        assertThat(failures).isEmpty();
    }
}
