package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.MatMul;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** How matrix products are launched; that they are right in all types is the catalogue's matter. */
class ProductsOnDeviceTest {
    private static final Device CUDA = Device.cuda();

    @BeforeAll
    static void open() {
        OnDevice.open();
    }

    /** Axes that broadcast unevenly need several launches, even ones a single launch. */
    @Test
    void broadcastBatches() {
        int[][][] shapes = {{{3, 1, 2}, {4, 1}, {3, 4, 2}}, {{2, 3}, {1, 1}, {2, 3}}, {{1, 3}, {2, 1}, {2, 3}},
            {{5, 1, 1}, {1, 2, 2}, {5, 2, 2}}};
        long[] launches = {6, 1, 2, 4};
        SplittableRandom r = new SplittableRandom(3);
        for (int i = 0; i < shapes.length; i++) {
            try (Scope s = Scope.open("batches")) {
                Tensor a = OnDevice.random(r, DType.F64, join(shapes[i][0], 3, 5));
                Tensor b = OnDevice.random(r, DType.F64, join(shapes[i][1], 5, 2));
                Tensor want = OnDevice.reference(() -> Dispatcher.one(new MatMul(false, false), a, b));
                Tensor x = a.to(CUDA);
                Tensor y = b.to(CUDA);
                long before = products();
                Tensor got = Dispatcher.one(new MatMul(false, false), x, y);
                assertThat(products() - before).as(Arrays.deepToString(shapes[i]))
                        .isEqualTo(launches[i]);
                assertThat(got.shape().dims()).startsWith(shapes[i][2]);
                assertThat(OnDevice.difference(got, want)).isLessThan(1e-12);
            }
        }
    }

    private static long products() {
        return EmulatedCuda.launches("cublasGemmEx") + EmulatedCuda.launches("cublasGemmStridedBatchedEx");
    }

    private static int[] join(int[] a, int... b) {
        int[] all = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }

    /** float32 is exact unless TF32 is allowed, and then it is not: 1 + 2^-12 needs more than 10 bits. */
    @Test
    void tf32IsUsedWhenAllowedOnly() {
        try (Scope s = Scope.open("tf32")) {
            Tensor a = Tensor.of(new float[] {1 + 0x1p-12f, 0}, 1, 2).to(CUDA);
            Tensor b = Tensor.of(new float[] {1, 0, 0, 1}, 2, 2).to(CUDA);
            Numerics exact = Numerics.DEFAULT.withTf32(false);
            assertThat(Context.inference().withNumerics(exact).call(() -> a.matmul(b)).toFloats()[0])
                    .isEqualTo(1 + 0x1p-12f);
            assertThat(Context.inference().withNumerics(exact.withTf32(true)).call(() -> a.matmul(b)).toFloats()[0])
                    .isEqualTo(1f);
        }
    }

    @Test
    void aLinearLayerIsAProductAndOnePassMore() {
        try (Scope s = Scope.open("linear")) {
            SplittableRandom r = new SplittableRandom(4);
            Tensor x = OnDevice.random(r, DType.F32, 33, 20).to(CUDA);
            Tensor w = OnDevice.random(r, DType.F32, 24, 20).to(CUDA);
            Tensor b = OnDevice.random(r, DType.F32, 24).to(CUDA);
            long products = products();
            long all = EmulatedCuda.count("launches");
            Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.RELU), x, w, b);
            assertThat(products() - products).isEqualTo(1);
            assertThat(EmulatedCuda.count("launches") - all).isEqualTo(2);
        }
    }

    @Test
    void mixedTypesAreRefusedInOneSentence() {
        try (Scope s = Scope.open("mixed")) {
            SplittableRandom r = new SplittableRandom(5);
            Tensor x = OnDevice.random(r, DType.BF16, 2, 3).to(CUDA);
            Tensor w = OnDevice.random(r, DType.BF16, 4, 3).to(CUDA);
            Tensor b = OnDevice.random(r, DType.F32, 4).to(CUDA);
            assertThatThrownBy(() -> Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.NONE), x, w, b))
                    .isInstanceOf(GraftException.class).hasMessageContaining("bfloat16").hasMessageContaining("float32[4]")
                    .hasMessageEndingWith("cast it");
        }
    }
}
