package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.LiveBytes;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class TapeTest {
    @Test
    void theExampleOfTheDocumentation() {
        Tensor w = Tensor.of(new float[] {3}).requiresGrad(true);
        try (var tape = new Tape()) {
            Tensor loss = tape.record(() -> w.square().sum());
            Tensor dw = tape.backward(loss).of(w);
            assertThat(dw.item()).isEqualTo(6);
        }
    }

    @Test
    void aTensorUsedTwiceSumsItsGradients() {
        Tensor x = Tensor.of(new double[] {2, 5}, 2);
        try (Tape tape = new Tape()) {
            tape.watch(x);
            Tensor loss = tape.record(() -> x.mul(x).add(x).sum());      // x² + x
            assertThat(tape.backward(loss).of(x).toDoubles()).containsExactly(5, 11);
        }
    }

    /**
     * A leaf that is used by several nodes, one that is also read unseen on the way, and one the loss does not depend on.
     */
    @Test
    void gradientsCanBeTakenOnTheWayAndLeavesChangedThen() {
        Tensor u = Tensor.of(new double[] {2, 5}, 2).requiresGrad(true);
        Tensor v = Tensor.of(new double[] {3, -1}, 2).requiresGrad(true);
        Tensor w = Tensor.of(new double[] {0.5, 4}, 2).requiresGrad(true);
        Tensor idle = Tensor.of(new double[] {1, 1}, 2).requiresGrad(true);
        Supplier<Tensor> f = () -> {
            idle.square();                                      // recorded, and nothing comes of it
            Tensor read = Tape.noGrad(() -> v.reshape(2));      // v's memory, which no node knows as v's
            return u.mul(w).mul(read).add(u.square()).mul(v).sum();
        };
        Map<Long, double[]> expected = new HashMap<>();
        try (Tape tape = new Tape()) {
            Gradients g = tape.backward(tape.record(f));
            for (Tensor t : List.of(u, v, w)) {
                expected.put(t.id(), g.of(t).toDoubles());
            }
        }
        Map<Long, double[]> taken = new HashMap<>();
        try (Tape tape = new Tape()) {
            Gradients left = tape.backward(tape.record(f), (leaf, g) -> {
                if (leaf == w.id()) {
                    return false;
                }
                assertThat(taken.put(leaf, g.toDoubles())).isNull();
                change(leaf == u.id() ? u : v);
                return true;
            });
            assertThat(left.find(u)).isNull();
            assertThat(left.find(v)).isNull();
            assertThat(left.find(idle)).isNull();
            taken.put(w.id(), left.of(w).toDoubles());
        }
        assertThat(taken).containsOnlyKeys(expected.keySet());
        taken.forEach((leaf, g) -> assertThat(g).containsExactly(expected.get(leaf)));
    }

    private static void change(Tensor t) {
        Dispatcher.update(new Update.Axpby(100, 0), t, t);
    }

    /** A checkpointed segment does not tell which leaves it will use; nothing may be changed before it has run again. */
    @Test
    void leavesOfACheckpointedSegmentAreChangedAtTheEnd() {
        Tensor w = Tensor.of(new double[] {2, 5}, 2).requiresGrad(true);
        Tensor x = Tensor.of(new double[] {1, -3}, 2);
        Supplier<Tensor> f = () -> Checkpoint.run(y -> y.mul(w).square(), x.add(w)).mul(w).sum();
        double[] expected;
        try (Tape tape = new Tape()) {
            expected = tape.backward(tape.record(f)).of(w).toDoubles();
        }
        List<double[]> taken = new ArrayList<>();
        try (Tape tape = new Tape()) {
            tape.backward(tape.record(f), (leaf, g) -> {
                taken.add(g.toDoubles());
                change(w);
                return true;
            });
        }
        assertThat(taken).hasSize(1);
        assertThat(taken.getFirst()).containsExactly(expected);
    }

    /** What a product behind GELU reads is made again from GELU's input, with the same gradients and second derivatives. */
    @Test
    void theOutputOfGeluIsNotKept() {
        Tensor x = Tensor.of(new double[] {0.5, -1, 2, 0.1}, 2, 2);
        Tensor w = Tensor.of(new double[] {1, -2, 0.5, 3}, 2, 2);
        try (Scope s = Scope.open(); Tape tape = new Tape()) {
            tape.watch(x);
            tape.watch(w);
            Tensor y = tape.record(() -> x.unary(UnaryFn.GELU, 0).matmul(w).sum());
            Gradients g = tape.backward(y);
            Tensor gelu = x.unary(UnaryFn.GELU, 0);
            double[] h = gelu.toDoubles();
            assertThat(g.of(w).toDoubles()).containsExactly(h[0] + h[2], h[0] + h[2], h[1] + h[3], h[1] + h[3]);
        }
        GradCheck.of(in -> in[0].unary(UnaryFn.GELU, 0).matmul(in[1]).square().sum(), x, w).checkTwice();
    }

    @Test
    void aLayerBehindGeluKeepsNoCopyOfItsInput() {
        Tensor x = Tensor.of(new float[4 * 64 * 256], 4, 64, 256);
        Tensor w = Tensor.of(new float[8 * 256], 8, 256);
        long kept = LiveBytes.of(Device.CPU, () -> {
            try (Scope s = Scope.open(); Tape tape = new Tape()) {
                tape.watch(x);
                tape.watch(w);
                long before = Memory.report().live();
                tape.record(() -> {
                    try (Scope inner = Scope.open()) {
                        return inner.keep(x.unary(UnaryFn.GELU, 0).matmulTransposed(w));
                    }
                });
                return Memory.report().live() - before;
            }
        });
        int output = Float.BYTES * 4 * 64 * 8;
        assertThat(kept).as("the layer's output, 4 x 64 x 8, and what aligns it").isBetween((long) output, output + 64L);
    }

    @Test
    void anOutputOfGeluThatWasWrittenToIsKeptAsItWasRead() {
        Tensor x = Tensor.of(new double[] {0.5, -1, 2, 0.1}, 2, 2);
        Tensor w = Tensor.of(new double[] {1, -2, 0.5, 3}, 2, 2);
        try (Scope s = Scope.open(); Tape tape = new Tape()) {
            tape.watch(x);
            tape.watch(w);
            Tensor y = tape.record(() -> {
                Tensor h = x.unary(UnaryFn.GELU, 0);
                h.write(new double[] {1, 2, 3, 4});
                return h.matmul(w).sum();
            });
            assertThat(tape.backward(y).of(w).toDoubles()).containsExactly(4, 4, 6, 6);
        }
    }

    @Test
    void nothingIsRecordedWithoutALeaf() {
        try (Tape tape = new Tape()) {
            Tensor y = tape.record(() -> Tensor.of(new float[] {1, 2}, 2).exp().sum());
            assertThat(tape.size()).isZero();
            assertThatThrownBy(() -> tape.backward(y)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("depends on no tracked tensor");
        }
    }

    @Test
    void noGradStopsRecording() {
        Tensor x = Tensor.of(new float[] {1}, 1).requiresGrad(true);
        try (Tape tape = new Tape()) {
            tape.record(() -> Tape.noGrad(x::exp));
            assertThat(tape.size()).isZero();
        }
    }

    @Test
    void aFrozenWeightKeepsNoInput() {
        Tensor x = Tensor.ones(1, 8, 8, 16).requiresGrad(true);
        Tensor frozen = Tensor.ones(16, 3, 3, 16);
        long extra = LiveBytes.of(Device.CPU, () -> {
            long before = Memory.report().live();
            try (Tape tape = new Tape()) {
                Tensor y = tape.record(() -> {
                    try (Scope s = Scope.open()) {
                        Tensor inner = x.mul(2);         // would be the saved input of a trainable convolution
                        return s.keep(inner.conv2d(frozen, ConvParams.of(1, 1)));
                    }
                });
                long during = Memory.report().live() - before;
                y.close();
                return during;
            }
        });
        assertThat(extra).as("only the output is alive").isBetween(8 * 8 * 16 * 4L, (long) (8 * 8 * 16 * 4 * 1.3));
    }

    @Test
    void changingASavedValueInPlaceIsNoticed() {
        Tensor w = Tensor.of(new float[] {1, 2}, 2).requiresGrad(true);
        try (Tape tape = new Tape()) {
            Tensor loss = tape.record(() -> w.square().sum());
            Dispatcher.update(new Update.Axpby(2, 0), w, w.onesLike());
            assertThatThrownBy(() -> tape.backward(loss)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("square").hasMessageContaining("changed in place between forward and backward");
        }
    }

    @Test
    void backwardFreesWhatItHasPassed() {
        Tensor w = Tensor.ones(64, 64).requiresGrad(true);
        assertThat(LiveBytes.growthIn(() -> {
            try (Scope step = Scope.open(); Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> {
                    Tensor x = w;
                    for (int i = 0; i < 5; i++) {
                        x = x.tanh();
                    }
                    return x.sum();
                });
                tape.backward(loss);
            }
        })).isZero();
    }

    @Test
    void aTapeServesOneBackward() {
        Tensor x = Tensor.of(new float[] {1}, 1).requiresGrad(true);
        try (Tape tape = new Tape()) {
            Tensor y = tape.record(x::exp);
            tape.backward(y);
            assertThatThrownBy(() -> tape.backward(y)).hasMessageContaining("has been used");
            assertThatThrownBy(() -> tape.record(x::exp)).hasMessageContaining("use a new one");
        }
    }

    @Test
    void theLossMustBeOneNumber() {
        Tensor x = Tensor.of(new float[] {1, 2}, 2).requiresGrad(true);
        try (Tape tape = new Tape()) {
            Tensor y = tape.record(x::exp);
            assertThatThrownBy(() -> tape.backward(y)).hasMessageContaining("shape [2]").hasMessageContaining("mean()");
        }
    }

    @Test
    void thirdDerivativeByThreeTapes() {
        Tensor x = Tensor.of(new double[] {0.7}, 1);
        Tensor third = derivative(a -> derivative(b -> derivative(Tensor::sin, b), a), x);
        assertThat(third.item()).isCloseTo(-Math.cos(0.7), within(1e-12));
    }

    private static Tensor derivative(java.util.function.UnaryOperator<Tensor> f, Tensor x) {
        return Tape.vjp(in -> new Tensor[] {f.apply(in[0])}, new Tensor[] {x}, new Tensor[] {x.onesLike()})[0];
    }

    @Test
    void backwardWithinItsOwnRecordingKeepsNothing() {
        Tensor w = Tensor.ones(64, 64).requiresGrad(true);
        assertThat(LiveBytes.growthIn(() -> {
            try (Scope step = Scope.open(); Tape tape = new Tape()) {
                tape.record(() -> tape.backward(w.tanh().mul(w).sum()));
                assertThat(tape.size()).isZero();
            }
        })).isZero();
    }

    @Test
    void aFailingRuleLeavesNoMemoryBehind() {
        Tensor w = Tensor.ones(64, 64).requiresGrad(true);
        Interceptor fails = (op, in, next) -> {
            if (op.name().equals("tanh_backward")) {
                throw new GraftException("no tanh today");
            }
            return next.run(op, in);
        };
        assertThat(LiveBytes.growthIn(() -> {
            try (Scope step = Scope.open(); Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> w.square().tanh().mul(w).sum());
                assertThatThrownBy(() -> Context.current().with(fails).call(() -> tape.backward(loss)))
                        .hasMessageContaining("no tanh today");
            }
        })).isZero();
    }

    @Test
    void aWatchedIntermediateKeepsItsGradient() {
        Tensor x = Tensor.of(new float[] {3}).requiresGrad(true);
        try (Tape tape = new Tape()) {
            Tensor[] inner = new Tensor[1];
            Tensor loss = tape.record(() -> {
                inner[0] = tape.watch(x.mul(2));
                return inner[0].square();
            });
            Gradients g = tape.backward(loss);
            assertThat(g.of(inner[0]).item()).isEqualTo(12);
            assertThat(g.of(x).item()).isEqualTo(24);
        }
    }

    /** As PyTorch: d(x^y)/dx is 0 for y = 0, d(x^y)/dy is 0 for x = 0 and y of 0 or more. */
    @Test
    void powersHaveFiniteGradientsAtZero() {
        Tensor x = Tensor.of(new double[] {0, 0, 0, 2}, 4);
        Tensor y = Tensor.of(new double[] {0, 2, 1, 3}, 4);
        Tensor[] d = Tape.vjp(in -> new Tensor[] {in[0].pow(in[1])}, new Tensor[] {x, y}, new Tensor[] {x.onesLike()});
        assertThat(d[0].toDoubles()).containsExactly(0, 0, 1, 12);
        assertThat(d[1].toDoubles()).containsExactly(new double[] {0, 0, 0, 8 * Math.log(2)}, within(1e-12));
    }

    @Test
    void secondDerivativesDoNotOverflow() {
        for (UnaryFn fn : new UnaryFn[] {UnaryFn.ELU, UnaryFn.SELU, UnaryFn.SILU, UnaryFn.GELU, UnaryFn.GELU_TANH,
            UnaryFn.SOFTPLUS, UnaryFn.MISH}) {
            Tensor x = Tensor.of(new float[] {200}, 1);
            Tensor second = derivative(a -> derivative(t -> t.unary(fn, 1), a), x);
            assertThat(second.item()).as(fn.name()).isCloseTo(0, within(1e-6));
        }
    }

    @Test
    void integersHaveNoGradient() {
        assertThatThrownBy(() -> Tensor.arange(DType.I64, 3).requiresGrad(true)).hasMessageContaining("int64");
    }
}
