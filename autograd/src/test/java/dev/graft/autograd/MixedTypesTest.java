package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Ops whose 16-bit inputs meet float32 ones: each input's gradient has its own type, and the gradient's gradient too. */
class MixedTypesTest {
    static Stream<OpCatalog.Case> mixed() {
        return OpCatalog.cases().stream().filter(c -> isForward(c.op())
                && c.inputs().stream().map(OpCatalog.Input::dtype).anyMatch(d -> d == DType.F16 || d == DType.BF16));
    }

    private static boolean isForward(Op op) {
        return op instanceof NormOp && !op.name().endsWith("backward");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mixed")
    void gradientsHaveTheTypesOfTheirInputsAndTheValuesOfFloat32(OpCatalog.Case c) {
        Tensor[] in = OpCatalog.inputs(c, DType.F32, 3);
        Tensor[] wide = Stream.of(in).map(t -> t.cast(DType.F32)).toArray(Tensor[]::new);
        Tensor weights = Tensor.randn(Dispatcher.run(c.op(), in)[0].shape().dims());
        boolean half = in[0].dtype() == DType.F16;
        for (boolean twice : new boolean[] {false, true}) {
            Tensor[] got = gradients(c.op(), in, weights, twice);
            Tensor[] want = gradients(c.op(), wide, weights, twice);
            for (int i = 0; i < in.length; i++) {
                if (want[i] == null) {
                    assertThat(got[i]).isNull();
                    continue;
                }
                assertThat(got[i].spec()).isEqualTo(in[i].spec());
                double[] x = got[i].toDoubles();
                double[] y = want[i].toDoubles();
                double largest = 1;
                for (double v : y) {
                    largest = Math.max(largest, Math.abs(v));
                }
                for (int k = 0; k < x.length; k++) {
                    assertThat(x[k]).as("input %d element %d", i, k).isCloseTo(y[k], within(largest * (half ? 0.01 : 0.06)));
                }
            }
        }
    }

    /** Of Σ w·y by each input; or of the sum of the squares of these gradients. */
    private static Tensor[] gradients(Op op, Tensor[] in, Tensor weights, boolean twice) {
        if (!twice) {
            return Tape.vjp(x -> new Tensor[] {Dispatcher.run(op, x)[0]}, in,
                    new Tensor[] {weights.cast(in[0].dtype())});
        }
        Tensor[] ones = {Tensor.scalar(1)};
        return Tape.vjp(x -> {
            Tensor sum = Tensor.scalar(0);
            for (Tensor g : gradients(op, x, weights, false)) {
                sum = sum.add(g.cast(DType.F32).square().mean());
            }
            return new Tensor[] {sum};
        }, in, ones);
    }
}
