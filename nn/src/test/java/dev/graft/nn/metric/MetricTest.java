package dev.graft.nn.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MetricTest {
    @Test
    void accuracyCountsTheLargestScore() {
        Accuracy m = new Accuracy();
        assertThat(m.result().value()).isNaN();
        m.update(Tensor.of(new float[] {1, 2, 3, 1, 0, 0}, 3, 2), Tensor.of(new long[] {1, 1, 0}, 3));
        m.update(Tensor.of(new int[] {4, 5}, 2), Tensor.of(new int[] {4, 4}, 2));
        assertThat(m.result()).isEqualTo(new Accuracy.Result(3, 5));
        assertThat(m.result().value()).isEqualTo(0.6);
        m.reset();
        assertThat(m.result()).isEqualTo(new Accuracy.Result(0, 0));
        assertThatThrownBy(() -> m.update(Tensor.zeros(3, 2), Tensor.of(new int[2], 2)))
                .isInstanceOf(GraftException.class).hasMessageContaining("int32[2]");
    }

    @Test
    void topKLooksAtTheRankOfTheTrueClass() {
        Tensor scores = Tensor.of(new float[] {5, 4, 3, 2, 1, 1, 1, 1, Float.NaN, 0, 0, 0}, 3, 4);
        Tensor target = Tensor.of(new int[] {1, 2, 0}, 3);
        for (int k = 1; k <= 4; k++) {
            TopK m = new TopK(k);
            m.update(scores, target);
            // ranks: 1, 2 (behind two equals), never
            assertThat(m.result()).isEqualTo(new TopK.Result(k, (k > 1 ? 1 : 0) + (k > 2 ? 1 : 0), 3));
        }
        assertThatThrownBy(() -> new TopK(1).update(scores, Tensor.of(new int[] {4, 0, 0}, 3)))
                .hasMessageContaining("class 4");
    }

    @Test
    void topOneIsAccuracy() {
        Random r = new Random(1);
        float[] s = new float[500];
        int[] t = new int[100];
        for (int i = 0; i < s.length; i++) {
            s[i] = r.nextInt(4);
            t[i / 5] = r.nextInt(5);
        }
        Accuracy a = new Accuracy();
        TopK k = new TopK(1);
        a.update(Tensor.of(s, 100, 5), Tensor.of(t, 100));
        k.update(Tensor.of(s, 100, 5), Tensor.of(t, 100));
        assertThat(k.result().correct()).isEqualTo(a.result().correct()).isPositive();
    }

    /** The example of scikit-learn's precision_recall_fscore_support: cat, dog, pig as 0, 1, 2. */
    @Test
    void averagesOfAKnownExample() {
        ConfusionMatrix m = new ConfusionMatrix(4, 9);
        m.update(Tensor.of(new int[] {0, 2, 1}, 3), Tensor.of(new int[] {0, 1, 2}, 3));
        m.update(Tensor.of(new int[] {0, 0, 1, 3}, 4), Tensor.of(new int[] {0, 1, 2, 9}, 4));
        ConfusionMatrix.Result r = m.result();
        assertThat(r.counts()).containsExactly(List.of(2L, 0L, 0L, 0L), List.of(1L, 0L, 1L, 0L), List.of(0L, 2L, 0L, 0L),
                List.of(0L, 0L, 0L, 0L));
        assertThat(r.macro().precision()).isCloseTo(0.2222, within(1e-4));
        assertThat(r.macro().recall()).isCloseTo(0.3333, within(1e-4));
        assertThat(r.macro().f1()).isCloseTo(0.2667, within(1e-4));
        assertThat(r.micro().f1()).isCloseTo(0.3333, within(1e-4));
        assertThat(r.accuracy()).isCloseTo(2 / 6.0, within(1e-12));
        assertThat(r.classes().getFirst())
                .isEqualTo(new ConfusionMatrix.PerClass(2 / 3.0, 1, 0.8, 2 / 3.0, 2, 3));
        assertThat(r.classes().get(3)).isEqualTo(new ConfusionMatrix.PerClass(0, 0, 0, 0, 0, 0));
        assertThat(r.micro().iou()).isCloseTo(2 / 10.0, within(1e-12));
        m.reset();
        assertThat(m.result().accuracy()).isZero();
        assertThatThrownBy(() -> m.update(Tensor.of(new int[] {7}, 1), Tensor.of(new int[] {0}, 1)))
                .hasMessageContaining("prediction 7");
    }
}
