package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.op.FusedOp;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Lifetimes: what a scope closes, what survives it, and what the errors say. */
class ScopeTest {
    @Test
    void useAfterCloseNamesTheScope() {
        Tensor x;
        try (Scope s = Scope.open("step 3")) {
            x = Tensor.ones(2, 3);
        }
        assertThat(x.isClosed()).isTrue();
        assertThatThrownBy(x::relu).isInstanceOf(GraftException.class)
                .hasMessage("tensor float32[2, 3] was used after step 3 closed it: keep it with Scope.keep,"
                        + " or copy its values first");
        assertThatThrownBy(x::toFloats).isInstanceOf(GraftException.class).hasMessageContaining("step 3");
        assertThatThrownBy(x::retain).isInstanceOf(GraftException.class);
        assertThat(x.toString()).isEqualTo("float32[2, 3] closed by step 3");
    }

    @Test
    void closeIsIdempotentAndNamed() {
        Tensor x = Tensor.ones(2);
        x.close();
        x.close();
        assertThatThrownBy(x::neg).hasMessageContaining("was used after close() closed it");
    }

    @Test
    void keepHandsToTheScopeAround() {
        Tensor a;
        Tensor b;
        try (Scope outer = Scope.open("outer")) {
            try (Scope inner = Scope.open("inner")) {
                a = inner.keep(Tensor.full(7, 2));
                b = Tensor.full(8, 2);
                assertThat(outer.keep(b)).as("not the outer scope's to keep").isSameAs(b);
            }
            assertThat(a.toFloats()).containsExactly(7, 7);
            assertThat(b.isClosed()).isTrue();
        }
        assertThatThrownBy(a::neg).hasMessageContaining("outer");
    }

    @Test
    void keepFromTheOutermostScopeHandsToTheCaller() {
        Tensor a;
        try (Scope s = Scope.open()) {
            a = s.keep(Tensor.full(7, 2).add(1));
        }
        assertThat(a.toFloats()).containsExactly(8, 8);
        a.close();
    }

    @Test
    void keptViewsKeepTheirMemory() {
        Tensor row;
        try (Scope s = Scope.open()) {
            Tensor x = Tensor.arange(DType.F32, 6).reshape(3, 2);
            row = s.keep(x.row(1));
        }
        try (Scope s = Scope.open()) {
            for (int i = 0; i < 10; i++) {
                Tensor.full(99, 3, 2);                           // would overwrite memory that was given back
            }
        }
        assertThat(row.toFloats()).containsExactly(2, 3);
        row.close();
    }

    @Test
    void persistentTensorsBelongToNoScope() {
        Tensor p;
        try (Scope s = Scope.open()) {
            p = Scope.persistent(() -> Tensor.ones(2).add(1));
            assertThat(Tensor.ones(1).owner()).isSameAs(s);
        }
        assertThat(p.toFloats()).containsExactly(2, 2);
        p.close();
    }

    @Test
    void retainIsAHandleOfItsOwn() {
        Tensor x = Tensor.ones(2).requiresGrad(true);
        Tensor y;
        try (Scope s = Scope.open()) {
            y = x.retain();
        }
        x.close();
        assertThat(y.toFloats()).containsExactly(1, 1);
        assertThat(y.id()).isEqualTo(x.id());
        assertThat(y.requiresGrad()).isTrue();
        assertThat(y.detach().id()).isNotEqualTo(x.id());
        y.close();
    }

    @Test
    void adoptPutsAHandleIntoTheScope() {
        Tensor y = Tensor.ones(2).retain();
        try (Scope s = Scope.open("step")) {
            assertThat(Scope.adopt(y)).isSameAs(y);
        }
        assertThat(y.isClosed()).isTrue();
    }

    @Test
    void scopesCloseInReverseOrder() {
        Scope outer = Scope.open("outer");
        Scope inner = Scope.open("inner");
        assertThatThrownBy(outer::close).isInstanceOf(GraftException.class)
                .hasMessage("scope 'outer' was closed out of order or on another thread: open scopes in try-with-resources");
        Tensor x = Tensor.ones(1);
        assertThat(x.owner()).isSameAs(inner);
        inner.close();
        outer.close();
        outer.close();
        assertThat(x.isClosed()).isTrue();
        assertThat(Tensor.ones(1).owner()).isNull();
    }

    @Test
    void aScopeBelongsToItsThread() throws InterruptedException {
        try (Scope s = Scope.open("main")) {
            AtomicReference<Throwable> thrown = new AtomicReference<>();
            AtomicReference<Tensor> made = new AtomicReference<>();
            Thread t = new Thread(() -> {
                made.set(Tensor.ones(1));
                try {
                    s.close();
                } catch (Throwable e) {
                    thrown.set(e);
                }
            });
            t.start();
            t.join();
            assertThat(thrown.get()).isInstanceOf(GraftException.class).hasMessageContaining("another thread");
            assertThat(made.get().owner()).isNull();
        }
    }

    @Test
    void anExceptionStillClosesTheScope() {
        Tensor[] x = new Tensor[1];
        assertThatThrownBy(() -> {
            try (Scope s = Scope.open()) {
                x[0] = Tensor.ones(2, 3);
                x[0].matmul(x[0]);
            }
        }).isInstanceOf(GraftException.class);
        assertThat(x[0].isClosed()).isTrue();
        assertThat(Tensor.ones(1).owner()).isNull();
    }

    @Test
    void anOpThatFailsLeavesNoOutputBehind() {
        Tensor table = Tensor.zeros(4, 1000);
        Tensor bad = Tensor.of(new int[] {9}, 1);
        long before = Memory.report().live();
        assertThatThrownBy(() -> table.take(bad)).hasMessageContaining("index 9 is outside axis 0 of [4, 1000]");
        assertThat(Memory.report().live()).isLessThanOrEqualTo(before);
    }

    @Test
    void aFusedOpOnOtherDtypesKeepsItsResultOnly() {
        Tensor x = Tensor.of(new double[6], 2, 3);
        Tensor w = Tensor.of(new double[12], 4, 3);
        Tensor b = Tensor.of(new double[] {1, 2, 3, 4}, 4);
        long before = Memory.report().tensors();
        try (Tensor y = Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.RELU), x, w, b)) {
            assertThat(y.toDoubles()).containsExactly(1, 2, 3, 4, 1, 2, 3, 4);
            assertThat(Memory.report().tensors()).isLessThanOrEqualTo(before + 1);
        }
    }
}
