package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ConvLayersTest {
    record Case(int h, int w, int in, int out, int kH, int kW, ConvSpec spec) {}

    static List<Case> cases() {
        ConvSpec d = ConvSpec.DEFAULT;
        return List.of(
                new Case(5, 7, 3, 4, 3, 3, d),
                new Case(6, 5, 2, 3, 3, 2, d.stride(2).padding(1)),
                new Case(7, 7, 4, 6, 3, 3, d.groups(2).dilation(2).padding(Padding.of(2, 1)).bias(false)),
                new Case(6, 6, 4, 8, 3, 3, d.groups(4).padding(1)),
                new Case(5, 4, 1, 2, 2, 2, d.padding(Padding.of(0, 1, 2, 3))),
                new Case(6, 6, 2, 2, 4, 3, d.padding(Padding.SAME)),
                new Case(7, 7, 2, 2, 3, 2, d.padding(Padding.SAME).dilation(1, 3)),
                new Case(8, 7, 2, 3, 3, 3, d.stride(2).padding(Padding.TF_SAME)),
                new Case(9, 10, 2, 3, 5, 2, d.stride(3, 2).padding(Padding.TF_SAME)),
                new Case(4, 4, 2, 3, 1, 1, d.stride(3).padding(Padding.TF_SAME)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void convolutionIsTheSumOverItsWindow(Case c) {
        Conv2d conv = Samples.randomize(new Conv2d(c.in, c.out, c.kH, c.kW, c.spec), 1);
        Tensor x = Samples.floats(2, 2, c.h, c.w, c.in);
        assertClose(conv.call(x), naive(c, x, conv));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void convolutionHasTheGradientOfItsFunction(Case c) {
        Samples.checkGradients(new Conv2d(c.in, c.out, c.kH, c.kW, c.spec), false, Samples.doubles(3, 2, c.h, c.w, c.in));
    }

    private static double[] naive(Case c, Tensor x, Conv2d conv) {
        ConvSpec s = c.spec;
        int top = before(s.padding(), true, c.h, c.kH, s.strideH(), s.dilationH());
        int left = before(s.padding(), false, c.w, c.kW, s.strideW(), s.dilationW());
        Tensor y = conv.call(x);
        int perGroup = c.in / s.groups();
        double[] out = new double[(int) y.size()];
        int at = 0;
        for (int n = 0; n < y.dim(0); n++) {
            for (int i = 0; i < y.dim(1); i++) {
                for (int j = 0; j < y.dim(2); j++) {
                    for (int o = 0; o < c.out; o++, at++) {
                        double sum = s.bias() ? conv.bias().value().get(o) : 0;
                        int group = o / (c.out / s.groups());
                        for (int a = 0; a < c.kH; a++) {
                            for (int b = 0; b < c.kW; b++) {
                                int p = i * s.strideH() + a * s.dilationH() - top;
                                int q = j * s.strideW() + b * s.dilationW() - left;
                                for (int k = 0; k < perGroup && p >= 0 && p < c.h && q >= 0 && q < c.w; k++) {
                                    sum += x.get(n, p, q, group * perGroup + k) * conv.weight().value().get(o, a, b, k);
                                }
                            }
                        }
                        out[at] = sum;
                    }
                }
            }
        }
        return out;
    }

    /** Leading padding by the documentation of PyTorch ("same": total // 2 first) and of TensorFlow. */
    private static int before(Padding p, boolean rows, int size, int k, int stride, int dilation) {
        int reach = (k - 1) * dilation;
        if (p instanceof Padding.Explicit e) {
            return rows ? e.top() : e.left();
        }
        if (p == Padding.SAME) {
            return reach / 2;
        }
        int total = size % stride == 0 ? Math.max(reach + 1 - stride, 0) : Math.max(reach + 1 - size % stride, 0);
        return total / 2;
    }

    @Test
    void samePaddingKeepsOrDividesTheSize() {
        Tensor x = Tensor.zeros(1, 7, 8, 1);
        assertThat(new Conv2d(1, 1, 4, ConvSpec.DEFAULT.padding(Padding.SAME)).call(x).shape().dims())
                .containsExactly(1, 7, 8, 1);
        assertThat(new Conv2d(1, 1, 3, ConvSpec.DEFAULT.stride(2).padding(Padding.TF_SAME)).call(x).shape().dims())
                .containsExactly(1, 4, 4, 1);
    }

    @Test
    void tensorFlowPadsAnEvenImageAtItsEndOnly() {
        Conv2d conv = new Conv2d(1, 1, 3, ConvSpec.DEFAULT.stride(2).padding(Padding.TF_SAME).bias(false));
        conv.weight().assign(Tensor.of(new float[] {1, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 3, 3, 1));
        Tensor x = Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 1, 4, 4, 1);
        assertThat(conv.call(x).toFloats()).containsExactly(1, 3, 9, 11);
    }

    @Test
    void oneDimensionalConvolutionWalksTheLength() {
        Conv1d conv = Samples.randomize(new Conv1d(4, 6, 3,
                ConvSpec.DEFAULT.stride(2).padding(2).dilation(2).groups(2)), 4);
        Tensor x = Samples.floats(5, 2, 9, 4);
        Tensor y = conv.call(x);
        assertThat(y.shape().dims()).containsExactly(2, 5, 6);
        double[] expected = new double[60];
        for (int n = 0, at = 0; n < 2; n++) {
            for (int i = 0; i < 5; i++) {
                for (int o = 0; o < 6; o++, at++) {
                    expected[at] = conv.bias().value().get(o);
                    for (int k = 0; k < 3; k++) {
                        int p = 2 * i + 2 * k - 2;
                        for (int c = 0; c < 2 && p >= 0 && p < 9; c++) {
                            expected[at] += x.get(n, p, o / 3 * 2 + c) * conv.weight().value().get(o, 0, k, c);
                        }
                    }
                }
            }
        }
        assertClose(y, expected);
        Samples.checkGradients(conv, false, Samples.doubles(6, 2, 9, 4));
    }

    @Test
    void transposedConvolutionSpreadsEveryPixel() {
        ConvSpec spec = ConvSpec.DEFAULT.stride(3, 2).padding(Padding.of(1, 0, 2, 1)).dilation(1, 2).groups(2);
        ConvTranspose2d conv = Samples.randomize(new ConvTranspose2d(4, 6, 3, 2, 1, spec), 7);
        Tensor x = Samples.floats(8, 2, 3, 4, 4);
        int ho = 2 * 3 - 1 + 2 + 1 + 1;
        int wo = 3 * 2 - 3 + 2 + 1 + 1;
        double[] expected = new double[2 * ho * wo * 6];
        for (int at = 0; at < expected.length; at++) {
            expected[at] = conv.bias().value().get(at % 6);
        }
        for (int n = 0; n < 2; n++) {
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 4; j++) {
                    for (int c = 0; c < 4; c++) {
                        for (int a = 0; a < 3; a++) {
                            for (int b = 0; b < 2; b++) {
                                int p = 3 * i + a - 1;
                                int q = 2 * j + 2 * b - 2;
                                for (int k = 0; k < 3 && p >= 0 && p < ho && q >= 0 && q < wo; k++) {
                                    expected[((n * ho + p) * wo + q) * 6 + c / 2 * 3 + k] +=
                                            x.get(n, i, j, c) * conv.weight().value().get(c, a, b, k);
                                }
                            }
                        }
                    }
                }
            }
        }
        Tensor y = conv.call(x);
        assertThat(y.shape().dims()).containsExactly(2, ho, wo, 6);
        assertClose(y, expected);
        Samples.checkGradients(conv, false, Samples.doubles(9, 1, 3, 2, 4));
    }

    @Test
    void wrongNumbersAreRefusedWithTheReason() {
        assertThatThrownBy(() -> new Conv2d(3, 4, 3, ConvSpec.DEFAULT.groups(2))).isInstanceOf(GraftException.class)
                .hasMessageContaining("3 to 4 channels").hasMessageContaining("2 groups");
        assertThatThrownBy(() -> ConvSpec.DEFAULT.padding(Padding.SAME).stride(2)).hasMessageContaining("TF_SAME");
        assertThatThrownBy(() -> new ConvTranspose2d(1, 1, 3, 3, 2, ConvSpec.DEFAULT.stride(2)))
                .hasMessageContaining("output padding 2");
        assertThatThrownBy(() -> new Conv2d(3, 4, 3, ConvSpec.DEFAULT).call(Tensor.zeros(1, 8, 8, 4)))
                .hasMessageContaining("4 channels");
        assertThatThrownBy(() -> new Conv2d(3, 4, 3, ConvSpec.DEFAULT).call(Tensor.zeros(8, 8, 3)))
                .hasMessageContaining("[N, H, W, C]");
    }

    @Test
    void biasesBeginInPyTorchsRange() {
        double[] b = new Conv2d(4, 64, 3, ConvSpec.DEFAULT).bias().value().toDoubles();
        double bound = 1 / Math.sqrt(36);
        assertThat(Arrays.stream(b).map(Math::abs).max().orElseThrow()).isBetween(0.8 * bound, bound);
        assertThat(new Conv2d(4, 8, 3, ConvSpec.DEFAULT.init(Init.kaimingNormal())).bias().value().toFloats())
                .containsOnly(0);
    }

    static void assertClose(Tensor y, double[] expected) {
        double[] v = y.toDoubles();
        assertThat(v).hasSameSizeAs(expected);
        for (int i = 0; i < v.length; i++) {
            assertThat(v[i]).as("element " + i).isCloseTo(expected[i], within(1e-5 * Math.max(1, Math.abs(expected[i]))));
        }
    }
}
