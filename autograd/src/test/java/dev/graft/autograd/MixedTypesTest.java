package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Ops whose 16-bit inputs meet float32 ones: each input's gradient has its own type, and the gradient's gradient too. */
class MixedTypesTest {
    static Stream<Arguments> mixed() {
        return OpCatalog.cases().stream().filter(MixedTypesTest::mixes)
                .flatMap(c -> Stream.of(DType.F16, DType.BF16).map(d -> Arguments.of(c, d)));
    }

    private static boolean mixes(OpCatalog.Case c) {
        boolean forward = (c.op() instanceof NormOp || c.op() instanceof LossOp || c.op() instanceof AttentionOp)
                && !c.op().name().endsWith("backward");
        // of large values some round to 6, where the gradient ends
        boolean atKink = c.op() instanceof NormOp.BatchNormActivation b && b.activation() == FusedOp.Activation.RELU6;
        return forward && !atKink && !c.large() && !c.special() && (!(c.op() instanceof NormOp) || c.inputs().stream()
                .anyMatch(i -> i.wide() || i.dtype() == DType.F16 || i.dtype() == DType.BF16));
    }

    @ParameterizedTest(name = "{0} in {1}")
    @MethodSource("mixed")
    void gradientsHaveTheTypesOfTheirInputsAndTheValuesOfFloat32(OpCatalog.Case c, DType type) {
        Tensor[] in = OpCatalog.inputs(c, type, 3);
        Tensor[] wide = Stream.of(in).map(t -> t.dtype().isFloat() ? t.cast(DType.F32) : t).toArray(Tensor[]::new);
        Tensor y = Dispatcher.run(c.op(), in)[0];
        if (y.size() == 0) {
            return;
        }
        Tensor weights = Tensor.randn(y.shape().dims()).cast(y.dtype());
        boolean half = in[0].dtype() == DType.F16;
        for (boolean twice : new boolean[] {false, true}) {
            Tensor[] got = gradients(c.op(), in, weights, twice);
            Tensor[] want = gradients(c.op(), wide, weights.cast(DType.F32), twice);
            for (int i = 0; i < in.length; i++) {
                if (want[i] == null) {
                    assertThat(got[i]).isNull();
                    continue;
                }
                assertThat(got[i].spec()).isEqualTo(in[i].spec());
                double[] x = got[i].toDoubles();
                double[] w = want[i].toDoubles();
                double largest = 1;
                for (double v : w) {
                    largest = Math.max(largest, Math.abs(v));
                }
                for (int k = 0; k < x.length; k++) {
                    assertThat(x[k]).as("input %d element %d", i, k).isCloseTo(w[k], within(largest * (half ? 0.01 : 0.06)));
                }
            }
        }
    }

    /** Of Σ w·y by each input; or of the sum of the squares of these gradients. */
    private static Tensor[] gradients(Op op, Tensor[] in, Tensor weights, boolean twice) {
        if (!twice) {
            return Tape.vjp(x -> new Tensor[] {Dispatcher.run(op, x)[0]}, in,
                    new Tensor[] {weights});
        }
        Tensor[] ones = {Tensor.scalar(1)};
        return Tape.vjp(x -> {
            Tensor sum = Tensor.scalar(0);
            for (Tensor g : gradients(op, x, weights, false)) {
                sum = g == null ? sum : sum.add(g.cast(DType.F32).square().mean());
            }
            return new Tensor[] {sum};
        }, in, ones);
    }
}
