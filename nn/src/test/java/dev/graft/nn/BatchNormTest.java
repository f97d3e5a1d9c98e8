package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.Checkpoint;
import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.tensor.Autocast;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import org.junit.jupiter.api.Test;

class BatchNormTest {
    private final BatchNorm2d bn = Samples.randomize(new BatchNorm2d(3, 1e-3, 0.2), 1);
    private final Tensor x = Samples.floats(2, 4, 2, 5, 3).mul(2).add(1);

    /** Mean and biased variance of channel c. */
    private double[] statistics(int c) {
        double[] v = x.toDoubles();
        int n = v.length / 3;
        double mean = 0;
        double var = 0;
        for (int i = 0; i < n; i++) {
            mean += v[3 * i + c] / n;
        }
        for (int i = 0; i < n; i++) {
            var += (v[3 * i + c] - mean) * (v[3 * i + c] - mean) / n;
        }
        return new double[] {mean, var, n};
    }

    @Test
    void trainingNormalisesByTheBatchAndMovesTheRunningStatistics() {
        double[] oldMean = bn.runningMean().value().toDoubles();
        double[] oldVar = bn.runningVar().value().toDoubles();
        Tensor y = Samples.training(() -> bn.call(x));
        for (int c = 0; c < 3; c++) {
            double[] s = statistics(c);
            double expected = (x.get(1, 1, 2, c) - s[0]) / Math.sqrt(s[1] + 1e-3) * bn.weight().value().get(c)
                    + bn.bias().value().get(c);
            assertThat(y.get(1, 1, 2, c)).isCloseTo(expected, within(1e-5));
            assertThat(bn.runningMean().value().get(c)).isCloseTo(0.8 * oldMean[c] + 0.2 * s[0], within(1e-6));
            assertThat(bn.runningVar().value().get(c))
                    .isCloseTo(0.8 * oldVar[c] + 0.2 * s[1] * s[2] / (s[2] - 1), within(1e-5));
        }
        assertThat(bn.buffers().get("num_batches_tracked").value().toLongs()).containsExactly(1);
        Samples.training(() -> bn.call(x));
        assertThat(bn.buffers().get("num_batches_tracked").value().toLongs()).containsExactly(2);
    }

    @Test
    void evaluationNormalisesByTheRunningStatisticsAndKeepsThem() {
        double[] mean = bn.runningMean().value().toDoubles();
        double[] var = bn.runningVar().value().toDoubles();
        Tensor y = bn.call(x);
        for (int c = 0; c < 3; c++) {
            double expected = (x.get(3, 0, 4, c) - mean[c]) / Math.sqrt(var[c] + 1e-3) * bn.weight().value().get(c)
                    + bn.bias().value().get(c);
            assertThat(y.get(3, 0, 4, c)).isCloseTo(expected, within(1e-5));
        }
        assertThat(bn.runningMean().value().toDoubles()).containsExactly(mean);
        assertThat(bn.runningVar().value().toDoubles()).containsExactly(var);
    }

    @Test
    void frozenMeansEvaluationWhateverTheCallSays() {
        Sequential net = new Sequential(bn, new Dropout(0.9));
        Tensor evaluated = net.call(x);
        double[] mean = bn.runningMean().value().toDoubles();
        net.freeze(ParamSelector.ALL);
        assertThat(Samples.training(() -> net.call(x)).toFloats()).containsExactly(evaluated.toFloats());
        assertThat(bn.runningMean().value().toDoubles()).containsExactly(mean);
        assertThat(bn.buffers().get("num_batches_tracked").value().toLongs()).containsExactly(0);
    }

    @Test
    void frozenLayersPassGradientsOnToWhatLiesBelow() {
        bn.freeze(ParamSelector.ALL);
        try (Tape tape = new Tape()) {
            Tensor leaf = tape.watch(x);
            Tensor y = tape.record(() -> Samples.training(() -> bn.call(leaf)).sum());
            Gradients g = tape.backward(y);
            assertThat(g.find(bn.weight().value())).isNull();
            double scale = bn.weight().value().get(1) / Math.sqrt(bn.runningVar().value().get(1) + 1e-3);
            assertThat(g.of(leaf).get(2, 1, 3, 1)).isCloseTo(scale, within(1e-5));
        }
    }

    @Test
    void recomputedSegmentsUpdateStatisticsOnce() {
        try (Tape tape = new Tape()) {
            Tensor loss = tape.record(() -> Samples.training(() -> Checkpoint.run(bn::call, x).square().sum()));
            double[] after = bn.runningMean().value().toDoubles();
            assertThat(tape.backward(loss).of(bn.weight().value()).size()).isEqualTo(3);
            assertThat(bn.runningMean().value().toDoubles()).containsExactly(after);
        }
        assertThat(bn.buffers().get("num_batches_tracked").value().toLongs()).containsExactly(1);
    }

    @Test
    void oneValuePerChannelIsNoBatch() {
        assertThatThrownBy(() -> Samples.training(() -> bn.call(Tensor.ones(1, 1, 1, 3))))
                .isInstanceOf(GraftException.class).hasMessageContaining("more than one value per channel")
                .hasMessageContaining("[1, 1, 1, 3]");
        assertThat(bn.call(Tensor.ones(1, 1, 1, 3)).size()).isEqualTo(3);
        assertThatThrownBy(() -> bn.call(Tensor.ones(2, 4))).hasMessageContaining("[N, ..., 3]");
    }

    @Test
    void rowsAndSequencesAreNormalisedToo() {
        Tensor rows = Samples.training(() -> bn.call(x.reshape(40, 3)));
        Tensor sequence = Samples.training(() -> bn.call(x.reshape(4, 10, 3)));
        assertThat(rows.toFloats()).containsExactly(sequence.toFloats());
    }

    @Test
    void gradientsInBothModes() {
        Samples.gradients(new BatchNorm2d(3), true, Samples.doubles(3, 3, 2, 2, 3)).checkTwice();
        Samples.gradients(Samples.randomize(new BatchNorm2d(3), 4), false, Samples.doubles(3, 3, 2, 2, 3)).checkTwice();
    }

    @Test
    void aConstantChannelStaysFinite() {
        Tensor y = Samples.training(() -> bn.call(Tensor.full(5, 4, 3)));
        assertThat(y.get(0, 1)).isCloseTo(bn.bias().value().get(1), within(1e-5));
        assertThat(bn.runningVar().value().get(1)).isFinite().isPositive();
    }

    @Test
    void runningStatisticsNormaliseInFloatUnderAutocast() {
        BatchNorm2d bn = new BatchNorm2d(3);
        bn.runningMean().assign(Tensor.of(new float[] {30.3f, -17.7f, 9.1f}, 3).retain());
        bn.runningVar().assign(Tensor.of(new float[] {0.3f, 0.07f, 0.2f}, 3).retain());
        float[] v = new float[60];
        for (int i = 0; i < v.length; i++) {
            v[i] = new float[] {30.3f, -17.7f, 9.1f}[i % 3] + 0.01f * i - 0.3f;
        }
        Tensor x = Tensor.of(v, 20, 3).cast(DType.BF16);
        Tensor y;
        try (Autocast a = new Autocast(DType.BF16)) {
            y = a.call(() -> bn.call(x));
        }
        assertThat(y.dtype()).isEqualTo(DType.BF16);
        assertThat(y.toFloats()).isEqualTo(bn.call(x.cast(DType.F32)).cast(DType.BF16).toFloats());
    }
}
