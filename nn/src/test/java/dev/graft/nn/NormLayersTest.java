package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Tensor;
import org.junit.jupiter.api.Test;

class NormLayersTest {
    @Test
    void layerNormWorksOnEachRow() {
        LayerNorm norm = Samples.randomize(new LayerNorm(5, 1e-3), 1);
        Tensor x = Samples.floats(2, 2, 3, 5);
        double[] expected = new double[30];
        for (int row = 0; row < 6; row++) {
            double mean = 0;
            double var = 0;
            for (int i = 0; i < 5; i++) {
                mean += x.get(row / 3, row % 3, i) / 5;
            }
            for (int i = 0; i < 5; i++) {
                var += Math.pow(x.get(row / 3, row % 3, i) - mean, 2) / 5;
            }
            for (int i = 0; i < 5; i++) {
                expected[row * 5 + i] = (x.get(row / 3, row % 3, i) - mean) / Math.sqrt(var + 1e-3)
                        * norm.weight().value().get(i) + norm.bias().value().get(i);
            }
        }
        ConvLayersTest.assertClose(norm.call(x), expected);
        Samples.gradients(norm, false, Samples.doubles(3, 2, 3, 5)).checkTwice();
    }

    @Test
    void groupNormWorksOnTheGroupsOfEachImage() {
        GroupNorm norm = Samples.randomize(new GroupNorm(2, 6, 1e-3), 4);
        Tensor x = Samples.floats(5, 2, 3, 2, 6);
        double[] expected = new double[72];
        for (int n = 0; n < 2; n++) {
            for (int g = 0; g < 2; g++) {
                double mean = 0;
                double square = 0;
                for (int p = 0; p < 6; p++) {
                    for (int c = 3 * g; c < 3 * g + 3; c++) {
                        mean += x.get(n, p / 2, p % 2, c) / 18;
                        square += Math.pow(x.get(n, p / 2, p % 2, c), 2) / 18;
                    }
                }
                for (int p = 0; p < 6; p++) {
                    for (int c = 3 * g; c < 3 * g + 3; c++) {
                        expected[(n * 6 + p) * 6 + c] = (x.get(n, p / 2, p % 2, c) - mean)
                                / Math.sqrt(square - mean * mean + 1e-3) * norm.weight().value().get(c)
                                + norm.bias().value().get(c);
                    }
                }
            }
        }
        ConvLayersTest.assertClose(norm.call(x), expected);
        Samples.checkGradients(norm, false, Samples.doubles(6, 2, 2, 2, 6));
        assertThatThrownBy(() -> new GroupNorm(4, 6)).hasMessageContaining("4 groups");
        assertThatThrownBy(() -> norm.call(Tensor.zeros(2, 3, 3, 5))).hasMessageContaining("[N, ..., 6]");
    }
}
