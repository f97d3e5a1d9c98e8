package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.op.StoredLinearOp;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Stored weights at the ends of their range. */
class StoredLinearTest {
    private static Tensor filled(DType type, double value, int... dims) {
        return Tensor.fill(new TensorSpec(type, Shape.of(dims)), value, Device.CPU);
    }

    private static Tensor ints(int value, int... dims) {
        byte[] q = new byte[Math.toIntExact(Shape.of(dims).size())];
        Arrays.fill(q, (byte) value);
        return Tensor.from(DType.I8, q, Shape.of(dims));
    }

    /** 3072 · 127 is beyond float16's 65504, 3072 · 127 · 0.001 = 390.1 is not: 390.25 with steps of 1/4. */
    @Test
    void float16ProductsWithInt8WeightsStayInRange() {
        try (Scope s = Scope.open()) {
            Tensor x = filled(DType.F16, 1, 2, 3072);
            Tensor scale = filled(DType.F32, 0.001, 3);
            StoredLinearOp op = new StoredLinearOp.StoredLinear(false);
            for (Tensor y : new Tensor[] {op.compose(new Tensor[] {x, ints(127, 3, 3072), scale}),
                Dispatcher.one(op, x, ints(127, 3, 3072), scale)}) {
                assertThat(y.dtype()).isEqualTo(DType.F16);
                for (float v : y.toFloats()) {
                    assertThat(v).isCloseTo(390.144f, within(0.26f));
                }
            }
        }
    }

    /** 2⁻²⁰ · 0.001 would be 0 in float16; times 127, 1024 of them sum to 1.24e-4. */
    @Test
    void float16GradientsThroughInt8WeightsStayInRange() {
        try (Scope s = Scope.open()) {
            Tensor dy = filled(DType.F16, 0x1p-20, 2, 1024);
            Tensor dx = new StoredLinearOp.StoredLinearBackward().compose(new Tensor[] {dy, ints(127, 1024, 3),
                filled(DType.F32, 0.001, 1024)});
            for (float v : dx.toFloats()) {
                assertThat(v).isCloseTo((float) (1024 * 0x1p-20 * 0.127), within(2e-7f));
            }
        }
    }

    @Test
    void theLowestInt8IsAValueAsAnyOther() {
        for (int rows : new int[] {1, 5, 65}) {
            try (Scope s = Scope.open()) {
                Tensor y = Dispatcher.one(new StoredLinearOp.StoredLinear(false), filled(DType.F32, 1, rows, 70),
                        ints(-128, 19, 70), filled(DType.F32, 0.5, 19));
                assertThat(y.shape()).isEqualTo(Shape.of(rows, 19));
                assertThat(y.toFloats()).containsOnly(-128 * 0.5f * 70);
                Tensor dx = Dispatcher.one(new StoredLinearOp.StoredLinearBackward(), filled(DType.F32, 1, rows, 19),
                        ints(-128, 19, 70), filled(DType.F32, 0.5, 19));
                assertThat(dx.toFloats()).containsOnly(-128 * 0.5f * 19);
            }
        }
    }
}
