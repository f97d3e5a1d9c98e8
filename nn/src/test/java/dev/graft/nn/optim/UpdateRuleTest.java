package dev.graft.nn.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every rule against its formula in plain double loops, written from PyTorch's documentation, over 20 steps. */
class UpdateRuleTest {
    private static final int N = 6;
    private static final int STEPS = 20;
    private static final String PATH = "head.weight";

    /** One step of the formula: w by gradient g in step t from 1. */
    private interface Formula {
        void step(double[] w, double[] g, int t);
    }

    private static void compare(UpdateRule rule, Formula formula) {
        try (ToyModel m = new ToyModel(2, 3, 2).inDouble(); Optimizer o = rule.optimizer(m)) {
            double[] w = m.head.weight.value().toDoubles();
            Random random = new Random(7);
            for (int t = 1; t <= STEPS; t++) {
                double[] g = random.doubles(N, -2, 2).toArray();
                try (Scope s = Scope.open()) {
                    o.step(new ParamGradients(Map.of(PATH, Tensor.of(g, 2, 3))), 1);
                }
                formula.step(w, g, t);
                assertThat(m.head.weight.value().toDoubles()).as("%s, step %d", rule, t).containsExactly(w, within(1e-12));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "decay", "momentum", "dampening", "nesterov"})
    void sgd(String kind) {
        double momentum = kind.equals("plain") || kind.equals("decay") ? 0 : 0.9;
        double damp = kind.equals("dampening") ? 0.3 : 0;
        double decay = kind.equals("plain") ? 0 : 0.05;
        boolean nesterov = kind.equals("nesterov");
        double[] v = new double[N];
        compare(new Sgd(0.1, momentum, damp, decay, nesterov), (w, grad, t) -> {
            for (int i = 0; i < N; i++) {
                double g = grad[i] + decay * w[i];
                if (momentum != 0) {
                    v[i] = t == 1 ? g : momentum * v[i] + (1 - damp) * g;
                    g = nesterov ? g + momentum * v[i] : v[i];
                }
                w[i] -= 0.1 * g;
            }
        });
    }

    @Test
    void adamAddsItsDecayToTheGradient() {
        adam(new Adam(0.01, 0.8, 0.95, 1e-6, 0.1), false);
    }

    @Test
    void adamWTakesItsDecayOffTheWeights() {
        adam(new AdamW(0.01, 0.8, 0.95, 1e-6, 0.1), true);
    }

    private static void adam(UpdateRule rule, boolean decoupled) {
        double[] m = new double[N];
        double[] v = new double[N];
        compare(rule, (w, grad, t) -> {
            for (int i = 0; i < N; i++) {
                double g = grad[i];
                if (decoupled) {
                    w[i] = w[i] - 0.01 * 0.1 * w[i];
                } else {
                    g = g + 0.1 * w[i];
                }
                m[i] = 0.8 * m[i] + 0.2 * g;
                v[i] = 0.95 * v[i] + 0.05 * g * g;
                double mHat = m[i] / (1 - Math.pow(0.8, t));
                double vHat = v[i] / (1 - Math.pow(0.95, t));
                w[i] -= 0.01 * mHat / (Math.sqrt(vHat) + 1e-6);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.7})
    void rmsProp(double momentum) {
        double[] v = new double[N];
        double[] b = new double[N];
        compare(new RmsProp(0.01, 0.9, 1e-6, 0.02, momentum), (w, grad, t) -> {
            for (int i = 0; i < N; i++) {
                double g = grad[i] + 0.02 * w[i];
                v[i] = 0.9 * v[i] + 0.1 * g * g;
                b[i] = momentum * b[i] + g / (Math.sqrt(v[i]) + 1e-6);
                w[i] -= 0.01 * b[i];
            }
        });
    }

    @Test
    void defaultsArePyTorchs() {
        assertThat(new Adam(1e-3)).isEqualTo(new Adam(1e-3, 0.9, 0.999, 1e-8, 0));
        assertThat(new AdamW(1e-3)).isEqualTo(new AdamW(1e-3, 0.9, 0.999, 1e-8, 0.01));
        assertThat(new RmsProp(1e-2)).isEqualTo(new RmsProp(1e-2, 0.99, 1e-8, 0, 0));
    }

    @Test
    void optionsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> new Sgd(-1)).isInstanceOf(GraftException.class).hasMessageContaining("lr is -1.0");
        assertThatThrownBy(() -> new Sgd(Double.NaN)).isInstanceOf(GraftException.class);
        assertThatThrownBy(() -> new Sgd(1, 0, 0, 0, true)).hasMessageContaining("nesterov needs a momentum");
        assertThatThrownBy(() -> new Adam(1, 1, 0.9, 1e-8, 0)).hasMessageContaining("beta1 is 1.0");
    }
}
