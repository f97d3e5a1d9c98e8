package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.Tape;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.UnaryFn;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SimpleLayersTest {
    @Test
    void linearIsAMatrixAndAVector() {
        Linear layer = new Linear(3, 2);
        layer.weight().assign(Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
        layer.bias().assign(Tensor.of(new float[] {10, 20}, 2));
        Tensor x = Tensor.of(new float[] {1, 0, 2, -1, 1, 1}, 1, 2, 3);
        assertThat(layer.call(x).toFloats()).containsExactly(17, 36, 14, 27);
        assertThat(layer.call(x).shape().dims()).containsExactly(1, 2, 2);
        assertThat(layer.call(Tensor.of(new float[] {1, 1, 1}, 3)).toFloats()).containsExactly(16, 35);
        assertThatThrownBy(() -> layer.call(Tensor.zeros(2, 4))).hasMessageContaining("4 and 3 differ");
        Linear plain = new Linear(3, 2, false);
        assertThat(plain.parameters()).containsOnlyKeys("weight");
        plain.weight().assign(layer.weight().value().copy());
        assertThat(plain.call(x).toFloats()).containsExactly(7, 16, 4, 7);
        Samples.gradients(new Linear(4, 3), false, Samples.doubles(1, 2, 5, 4)).checkTwice();
        Samples.checkGradients(new Linear(4, 3, false), false, Samples.doubles(2, 4));
    }

    @Test
    void poolingTakesTheLargestOrTheMeanOfAWindow() {
        Tensor x = Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 3, 3, 1);
        assertThat(new MaxPool2d(2).call(x).toFloats()).containsExactly(5);
        assertThat(new MaxPool2d(2, 2, 0).ceilMode(true).call(x).toFloats()).containsExactly(5, 6, 8, 9);
        assertThat(new MaxPool2d(3, 2, 1).call(x).toFloats()).containsExactly(5, 6, 8, 9);
        assertThat(new AvgPool2d(2).call(x).toFloats()).containsExactly(3);
        assertThat(new AvgPool2d(3, 2, 1).call(x).toFloats()).containsExactly(12 / 9f, 16 / 9f, 24 / 9f, 28 / 9f);
        assertThat(new AvgPool2d(PoolParams.of(3, 2, 1), false).call(x).toFloats()).containsExactly(3, 4, 6, 7);
        assertThat(new AdaptiveAvgPool2d(1, 1).call(x).toFloats()).containsExactly(5);
        assertThat(new AdaptiveAvgPool2d(2, 3).call(x).toFloats())
                .containsExactly(2.5f, 3.5f, 4.5f, 5.5f, 6.5f, 7.5f);
        Tensor d = Samples.doubles(3, 2, 5, 6, 2);
        Samples.checkGradients(new MaxPool2d(3, 2, 1), false, d);
        Samples.checkGradients(new MaxPool2d(2, 3, 0).ceilMode(true), false, d);
        Samples.checkGradients(new AvgPool2d(3, 2, 1).ceilMode(true), false, d);
        Samples.checkGradients(new AdaptiveAvgPool2d(2, 4), false, d);
    }

    @ParameterizedTest
    @EnumSource(UnaryFn.class)
    void activationsAreTheirFunctions(UnaryFn fn) {
        Tensor x = Samples.doubles(4, 7, 3);
        double[] y = Activation.of(fn).call(x).toDoubles();
        double[] v = x.toDoubles();
        for (int i = 0; i < v.length; i++) {
            assertThat(y[i]).isCloseTo(fn.apply(v[i], 0), within(1e-9));
        }
    }

    @Test
    void activationsSayTheirName() {
        assertThat(Activation.relu6()).hasToString("Activation(relu6)");
        assertThat(Activation.leakyRelu(0.2)).hasToString("Activation(leaky_relu 0.2)");
        assertThat(Activation.elu(2).call(Tensor.of(new double[] {-1})).item()).isCloseTo(2 * Math.expm1(-1), within(1e-9));
        for (Activation a : new Activation[] {Activation.gelu(), Activation.silu(), Activation.hardSwish(),
            Activation.mish(), Activation.leakyRelu(0.1), Activation.elu(1.5), Activation.hardSigmoid()}) {
            Samples.gradients(a, false, Samples.doubles(5, 4, 5)).check();
        }
    }

    @Test
    void dropoutDropsInTrainingOnly() {
        Dropout layer = new Dropout(0.25);
        Tensor x = Tensor.ones(100, 100);
        assertThat(layer.call(x)).isSameAs(x);
        float[] y = Samples.training(() -> layer.call(x)).toFloats();
        long zeros = 0;
        for (float v : y) {
            assertThat(v == 0 || Math.abs(v - 1 / 0.75f) < 1e-6).isTrue();
            zeros += v == 0 ? 1 : 0;
        }
        assertThat(zeros).isBetween(2300L, 2700L);      // deviation of the count: 43
        assertThat(Samples.training(() -> layer.call(x)).toFloats()).containsExactly(y);
        assertThat(Context.current().withTraining(true).withRandom(RandomStream.of(8, 0)).call(() -> layer.call(x))
                .toFloats()).isNotEqualTo(y);
        assertThat(Samples.training(() -> new Dropout(1).call(x)).sum().item()).isZero();
        Tensor z = Samples.floats(9, 30, 41);
        Tensor mask = Samples.training(() -> Tensor.random(z.spec(), CreateOp.Distribution.BERNOULLI, 0.75, 1 / 0.75,
                z.device()));
        assertThat(Samples.training(() -> layer.call(z)).toFloats()).as("as with a mask").isEqualTo(z.mul(mask).toFloats());
        assertThatThrownBy(() -> new Dropout(1.5)).hasMessageContaining("1.5");
        Samples.checkGradients(layer, true, Samples.doubles(6, 5, 4));
    }

    @Test
    void stochasticDepthDropsWholeRows() {
        StochasticDepth layer = new StochasticDepth(0.5);
        Tensor x = Tensor.ones(200, 2, 3, 4);
        assertThat(layer.call(x)).isSameAs(x);
        float[] y = Samples.training(() -> layer.call(x)).toFloats();
        int kept = 0;
        for (int n = 0; n < 200; n++) {
            float first = y[n * 24];
            assertThat(first).isIn(0f, 2f);
            assertThat(Arrays.copyOfRange(y, n * 24, n * 24 + 24)).containsOnly(first);
            kept += first > 0 ? 1 : 0;
        }
        assertThat(kept).isBetween(70, 130);
        Samples.checkGradients(layer, true, Samples.doubles(7, 6, 2, 1, 2));
    }

    @Test
    void embeddingLooksUpRows() {
        Embedding table = new Embedding(4, 2);
        table.weight().assign(Tensor.of(new float[] {0, 1, 2, 3, 4, 5, 6, 7}, 4, 2));
        Tensor i = Tensor.of(new long[] {3, 0, 1, 3}, 2, 2);
        assertThat(table.call(i).toFloats()).containsExactly(6, 7, 0, 1, 2, 3, 6, 7);
        assertThat(table.call(i).shape().dims()).containsExactly(2, 2, 2);
        Samples.checkGradients(new Embedding(4, 3), false, i);
    }

    @Test
    void thePaddingRowBeginsAtZeroAndGetsNoGradient() {
        Embedding table = new Embedding(4, 2, 1);
        assertThat(table.weight().value().row(1).toFloats()).containsOnly(0);
        assertThat(table.weight().value().row(2).toFloats()).doesNotContain(0);
        table.weight().assign(Tensor.of(new float[] {0, 1, 2, 3, 4, 5, 6, 7}, 4, 2));
        Tensor i = Tensor.of(new int[] {3, 1, 1, 3}, 4);
        try (Tape tape = new Tape()) {
            Tensor y = tape.record(() -> table.call(i));
            assertThat(y.toFloats()).containsExactly(6, 7, 2, 3, 2, 3, 6, 7);
            assertThat(tape.backward(y, y.onesLike()).of(table.weight().value()).toFloats())
                    .containsExactly(0, 0, 0, 0, 0, 0, 2, 2);
        }
    }

    @Test
    void flattenPutsChannelsFirst() {
        Tensor x = Tensor.arange(DType.F32, 12).reshape(1, 2, 3, 2);   // [N, H, W, C]
        assertThat(new Flatten().call(x).toFloats()).containsExactly(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11);
        assertThat(new Flatten().call(x.reshape(2, 1, 1, 6)).shape().dims()).containsExactly(2, 6);
        assertThat(new Flatten().call(x.reshape(2, 3, 2)).toFloats()).containsExactly(x.toFloats());
        Samples.checkGradients(new Flatten(), false, Samples.doubles(8, 2, 2, 3, 2));
    }

    @Test
    void residualAddsItsInput() {
        Residual r = new Residual(new Sequential(Samples.randomize(new Conv2d(2, 2, 3, ConvSpec.DEFAULT.padding(1)), 9),
                Samples.randomize(new BatchNorm2d(2), 10)));
        Tensor x = Samples.floats(11, 2, 4, 4, 2);
        Tensor body = r.at("body").call(x);
        ConvLayersTest.assertClose(r.call(x), body.add(x).toDoubles());
        Residual projected = new Residual(new Linear(3, 2), new Linear(3, 2));
        assertThat(projected.parameters()).containsKeys("body.weight", "shortcut.weight");
        projected.replace("shortcut", new Linear(3, 2, false));
        assertThat(projected.parameters()).doesNotContainKey("shortcut.bias");
        Samples.checkGradients(projected, false, Samples.doubles(12, 4, 3));
        Samples.checkGradients(r, true, Samples.doubles(13, 2, 3, 3, 2));
    }

    @Test
    void identityGivesBackItsInput() {
        Tensor x = Tensor.ones(2);
        assertThat(new Identity().call(x)).isSameAs(x);
    }
}
