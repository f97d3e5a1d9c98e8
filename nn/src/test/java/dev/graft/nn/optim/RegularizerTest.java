package dev.graft.nn.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RegularizerTest {
    private static final double[] W = {0.5, -1.5, 2, -0.25, 3, -0.75};
    private static final double[] W0 = {0.25, -1, 2.5, 0.5, 3, 1};

    static Stream<Regularizer> all() {
        return Stream.of(new Regularizer.L1(0.3), new Regularizer.L2(0.2), new Regularizer.ElasticNet(0.1, 0.4),
                new Regularizer.L2Sp(0.7));
    }

    /** The gradient by central differences of the value; exact for these piecewise quadratic penalties away from 0. */
    @ParameterizedTest
    @MethodSource("all")
    void theGradientIsTheDerivativeOfTheValue(Regularizer r) {
        try (Scope s = Scope.open()) {
            Tensor g = Tensor.of(new double[] {1, 2, 3, 4, 5, 6}, 6);
            Tensor start = Tensor.of(W0, 6);
            r.addGradient(g, Tensor.of(W, 6), start);
            for (int i = 0; i < W.length; i++) {
                double[] up = W.clone();
                double[] down = W.clone();
                up[i] += 1e-4;
                down[i] -= 1e-4;
                double slope = (r.value(Tensor.of(up, 6), start) - r.value(Tensor.of(down, 6), start)) / 2e-4;
                assertThat(g.get(i)).as("%s at %d", r, i).isCloseTo(i + 1 + slope, within(1e-8));
            }
        }
    }

    @Test
    void valuesByHand() {
        try (Scope s = Scope.open()) {
            Tensor w = Tensor.of(new double[] {1, -2}, 2);
            Tensor w0 = Tensor.of(new double[] {0, 1}, 2);
            assertThat(new Regularizer.L1(0.5).value(w, null)).isEqualTo(1.5);
            assertThat(new Regularizer.L2(0.5).value(w, null)).isEqualTo(1.25);
            assertThat(new Regularizer.ElasticNet(0.5, 0.5).value(w, null)).isEqualTo(2.75);
            assertThat(new Regularizer.L2Sp(0.5).value(w, w0)).isEqualTo(2.5);
            assertThat(new Regularizer.DecoupledDecay(0.5).value(w, null)).isZero();
        }
    }

    @Test
    void l2SpPullsBackToTheStartAndL2ToZero() {
        for (Regularizer r : new Regularizer[] {new Regularizer.L2Sp(1), new Regularizer.L2(1)}) {
            try (ToyModel m = new ToyModel(2, 3, 2).inDouble()) {
                double[] start = m.head.weight.value().toDoubles();
                Optimizer o = new Sgd(0.1).optimizer(m, ParamGroup.of("head", "head").withRegularizers(r));
                for (int i = 0; i < 200; i++) {
                    double push = i < 5 ? 1 : 0;     // a gradient that drives the weights away, then none
                    try (Scope s = Scope.open()) {
                        o.step(new ParamGradients(Map.of("head.weight",
                                Tensor.of(start, 2, 3).onesLike().mul(push))), 1);
                    }
                }
                double[] goal = r.needsStart() ? start : new double[start.length];
                assertThat(m.head.weight.value().toDoubles()).containsExactly(goal, within(1e-6));
            }
        }
    }

    @Test
    void decoupledDecayEqualsAdamWs() {
        try (ToyModel a = new ToyModel(2, 3, 2).inDouble(); ToyModel b = new ToyModel(2, 3, 2).inDouble()) {
            Optimizer adamW = new AdamW(0.1).withWeightDecay(0.3).optimizer(a);
            Optimizer adam = new Adam(0.1).optimizer(b,
                    ParamGroup.of("all", "*").withRegularizers(new Regularizer.DecoupledDecay(0.3)));
            for (int i = 1; i <= 20; i++) {
                Tensor g = Tensor.of(new double[] {i, -i, 0.5, 1, 2, -3}, 2, 3);
                adamW.step(new ParamGradients(Map.of("head.weight", g)), 1.0 / i);
                adam.step(new ParamGradients(Map.of("head.weight", g)), 1.0 / i);
            }
            assertThat(a.head.weight.value().toDoubles())
                    .containsExactly(b.head.weight.value().toDoubles(), within(1e-12));
        }
    }
}
