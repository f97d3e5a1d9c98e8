package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.PrimitiveOp;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every rule of the gradient table against central differences, once and twice, on the cases of the op catalogue. */
class GradientCatalogTest {
    static List<OpCatalog.Case> differentiable() {
        return OpCatalog.cases().stream().filter(OpCatalog.Case::differentiable).filter(c -> !meetsAKink(c)).toList();
    }

    /** Of many pairs of numbers some are closer than the step of the differences, where max and min have a kink. */
    private static boolean meetsAKink(OpCatalog.Case c) {
        return c.op() instanceof ElementwiseOp.Binary(BinaryFn fn) && (fn == BinaryFn.MAXIMUM || fn == BinaryFn.MINIMUM)
                && c.inputs().stream().mapToLong(i -> i.shape().size()).max().orElse(0) > 100;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("differentiable")
    void gradientAndItsGradientAgreeWithCentralDifferences(OpCatalog.Case c) {
        try (Scope s = Scope.open()) {
            Tensor[] in = OpCatalog.inputs(c, DType.F64, 7);
            GradCheck.of(x -> Dispatcher.run(c.op(), x)[0], in).elements(24).tolerance(1e-5).checkTwice();
        }
    }

    @Test
    void everyOpWithAGradientIsChecked() {
        Set<Class<?>> checked = differentiable().stream().map(c -> c.op().getClass()).collect(Collectors.toSet());
        // these backward ops take statistics of their own input: the forward ops' second derivatives check their rules
        Set<Class<?>> all = OpCatalog.cases().stream().map(OpCatalog.Case::op)
                .filter(op -> op instanceof PrimitiveOp && !(op instanceof CreateOp) && !(op instanceof ReduceOp.ArgReduce)
                        && !(op instanceof ElementwiseOp.Cast) && !takesStatistics((PrimitiveOp) op))
                .map(Object::getClass).collect(Collectors.toSet());
        assertThat(checked).containsAll(all);
    }

    private static boolean takesStatistics(PrimitiveOp op) {
        return (op instanceof NormOp || op instanceof LossOp || op instanceof AttentionOp)
                && op.name().endsWith("_backward");
    }

    @Test
    void everyElementwiseFunctionIsChecked() {
        Set<UnaryFn> checked = differentiable().stream().map(OpCatalog.Case::op)
                .filter(ElementwiseOp.Unary.class::isInstance).map(op -> ((ElementwiseOp.Unary) op).fn())
                .collect(Collectors.toSet());
        assertThat(checked).contains(UnaryFn.values());
    }

    @Test
    void aCastsGradientHasTheTypeOfItsInput() {
        Tensor x = Tensor.of(new double[] {0.5, -2}, 2);
        try (Tape tape = new Tape()) {
            tape.watch(x);
            Tensor loss = tape.record(() -> x.cast(DType.F32).mul(3).sum());
            Tensor dx = tape.backward(loss).of(x);
            assertThat(dx.dtype()).isEqualTo(DType.F64);
            assertThat(dx.toDoubles()).containsExactly(3, 3);
        }
    }

    @Test
    void theCheckFindsAWrongGradient() {
        Tensor x = Tensor.of(new double[] {0.3, -0.8}, 2);
        assertThatThrownBy(() -> GradCheck.of(in -> in[0].add(in[0].detach().tanh()), x).check())
                .isInstanceOf(GraftException.class).hasMessageContaining("central differences give");
    }
}
