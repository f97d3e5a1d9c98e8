package dev.graft.tensor.reference;

import static dev.graft.tensor.reference.Check.close;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Update;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Optimizer steps with the numbers worked out by hand from PyTorch's documented algorithms. */
@ExtendWith(OnReference.class)
class ReferenceUpdateTest {
    private static Tensor one(double v) {
        return Tensor.of(new double[] {v}, 1);
    }

    @Test
    void assignAndAxpby() {
        Tensor p = Tensor.of(new double[] {1, 2}, 2);
        Dispatcher.update(new Update.Axpby(0.9, 0.1), p, Tensor.of(new double[] {10, -10}, 2));
        close(p, 1e-15, 1.9, 0.8);
        Dispatcher.update(new Update.Assign(), p, Tensor.of(new double[] {7, 8}, 2));
        close(p, 0, 7, 8);
        Tensor n = Tensor.of(new long[] {Long.MAX_VALUE}, 1);
        Tensor m = Tensor.of(new long[] {0}, 1);
        Dispatcher.update(new Update.Assign(), m, n);
        assertThat(m.toLongs()).containsExactly(Long.MAX_VALUE);
    }

    @Test
    void sgdWithMomentumAndDecay() {
        Tensor p = one(1);
        Tensor v = one(99);                                        // ignored by the first step
        Dispatcher.update(new Update.Sgd(0.1, 0.9, 0.5, 0.01, false, true), p, one(0.5), v);
        close(v, 1e-15, 0.51);                                     // no dampening in the first step
        close(p, 1e-15, 1 - 0.1 * 0.51);
        Dispatcher.update(new Update.Sgd(0.1, 0.9, 0.5, 0.01, false, false), p, one(0.5), v);
        double g = 0.5 + 0.01 * 0.949;
        double v2 = 0.9 * 0.51 + 0.5 * g;
        close(v, 1e-15, v2);
        close(p, 1e-15, 0.949 - 0.1 * v2);
        Tensor q = one(1);
        Tensor w = one(2);
        Dispatcher.update(new Update.Sgd(0.1, 0.9, 0, 0, true, false), q, one(0.5), w);
        close(w, 1e-15, 2.3);
        close(q, 1e-15, 1 - 0.1 * (0.5 + 0.9 * 2.3));
        Tensor r = one(1);
        Dispatcher.update(new Update.Sgd(0.1, 0, 0, 0, false, false), r, one(0.5));
        close(r, 1e-15, 0.95);
    }

    /** The first step of Adam is lr · g/(|g| + eps) whatever the betas, as both moments are corrected to g and g². */
    @Test
    void adamFirstStepAndDecay() {
        for (double g : new double[] {3, -0.02}) {
            Tensor p = one(2);
            Tensor m = one(0);
            Tensor v = one(0);
            Dispatcher.update(new Update.Adam(0.01, 0.9, 0.999, 1e-8, 0, false, 1), p, one(g), m, v);
            close(p, 1e-12, 2 - 0.01 * g / (Math.abs(g) + 1e-8));
            close(m, 1e-15, 0.1 * g);
            close(v, 1e-15, 0.001 * g * g);
        }
        Tensor decoupled = one(2);
        Dispatcher.update(new Update.Adam(0.01, 0.9, 0.999, 1e-8, 0.1, true, 1), decoupled, one(3), one(0), one(0));
        close(decoupled, 1e-9, 2 * (1 - 0.001) - 0.01);
        Tensor coupled = one(2);
        Tensor m = one(0);
        Dispatcher.update(new Update.Adam(0.01, 0.9, 0.999, 1e-8, 0.1, false, 1), coupled, one(3), m, one(0));
        close(m, 1e-15, 0.1 * 3.2);
        close(coupled, 1e-9, 2 - 0.01);
    }

    @Test
    void adamSecondStep() {
        Tensor p = one(0);
        Tensor m = one(0.1);
        Tensor v = one(0.004);
        Dispatcher.update(new Update.Adam(0.5, 0.9, 0.99, 1e-3, 0, true, 2), p, one(2), m, v);
        double m2 = 0.9 * 0.1 + 0.1 * 2;
        double v2 = 0.99 * 0.004 + 0.01 * 4;
        close(p, 1e-12, -0.5 * (m2 / (1 - 0.81)) / (Math.sqrt(v2 / (1 - 0.9801)) + 1e-3));
    }

    @Test
    void rmsProp() {
        Tensor p = one(1);
        Tensor v = one(4);
        Dispatcher.update(new Update.RmsProp(0.1, 0.75, 0.5, 0, 0), p, one(4), v);
        close(v, 1e-15, 7);
        close(p, 1e-15, 1 - 0.1 * 4 / (Math.sqrt(7) + 0.5));
        Tensor q = one(1);
        Tensor u = one(4);
        Tensor buffer = one(10);
        Dispatcher.update(new Update.RmsProp(0.1, 0.75, 0.5, 1, 0.5), q, one(3), u, buffer);   // g = 3 + 1·1
        double step = 0.5 * 10 + 4 / (Math.sqrt(7) + 0.5);
        close(buffer, 1e-14, step);
        close(q, 1e-14, 1 - 0.1 * step);
    }

    @Test
    void updatesBumpTheVersionOfWhatTheyChange() {
        Tensor p = one(1);
        Tensor g = one(1);
        Tensor v = one(0);
        Dispatcher.update(new Update.Sgd(0.1, 0.9, 0, 0, false, true), p, g, v);
        assertThat(p.storage().version()).isEqualTo(1);
        assertThat(v.storage().version()).isEqualTo(1);
        assertThat(g.storage().version()).isZero();
    }

    @Test
    void misfitsAreNamed() {
        assertThatThrownBy(() -> Dispatcher.update(new Update.Adam(0.1, 0.9, 0.99, 1e-8, 0, true, 1), one(1), one(1)))
                .isInstanceOf(GraftException.class).hasMessage("adamw: takes 3 inputs beside the target, got 1");
        assertThatThrownBy(() -> Dispatcher.update(new Update.Assign(), one(1), Tensor.zeros(1)))
                .isInstanceOf(GraftException.class).hasMessageContaining("float32[1]").hasMessageContaining("float64[1]");
    }
}
