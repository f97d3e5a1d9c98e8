package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.LiveBytes;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class CheckpointTest {
    private final Tensor w = Tensor.uniform(-1, 1, 16, 16).requiresGrad(true);
    private final Tensor x = Tensor.uniform(-1, 1, 4, 16);

    /** A segment with random numbers: they must be the same the second time. */
    private Tensor segment(Tensor in) {
        Tensor mask = Tensor.random(new TensorSpec(in.dtype(), in.shape()), CreateOp.Distribution.BERNOULLI, 0.5, 2,
                in.device());
        return in.matmul(w).tanh().mul(mask).matmul(w).tanh();
    }

    private List<float[]> gradients(UnaryOperator<Tensor> body) {
        List<float[]> all = new ArrayList<>();
        Context.training(5, 1).run(() -> {
            try (Scope s = Scope.open(); Tape tape = new Tape()) {
                tape.watch(x);
                Tensor loss = tape.record(() -> body.apply(x).square().sum());
                Gradients g = tape.backward(loss);
                all.add(g.of(w).toFloats());
                all.add(g.of(x).toFloats());
                all.add(loss.toFloats());
            }
        });
        return all;
    }

    @Test
    void sameGradientsAsWithoutIt() {
        List<float[]> plain = gradients(in -> segment(segment(in)));
        List<float[]> checkpointed = gradients(in -> Checkpoint.run(this::segment, Checkpoint.run(this::segment, in)));
        for (int i = 0; i < plain.size(); i++) {
            for (int k = 0; k < plain.get(i).length; k++) {
                assertThat(checkpointed.get(i)[k]).isCloseTo(plain.get(i)[k], within(1e-5f));
            }
        }
    }

    @Test
    void keepsOnlyTheInputOfASegment() {
        Tensor big = Tensor.ones(64, 1024).requiresGrad(true);
        UnaryOperator<Tensor> deep = in -> in.tanh().tanh().tanh().tanh().tanh();
        assertThat(liveAfterForward(big, deep)).isGreaterThan(4 * 64 * 1024 * 4L);
        assertThat(liveAfterForward(big, in -> Checkpoint.run(deep, in))).isLessThan(2 * 64 * 1024 * 4L);
    }

    private static long liveAfterForward(Tensor in, UnaryOperator<Tensor> body) {
        return LiveBytes.of(Device.CPU, () -> {
            long before = Memory.report().live();
            try (Scope s = Scope.open(); Tape tape = new Tape()) {
                tape.record(() -> {
                    try (Scope inner = Scope.open()) {
                        return s.keep(inner.keep(body.apply(in).sum()));
                    }
                });
                return Memory.report().live() - before;
            }
        });
    }

    @Test
    void aFrozenSegmentOnFrozenInputIsNotRecorded() {
        Tensor frozen = Tensor.ones(16, 16);
        Tensor ids = Tensor.of(new int[] {1, 0, 3}, 3);
        try (Tape tape = new Tape()) {
            tape.record(() -> Checkpoint.run(in -> in.matmul(frozen).tanh(), x));
            assertThat(tape.size()).isZero();
        }
        try (Tape tape = new Tape()) {      // an embedding that is frozen, under a trainable layer
            Tensor loss = tape.record(() -> Checkpoint.run(frozen::take, ids).matmul(w).sum());
            assertThat(tape.backward(loss).of(w).toFloats()).containsOnly(3);
        }
    }

    @Test
    void whatASegmentWouldReadWithoutAGradientIsRefused() {
        try (Scope s = Scope.open(); Tape tape = new Tape()) {
            assertThatThrownBy(() -> tape.record(() -> {
                Tensor h = w.tanh();
                return Checkpoint.run(in -> in.matmul(h), x).sum();
            })).isInstanceOf(GraftException.class).hasMessage("checkpoint: the segment reads float32[16, 16], which was"
                    + " recorded outside of it and would get no gradient: compute it within the segment, make it its input,"
                    + " or detach it");
        }
        try (Scope s = Scope.open(); Tape tape = new Tape()) {      // here no gradient is wanted
            Tensor loss = tape.record(() -> {
                Tensor h = w.tanh();
                return Checkpoint.run(in -> in.matmul(w).add(Tape.noGrad(h::sum)).add(h.detach().sum()), x).sum();
            });
            assertThat(tape.backward(loss).of(w).toFloats()).hasSize(256);
        }
        List<float[]> inside = gradients(in -> Checkpoint.run(y -> y.matmul(w.tanh()), in));
        List<float[]> plain = gradients(in -> in.matmul(w.tanh()));
        assertThat(inside.getFirst()).containsExactly(plain.getFirst(), within(1e-5f));
    }

    @Test
    void runsPlainlyWhenNothingRecords() {
        assertThat(Checkpoint.run(Tensor::exp, x).toFloats()).containsExactly(x.exp().toFloats());
        assertThat(Checkpoint.isRecomputing()).isFalse();
    }
}
