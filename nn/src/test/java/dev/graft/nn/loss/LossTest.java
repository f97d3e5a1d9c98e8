package dev.graft.nn.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.GradCheck;
import dev.graft.nn.Samples;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class LossTest {
    private final Tensor x = Samples.doubles(1, 4, 3);
    private final Tensor y = Samples.doubles(2, 4, 3);

    private static void equal(Tensor loss, double expected) {
        assertThat(loss.rank()).isZero();
        assertThat(loss.item()).isCloseTo(expected, within(1e-9 * Math.max(1, Math.abs(expected))));
    }

    /** −log softmax, from its definition. */
    private double nll(int row, int c) {
        double sum = 0;
        for (int j = 0; j < 3; j++) {
            sum += Math.exp(x.get(row, j));
        }
        return Math.log(sum) - x.get(row, c);
    }

    @Test
    void crossEntropyIsTheMeanOfTheTrueClasses() {
        int[] t = {2, 0, 1, 1};
        double sum = 0;
        for (int i = 0; i < 4; i++) {
            sum += nll(i, t[i]);
        }
        equal(new CrossEntropy().of(x, Tensor.of(t, 4)), sum / 4);
        equal(new CrossEntropy().of(x, Tensor.of(t, 4).cast(DType.I64)), sum / 4);
        equal(new CrossEntropy().of(x, Tensor.of(t, 4).cast(DType.U8)), sum / 4);
        equal(new CrossEntropy().reduction(Reduction.SUM).of(x, Tensor.of(t, 4)), sum);
        equal(new CrossEntropy().of(x.reshape(2, 2, 3), Tensor.of(t, 2, 2)), sum / 4);
        equal(new CrossEntropy().of(x.row(0), Tensor.of(new int[] {2})), nll(0, 2));
        assertThat(new CrossEntropy().reduction(Reduction.NONE).of(x.reshape(2, 2, 3), Tensor.of(t, 2, 2)).get(1, 0))
                .isCloseTo(nll(2, 1), within(1e-9));
    }

    @Test
    void weightsIgnoredRowsAndSmoothingFollowPyTorch() {
        int[] t = {2, 255, 1, 1};
        double[] w = {0.5, 2, 3};
        double eps = 0.2;
        double plain = 0;
        double smooth = 0;
        double weight = 0;
        for (int i : new int[] {0, 2, 3}) {
            plain += w[t[i]] * nll(i, t[i]);
            for (int c = 0; c < 3; c++) {
                smooth += w[c] * nll(i, c);
            }
            weight += w[t[i]];
        }
        Tensor target = Tensor.of(t, 4);
        CrossEntropy loss = new CrossEntropy().classWeights(w).ignoreIndex(255);
        equal(loss.of(x, target), plain / weight);
        equal(loss.labelSmoothing(eps).of(x, target), ((1 - eps) * plain + eps / 3 * smooth) / weight);
        equal(loss.labelSmoothing(eps).reduction(Reduction.SUM).of(x, target), (1 - eps) * plain + eps / 3 * smooth);
        assertThat(loss.reduction(Reduction.NONE).of(x, target).get(1)).isZero();
        assertThat(new CrossEntropy().ignoreIndex(1).of(x, Tensor.of(new int[] {1, 1, 1, 1}, 4)).item()).isNaN();
    }

    /** Values that PyTorch 2's documentation formulas give, worked out by hand for two classes. */
    @Test
    void aHandComputedCase() {
        Tensor logits = Tensor.of(new double[] {0, Math.log(3)}, 1, 2);      // probabilities 1/4, 3/4
        equal(new CrossEntropy().of(logits, Tensor.of(new int[] {0}, 1)), Math.log(4));
        equal(new CrossEntropy().labelSmoothing(0.5).of(logits, Tensor.of(new int[] {0}, 1)),
                0.75 * Math.log(4) + 0.25 * Math.log(4.0 / 3));
        equal(new CrossEntropy().of(logits, Tensor.of(new double[] {0.5, 0.5}, 1, 2)),
                0.5 * Math.log(4) + 0.5 * Math.log(4.0 / 3));
    }

    @Test
    void softTargetsAreAveragedOverRows() {
        Tensor p = Samples.doubles(3, 4, 3).softmax();
        double[] w = {0.5, 2, 3};
        double plain = 0;
        double smoothed = 0;
        for (int i = 0; i < 4; i++) {
            for (int c = 0; c < 3; c++) {
                plain += p.get(i, c) * nll(i, c) / 4;
                smoothed += w[c] * (0.9 * p.get(i, c) + 0.1 / 3) * nll(i, c) / 4;
            }
        }
        equal(new CrossEntropy().of(x, p), plain);
        equal(new CrossEntropy().labelSmoothing(0.1).classWeights(w).of(x, p), smoothed);
    }

    @Test
    void hugeLogitsStayFinite() {
        Tensor big = Tensor.of(new float[] {1e4f, -1e4f}, 1, 2);
        assertThat(new CrossEntropy().of(big, Tensor.of(new int[] {1}, 1)).item()).isCloseTo(2e4, within(1e-2));
        assertThat(new BceWithLogits().of(big, Tensor.of(new float[] {0, 1}, 1, 2)).item()).isCloseTo(1e4, within(1e-2));
    }

    @Test
    void binaryCrossEntropyIsThatOfTheSigmoid() {
        Tensor t = Samples.doubles(4, 4, 3).sigmoid();
        double plain = 0;
        double weighted = 0;
        double[] w = {1, 2, 0.5};
        for (int i = 0; i < 4; i++) {
            for (int c = 0; c < 3; c++) {
                double s = 1 / (1 + Math.exp(-x.get(i, c)));
                plain -= (t.get(i, c) * Math.log(s) + (1 - t.get(i, c)) * Math.log(1 - s)) / 12;
                weighted -= (w[c] * t.get(i, c) * Math.log(s) + (1 - t.get(i, c)) * Math.log(1 - s)) / 12;
            }
        }
        equal(new BceWithLogits().of(x, t), plain);
        equal(new BceWithLogits().posWeight(w).of(x, t), weighted);
    }

    @Test
    void distances() {
        double square = 0;
        double absolute = 0;
        double smooth = 0;
        for (int i = 0; i < 12; i++) {
            double d = Math.abs(x.get(i / 3, i % 3) - y.get(i / 3, i % 3));
            square += d * d;
            absolute += d;
            smooth += d < 0.7 ? d * d / 1.4 : d - 0.35;
        }
        equal(new Mse().of(x, y), square / 12);
        equal(new Mse(Reduction.SUM).of(x, y), square);
        equal(new Mse(Reduction.BATCH_MEAN).of(x, y), square / 4);
        equal(new L1().of(x, y), absolute / 12);
        equal(new SmoothL1(0.7).of(x, y), smooth / 12);
        assertThat(new L1(Reduction.NONE).of(x, y).shape()).isEqualTo(x.shape());
    }

    @Test
    void divergenceOfDistributions() {
        Tensor p = Tensor.of(new double[] {0.5, 0.5, 0, 0.2, 0.3, 0.5}, 2, 3);
        Tensor q = Tensor.of(new double[] {0.25, 0.5, 0.25, 0.6, 0.2, 0.2}, 2, 3);
        double d = 0.5 * Math.log(2) + 0.2 * Math.log(0.2 / 0.6) + 0.3 * Math.log(1.5) + 0.5 * Math.log(2.5);
        equal(new KlDiv().of(q.log(), p), d / 2);
        equal(new KlDiv(true, Reduction.SUM).of(q.log(), p.add(1e-300).log()), d);
        equal(new KlDiv(false, Reduction.MEAN).of(q.log(), p), d / 6);
    }

    @Test
    void gradientsByThePrediction() {
        Tensor t = Tensor.of(new int[] {2, 0, -100, 1}, 4);
        Tensor p = Samples.doubles(5, 4, 3).softmax();
        for (Loss l : List.of(new CrossEntropy(), new CrossEntropy().labelSmoothing(0.1).classWeights(1, 2, 3),
                new CrossEntropy().reduction(Reduction.NONE))) {
            GradCheck.of(in -> l.of(in[0], t), x).checkTwice();
            GradCheck.of(in -> l.of(in[0], in[1]), x, p).check();
        }
        for (Loss l : List.of(new BceWithLogits().posWeight(1, 2, 3), new Mse(), new L1(), new SmoothL1(0.5))) {
            GradCheck.of(in -> l.of(in[0], in[1]), x, p).check();
        }
        GradCheck.of(in -> new KlDiv().of(in[0].logSoftmax(), in[1]), x, p).checkTwice();
        GradCheck.of(in -> new KlDiv(true, Reduction.MEAN).of(in[0].logSoftmax(), in[1].logSoftmax()), x, y).check();
    }

    @Test
    void targetsThatDoNotFitAreNamed() {
        assertThatThrownBy(() -> new CrossEntropy().of(x, Tensor.of(new int[] {1, 2}, 2)))
                .isInstanceOf(GraftException.class).hasMessageContaining("int32[2]").hasMessageContaining("float64[4, 3]");
        assertThatThrownBy(() -> new CrossEntropy().classWeights(1, 2).of(x, Tensor.of(new int[4], 4)))
                .hasMessageContaining("2 class weights for 3 classes");
        assertThatThrownBy(() -> new Mse().of(x, Tensor.of(new double[4], 4, 1))).hasMessageContaining("[4, 1]");
        assertThatThrownBy(() -> new BceWithLogits().posWeight(1, 2).of(x, x)).hasMessageContaining("2 positive weights");
        assertThatThrownBy(() -> new SmoothL1(0)).hasMessageContaining("beta");
        assertThatThrownBy(() -> new CrossEntropy().of(x, Tensor.of(new int[] {0, 1, 2, 3}, 4)))
                .isInstanceOf(GraftException.class);
    }

    @Test
    void lossesAreValues() {
        assertThat(new CrossEntropy().labelSmoothing(0.1).classWeights(1, 2))
                .isEqualTo(new CrossEntropy().classWeights(1, 2).labelSmoothing(0.1))
                .hasToString("CrossEntropy[labelSmoothing=0.1, classWeights=[1.0, 2.0], ignoreIndex=-100,"
                        + " reduction=MEAN]");
    }
}
