package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.CatalogComparison;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the catalogue does not say of elementwise ops: conversions of ugly numbers, integers, many axes, thread orders. */
class CudaElementwiseTest {
    private static final Device CUDA = Device.cuda();
    private static final double INF = Double.POSITIVE_INFINITY;
    private static final double[] UGLY = {0.0, -0.0, Double.NaN, INF, -INF, 1, -1, 0.5, -0.5, 1.5, 2.5, 127.5, -128.9, 255.7,
        256, 32767.9, -40000, 65519.9, 65520, 70000, 2147483647, -3e9, 1e19, -1e19, 1e30, 1e300, 1e-30, 1e-320, 6e-8, 2.9e-8,
        2.98023223876953125e-8, 1 + 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 1 + 3 * 0x1p-11, 1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-45,
        1 + 3 * 0x1p-8, 0x1p-14 - 0x1p-26, 3.4e38, 3.39e38, 1e-40};
    private Scope scope;

    @BeforeAll
    static void device() {
        OnDevice.open();
    }

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        EmulatedCuda.reset();
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void castsRoundAndSaturateAsOnTheCpu(DType from) {
        Tensor x = from.isFloat() ? Tensor.of(UGLY, UGLY.length).cast(from)
                : Tensor.of(new long[] {0, 1, -1, 2, 127, 128, 255, 256, -129, 65504, 65519, 65520, 1L << 31, -(1L << 40),
                    Long.MAX_VALUE, Long.MIN_VALUE, (1L << 53) + 1, (1L << 24) + 1, 2049, 2051, 257, 259}, 22).cast(from);
        Tensor on = x.to(CUDA);
        for (DType to : DType.values()) {
            Object want = OnDevice.reference(() -> x.cast(to)).toArray();
            assertThat(bits(on.cast(to))).as(from + " to " + to).isEqualTo(bits(Tensor.from(to, want, x.shape())));
        }
    }

    /** NaNs of any kind are equal. */
    private static List<Object> bits(Tensor t) {
        double[] v = t.to(Device.CPU).toDoubles();
        Object array = t.toArray();
        List<Object> all = new ArrayList<>();
        for (int i = 0; i < v.length; i++) {
            all.add(v[i] != v[i] ? "NaN" : java.lang.reflect.Array.get(array, i));
        }
        return all;
    }

    @Test
    void integersWithoutAResultAreReported() {
        Tensor x = Tensor.of(new long[] {4, -9, 5}, 3).to(CUDA);
        Tensor y = Tensor.of(new long[] {2, 0, -1}, 3).to(CUDA);
        assertThatThrownBy(() -> x.div(y).toLongs()).isInstanceOf(GraftException.class)
                .hasMessageContaining("integer division by zero");
        assertThatThrownBy(() -> x.pow(y).toLongs()).isInstanceOf(GraftException.class)
                .hasMessageContaining("negative power");
        assertThatThrownBy(() -> x.div(0)).hasMessageContaining("integer division by zero");
        assertThatThrownBy(() -> x.pow(-1)).hasMessageContaining("negative power -1");
        assertThat(x.div(Tensor.of(new long[] {2, 2, -2}, 3).to(CUDA)).toLongs()).containsExactly(2, -4, -2);
        Tensor least = Tensor.of(new long[] {Long.MIN_VALUE, 7, 3}, 3).to(CUDA);
        assertThat(least.div(Tensor.of(new long[] {-1, -1, 2}, 3).to(CUDA)).toLongs())
                .containsExactly(Long.MIN_VALUE, -7, 1);
    }

    @Test
    void moreAxesThanAKernelWalksRunOnTheHost() {
        int[] a = new int[10];
        int[] b = new int[10];
        for (int i = 0; i < a.length; i++) {
            a[i] = i % 2 == 0 ? 2 : 1;
            b[i] = i % 2 == 0 ? 1 : 2;
        }
        SplittableRandom r = new SplittableRandom(1);
        Tensor x = OnDevice.random(r, DType.F32, a);
        Tensor y = OnDevice.random(r, DType.F32, b);
        CudaBackend backend = (CudaBackend) Backends.of(CUDA);
        int before = backend.fallbacks().getOrDefault("add float32", 0);
        assertThat(x.to(CUDA).add(y.to(CUDA)).toFloats()).containsExactly(x.add(y).toFloats());
        assertThat(backend.fallbacks().get("add float32")).isEqualTo(before + 1);
        int[] c = Arrays.copyOf(b, 8);
        Tensor fewer = OnDevice.random(r, DType.F32, Arrays.copyOf(a, 8));
        Tensor other = OnDevice.random(r, DType.F32, c);
        assertThat(fewer.to(CUDA).mul(other.to(CUDA)).toFloats()).containsExactly(fewer.mul(other).toFloats());
        assertThat(backend.fallbacks()).doesNotContainKey("mul float32");
    }

    /** Functions and their derivatives over the whole range, 16-bit types in all their values. */
    @Test
    void everyBfloat16HasItsFunctionValue() {
        short[] all = new short[1 << 16];
        for (int i = 0; i < all.length; i++) {
            all[i] = (short) i;
        }
        Tensor x = Tensor.from(DType.BF16, all, dev.graft.tensor.Shape.of(all.length));
        double[] v = x.cast(DType.F64).toDoubles();
        Tensor on = x.to(CUDA);
        for (UnaryFn fn : List.of(UnaryFn.SIGMOID, UnaryFn.GELU, UnaryFn.SILU, UnaryFn.TANH, UnaryFn.SOFTPLUS,
                UnaryFn.EXP)) {
            double[] y = on.unary(fn).to(Device.CPU).toDoubles();
            for (int i = 0; i < v.length; i++) {
                double want = fn.apply(v[i], 0);
                double error = Math.abs(y[i] - want);
                // half a unit of bfloat16, a little for float32 underneath, and what float32 cannot tell from 0
                assertThat(error <= Math.abs(want) * 0x1.02p-8 + 2e-6 * Math.min(1, Math.abs(v[i])) + 1e-38 || y[i] == want
                        || y[i] != y[i] && want != want || Math.abs(want) > 3.38e38 && Double.isInfinite(y[i]))
                        .as(fn + "(" + v[i] + ") is " + y[i] + ", expected " + want).isTrue();
            }
        }
    }

    @Test
    void noOrderOfThreadsChangesAResult() {
        List<String> differences = new ArrayList<>();
        EmulatedCuda.order(EmulatedCuda.Order.RANDOM, 11);
        for (OpCatalog.Case c : OpCatalog.cases()) {
            boolean mine = c.op() instanceof ElementwiseOp || c.op() instanceof LayoutOp || c.op() instanceof CreateOp;
            if (mine && !c.large() && !(c.op() instanceof ElementwiseOp.Cast)) {
                try (Scope s = Scope.open(c.name())) {
                    CatalogComparison.compare(CUDA, c, DType.F32, 6, differences);
                }
            }
        }
        assertThat(differences).isEmpty();
    }

    /** Whole groups and tails of every length; the emulated device sees what is read or written outside. */
    @Test
    void everyLengthIsComputedWhole() {
        for (DType type : List.of(DType.F32, DType.BF16, DType.U8, DType.F64)) {
            for (int n = 1; n <= 35; n++) {
                double[] v = new SplittableRandom(n).ints(n, 1, 100).asDoubleStream().toArray();
                Tensor x = Tensor.of(v, n).cast(type);
                Tensor on = x.to(CUDA);
                assertThat(on.binary(BinaryFn.MAXIMUM, on.reshape(n)).toDoubles()).containsExactly(x.toDoubles());
                assertThat(on.binary(BinaryFn.MAXIMUM, 50).toDoubles())
                        .containsExactly(Arrays.stream(v).map(d -> Math.max(d, 50)).toArray());
            }
        }
    }
}
