package dev.graft.nn.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ParamGradientsTest {
    private static ParamGradients two() {
        Map<String, Tensor> g = new LinkedHashMap<>();
        g.put("a", Tensor.of(new double[] {3, 0}, 2));
        g.put("b", Tensor.of(new double[] {0, -4, 12}, 3));
        return new ParamGradients(g);
    }

    @Test
    void normOverAllParameters() {
        try (Scope s = Scope.open()) {
            assertThat(two().norm()).isCloseTo(13, within(1e-12));
            assertThat(new ParamGradients(Map.of()).norm()).isZero();
        }
    }

    @Test
    void clippingByNormScalesAllAlikeAndOnlyWhenTooLarge() {
        try (Scope s = Scope.open()) {
            ParamGradients c = new GradientClip.ByNorm(1).apply(two());
            assertThat(c.norm()).isCloseTo(1, within(1e-6));
            assertThat(c.byPath().get("b").toDoubles()).containsExactly(new double[] {0, -4 / 13.0, 12 / 13.0},
                    within(1e-6));
            ParamGradients g = two();
            assertThat(new GradientClip.ByNorm(13.5).apply(g)).isSameAs(g);
        }
    }

    @Test
    void clippingByValue() {
        try (Scope s = Scope.open()) {
            assertThat(new GradientClip.ByValue(5).apply(two()).byPath().get("b").toDoubles()).containsExactly(0, -4, 5);
            assertThat(new GradientClip.ByValue(2).apply(two()).byPath().get("b").toDoubles()).containsExactly(0, -2, 2);
        }
    }

    @Test
    void accumulationWeighsBySamples() {
        ParamGradients.Accumulator sum = new ParamGradients.Accumulator();
        try (Scope step = Scope.open()) {
            for (int n = 1; n <= 3; n++) {
                try (Scope micro = Scope.open()) {
                    sum.add(new ParamGradients(Map.of("a", Tensor.of(new double[] {n, 10}, 2))), n, micro);
                }
            }
            assertThat(sum.mean().byPath().get("a").toDoubles())
                    .containsExactly(new double[] {(1 + 4 + 9) / 6.0, 10}, within(1e-12));
        }
    }
}
