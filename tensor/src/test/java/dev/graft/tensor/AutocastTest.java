package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AutocastTest {
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static <T> T with(DType low, Supplier<T> body) {
        try (Autocast a = new Autocast(low)) {
            return a.call(body);
        }
    }

    private static Tensor bf16(int... dims) {
        return Tensor.uniform(-1, 1, dims).cast(DType.BF16);
    }

    private static Tensor f32(int... dims) {
        return Tensor.uniform(-1, 1, dims);
    }

    /** Notes the casts that come by. */
    private static final class Casts implements Interceptor {
        private final List<TensorSpec> of = new ArrayList<>();
        private boolean tracking;

        @Override
        public boolean needsPrimitives(Tensor[] inputs) {
            return tracking && inputs.length == 1 && inputs[0].requiresGrad();
        }

        @Override
        public Tensor[] intercept(Op op, Tensor[] in, Next next) {
            if (op instanceof ElementwiseOp.Cast) {
                of.add(in[0].spec());
            }
            return next.run(op, in);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"BF16", "F16"})
    void productsAreLowAndNearTheFloatOnes(DType low) {
        Tensor x = f32(5, 7);
        Tensor w = f32(7, 3);
        Tensor y = with(low, () -> x.matmul(w));
        assertThat(y.dtype()).isEqualTo(low);
        assertThat(y.toFloats()).containsExactly(x.matmul(w).toFloats(), within(0.03f));
        assertThat(y.toFloats()).isNotEqualTo(x.matmul(w).toFloats());
        Tensor image = f32(1, 4, 4, 2);
        Tensor kernel = f32(3, 2, 2, 2);
        assertThat(with(low, () -> image.conv2d(kernel, ConvParams.of(1, 0))).dtype()).isEqualTo(low);
        Tensor q = f32(1, 3, 2, 4);
        assertThat(with(low, () -> q.attention(q, q, null, false)).dtype()).isEqualTo(low);
        Tensor fused = with(low, () -> Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.RELU), x,
                f32(2, 7), f32(2)));
        assertThat(fused.dtype()).isEqualTo(low);
    }

    @Test
    void whatNeedsRangeOrDigitsIsFloat() {
        Tensor x = bf16(4, 5);
        Tensor target = Tensor.of(new int[] {0, 1, 2, 3}, 4);
        with(DType.BF16, () -> {
            for (Tensor y : List.of(x.softmax(), x.logSoftmax(), x.sum(), x.mean(1), x.exp(), x.abs().log(), x.pow(2),
                    x.square(), x.softplus(), x.crossEntropy(target, 0, -100))) {
                assertThat(y.dtype()).isEqualTo(DType.F32);
            }
            return null;
        });
        float[] logits = {70000, 0};        // beyond float16
        Tensor big = Tensor.of(logits, 1, 2);
        assertThat(with(DType.F16, big::softmax).toFloats()).containsExactly(1, 0);
    }

    @Test
    void otherOpsKeepTheirType() {
        Tensor x = bf16(4, 5);
        with(DType.BF16, () -> {
            for (Tensor y : List.of(x.relu(), x.gelu(), x.mul(2), x.reshape(5, 4), x.permute(1, 0), x.max(), x.tanh())) {
                assertThat(y.dtype()).isEqualTo(DType.BF16);
            }
            assertThat(f32(3).relu().dtype()).isEqualTo(DType.F32);
            return null;
        });
    }

    @Test
    void aSmallerTensorFollowsAndEqualOnesMeetInFloat() {
        Tensor x = bf16(4, 5);
        with(DType.BF16, () -> {
            assertThat(x.add(f32(5)).dtype()).isEqualTo(DType.BF16);
            assertThat(f32(5).add(x).dtype()).isEqualTo(DType.BF16);
            assertThat(f32(4, 5).add(bf16(5)).dtype()).isEqualTo(DType.F32);
            assertThat(x.add(f32(4, 5)).dtype()).isEqualTo(DType.F32);
            assertThat(bf16(4, 1).add(f32(1, 5)).dtype()).isEqualTo(DType.F32);
            assertThat(x.gt(f32(5)).dtype()).isEqualTo(DType.BOOL);
            assertThat(x.gt(0).where(x, Tensor.scalar(0)).dtype()).isEqualTo(DType.BF16);
            assertThat(Tensor.concat(0, x, f32(1, 5)).dtype()).isEqualTo(DType.F32);
            return null;
        });
    }

    @Test
    void normsTakeLowInputsAndFloatParameters() {
        Tensor x = f32(6, 4);
        Tensor[] y = with(DType.BF16, () -> Dispatcher.run(new NormOp.LayerNorm(1e-5), x, Tensor.ones(4), Tensor.zeros(4)));
        assertThat(y[0].dtype()).isEqualTo(DType.BF16);
        assertThat(y[1].dtype()).isEqualTo(DType.F32);
        Tensor[] bn = with(DType.F16, () -> Dispatcher.run(new NormOp.BatchNormActivation(1e-5, FusedOp.Activation.RELU), x,
                Tensor.ones(4), Tensor.zeros(4), x));
        assertThat(bn[0].dtype()).isEqualTo(DType.F16);
    }

    @Test
    void doubleIsLeftAlone() {
        Tensor x = Tensor.of(new double[] {1, 2, 3, 4}, 2, 2);
        assertThat(with(DType.BF16, () -> x.matmul(x)).dtype()).isEqualTo(DType.F64);
        assertThatThrownBy(() -> new Autocast(DType.F32)).isInstanceOf(GraftException.class)
                .hasMessageContaining("bfloat16");
    }

    @Test
    void weightsAreCastOnceUntilTheyChange() {
        Tensor w = Scope.persistent(() -> f32(7, 3));
        Tensor x = bf16(5, 7);
        Casts casts = new Casts();
        try (Autocast a = new Autocast(DType.BF16)) {
            Runnable use = () -> Context.current().with(casts).run(() -> a.call(() -> x.matmul(w)));
            use.run();
            use.run();
            assertThat(casts.of).containsExactly(w.spec());
            assertThat(a.keptBytes()).isEqualTo(2 * 21);
            w.write(new float[21]);
            Tensor y = Context.current().with(casts).call(() -> a.call(() -> x.matmul(w)));
            assertThat(y.toFloats()).containsOnly(0);
            assertThat(casts.of).hasSize(2);
            assertThat(a.keptBytes()).isEqualTo(2 * 21);
        }
        w.close();
    }

    @Test
    void castsOfReplacedWeightsGo() {
        Tensor x = bf16(5, 7);
        try (Autocast a = new Autocast(DType.BF16)) {
            for (int i = 0; i < 4; i++) {
                try (Tensor w = Scope.persistent(() -> f32(7, 3))) {
                    a.call(() -> x.matmul(w));
                }
                assertThat(a.keptBytes()).isEqualTo(2 * 21);
            }
        }
    }

    @Test
    void trainableWeightsAreForgottenAfterAnEvaluation() {
        Tensor frozen = Scope.persistent(() -> f32(7, 3));
        Tensor trained = Scope.persistent(() -> f32(7, 5)).requiresGrad(true);
        Tensor x = bf16(5, 7);
        try (Autocast a = new Autocast(DType.BF16)) {
            a.call(() -> x.matmul(frozen));
            a.call(() -> x.matmul(trained));
            assertThat(a.keptBytes()).isEqualTo(2 * (21 + 35));
            a.endEvaluation();
            assertThat(a.keptBytes()).isEqualTo(2 * 21);
        }
    }

    @Test
    void whatIsKeptHasALimit() {
        Tensor x = bf16(1, 10);
        Tensor[] w = new Tensor[5];
        try (Autocast a = new Autocast(DType.BF16, 70)) {
            for (int i = 0; i < w.length; i++) {
                w[i] = Scope.persistent(() -> f32(10, 1));
                Tensor one = w[i];
                a.call(() -> x.matmul(one));
                assertThat(a.keptBytes()).isLessThanOrEqualTo(70);
            }
            assertThat(a.keptBytes()).isEqualTo(60);
            Tensor large = Scope.persistent(() -> f32(10, 20));
            assertThat(a.call(() -> x.matmul(large)).dtype()).isEqualTo(DType.BF16);
            assertThat(a.keptBytes()).isEqualTo(60);
        }
    }

    @Test
    void trackedWeightsAreCastOncePerRecording() {
        Tensor w = Scope.persistent(() -> f32(7, 3)).requiresGrad(true);
        Tensor x = bf16(5, 7);
        Casts first = new Casts();
        first.tracking = true;
        Casts second = new Casts();
        second.tracking = true;
        try (Autocast a = new Autocast(DType.BF16)) {
            Context.current().with(first).run(() -> a.call(() -> x.matmul(w).add(x.matmul(w))));
            assertThat(first.of).containsExactly(w.spec());
            Context.current().with(second).run(() -> a.call(() -> x.matmul(w)));
            assertThat(second.of).as("another tape must see the cast").containsExactly(w.spec());
            assertThat(a.keptBytes()).isZero();
        }
    }

    /** The stream that residual layers add to keeps its digits, with the sum in the product's write-back as without. */
    @Test
    void aResidualKeepsFloat32() {
        Tensor x = f32(5, 8);
        Tensor w = f32(4, 8);
        Tensor b = f32(4);
        Tensor residual = f32(5, 4).add(1000);
        Tensor sum = with(DType.BF16,
                () -> Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.NONE), x, w, b, residual));
        Tensor apart = with(DType.BF16, () -> residual.add(
                Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.NONE), x, w, b)));
        assertThat(sum.dtype()).isEqualTo(DType.F32);
        assertThat(sum.toFloats()).containsExactly(apart.toFloats());
    }
}
