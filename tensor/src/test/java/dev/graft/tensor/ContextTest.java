package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is bound to a call: mode, random numbers, interceptors, backend; and views, which no backend sees. */
class ContextTest {
    private record Spy(String name, List<String> log, boolean primitives) implements Interceptor {
        @Override
        public Tensor[] intercept(Op op, Tensor[] inputs, Next next) {
            log.add(name + " " + op.name());
            return next.run(op, inputs);
        }

        @Override
        public boolean needsPrimitives(Tensor[] inputs) {
            return primitives;
        }
    }

    private record OtherSpy(List<String> log) implements Interceptor {
        @Override
        public Tensor[] intercept(Op op, Tensor[] inputs, Next next) {
            log.add("other " + op.name());
            return next.run(op, inputs);
        }
    }

    @Test
    void interceptorsRunOutermostFirstAndCanBeRemoved() {
        List<String> log = new ArrayList<>();
        Tensor x = Tensor.ones(2);
        Context c = Context.inference().with(new Spy("spy", log, false)).with(new OtherSpy(log));
        c.run(x::relu);
        assertThat(log).containsExactly("spy relu", "other relu");
        log.clear();
        c.without(Spy.class).run(x::neg);
        assertThat(log).containsExactly("other neg");
        x.relu();
        assertThat(log).hasSize(1);
    }

    @Test
    void fusedOpsAreTakenApartForWhoNeedsToSeeTheirParts() {
        Op op = new FusedOp.LinearBiasActivation(FusedOp.Activation.RELU);
        Tensor x = Tensor.ones(2, 3);
        Tensor w = Tensor.ones(4, 3);
        Tensor b = Tensor.full(-1, 4);
        List<String> log = new ArrayList<>();
        Tensor whole = Context.inference().with(new Spy("w", log, false)).call(() -> Dispatcher.one(op, x, w, b));
        assertThat(log).first().isEqualTo("w linear_bias_activation");
        log.clear();
        Tensor parts = Context.inference().with(new Spy("p", log, true)).call(() -> Dispatcher.one(op, x, w, b));
        assertThat(log).containsExactly("p matmul", "p add", "p relu");
        assertThat(whole.toFloats()).containsOnly(2);
        assertThat(parts.toFloats()).containsOnly(2);
    }

    @Test
    void randomNumbersDependOnSeedStepAndOrderOnly() {
        float[] first = Context.training(5, 8).call(() -> Tensor.randn(10)).toFloats();
        float[] again = Context.training(5, 8).call(() -> Tensor.randn(10)).toFloats();
        float[] second = Context.training(5, 8).call(() -> {
            Tensor.randn(3);
            return Tensor.randn(10);
        }).toFloats();
        assertThat(again).isEqualTo(first);
        assertThat(second).isNotEqualTo(first);
        assertThat(Context.training(5, 9).call(() -> Tensor.randn(10)).toFloats()).isNotEqualTo(first);
        assertThat(Context.training(6, 8).call(() -> Tensor.randn(10)).toFloats()).isNotEqualTo(first);
    }

    @Test
    void aForkRepeatsWhatFollows() {
        RandomStream r = RandomStream.of(1, 2);
        r.next();
        RandomStream fork = r.fork();
        assertThat(List.of(fork.next(), fork.next())).isEqualTo(List.of(r.next(), r.next()));
    }

    /** Two layers initialised outside of any context must not get the same weights. */
    @Test
    void unboundRandomNumbersDifferFromCallToCall() {
        assertThat(Tensor.randn(10).toFloats()).isNotEqualTo(Tensor.randn(10).toFloats());
    }

    @Test
    void contextsNestAndEnd() {
        assertThat(Context.current().training()).isFalse();
        Context.training(1, 1).run(() -> {
            assertThat(Context.current().training()).isTrue();
            Context.current().withTraining(false).withPath("a.b").run(() -> {
                assertThat(Context.current().training()).isFalse();
                assertThat(Context.current().path()).isEqualTo("a.b");
            });
            assertThat(Context.current().path()).isEmpty();
        });
        assertThat(Context.current().training()).isFalse();
    }

    @Test
    void theBoundBackendStaysBoundInInnerContexts() {
        ReferenceBackend mine = new ReferenceBackend();
        Context.inference().withCpu(mine).run(() -> {
            assertThat(Context.inference().cpu()).isSameAs(mine);
            assertThat(Context.training(1, 2).cpu()).isSameAs(mine);
        });
        assertThat(Context.current().cpu()).isNull();
    }

    @Test
    void viewsShareMemoryAndCopiesDoNot() {
        Tensor x = Tensor.arange(DType.F32, 12).reshape(3, 4);
        for (Tensor view : List.of(x.reshape(4, 3), x.slice(0, 1, 3), x.row(2), x.detach(), x.unsqueeze(0),
                x.broadcastTo(Shape.of(1, 3, 4)), x.slice(0, 1, 3).row(1))) {
            assertThat(view.storage()).isSameAs(x.storage());
        }
        for (Tensor copy : List.of(x.copy(), x.slice(1, 0, 2), x.transpose(), x.broadcastTo(Shape.of(2, 3, 4)))) {
            assertThat(copy.storage()).isNotSameAs(x.storage());
        }
        assertThat(x.row(2).toFloats()).containsExactly(8, 9, 10, 11);
        assertThat(x.slice(0, 1, 3).row(1).relu().toFloats()).containsExactly(8, 9, 10, 11);
        int version = x.storage().version();
        x.row(1).write(new float[] {0, 0, 0, 0});
        assertThat(x.get(1, 2)).isZero();
        assertThat(x.storage().version()).isEqualTo(version + 1);
        assertThat(x.to(Device.CPU)).isSameAs(x);
        assertThat(x.cast(DType.F32)).isSameAs(x);
    }

    @Test
    void readingConvertsAndPrints() {
        Tensor x = Tensor.of(new double[] {1.75, -2}, 2);
        assertThat(x.toFloats()).containsExactly(1.75f, -2f);
        assertThat(x.toInts()).containsExactly(1, -2);
        assertThat(x.toLongs()).containsExactly(1L, -2L);
        assertThat(x).hasToString("float64[2] [1.75, -2.0]");
        assertThat(Tensor.zeros(100)).hasToString("float32[100] on cpu");
        assertThat(Tensor.scalar(3).item()).isEqualTo(3);
        float[] longer = {5, 6, 7};
        assertThat(Tensor.zeros(2).write(longer).toFloats()).containsExactly(5, 6);
    }
}
