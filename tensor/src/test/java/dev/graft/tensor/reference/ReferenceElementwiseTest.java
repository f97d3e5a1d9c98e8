package dev.graft.tensor.reference;

import static dev.graft.tensor.reference.Check.close;
import static dev.graft.tensor.reference.Check.random;
import static dev.graft.tensor.reference.Check.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Values as PyTorch prints them, derivatives against differences, integers, broadcasting, rounding to narrow types. */
@ExtendWith(OnReference.class)
class ReferenceElementwiseTest {
    /** f(1) and f(-1) as PyTorch 2 gives them in float64, to 7 digits; leaky ReLU with 0.01, ELU with 1. */
    private static final Map<UnaryFn, double[]> AT_ONE = Map.ofEntries(
            Map.entry(UnaryFn.EXP, new double[] {2.7182818, 0.3678794}),
            Map.entry(UnaryFn.EXPM1, new double[] {1.7182818, -0.6321206}),
            Map.entry(UnaryFn.SIN, new double[] {0.8414710, -0.8414710}),
            Map.entry(UnaryFn.COS, new double[] {0.5403023, 0.5403023}),
            Map.entry(UnaryFn.TANH, new double[] {0.7615942, -0.7615942}),
            Map.entry(UnaryFn.SIGMOID, new double[] {0.7310586, 0.2689414}),
            Map.entry(UnaryFn.ERF, new double[] {0.8427008, -0.8427008}),
            Map.entry(UnaryFn.RELU, new double[] {1, 0}),
            Map.entry(UnaryFn.RELU6, new double[] {1, 0}),
            Map.entry(UnaryFn.LEAKY_RELU, new double[] {1, -0.01}),
            Map.entry(UnaryFn.ELU, new double[] {1, -0.6321206}),
            Map.entry(UnaryFn.SELU, new double[] {1.0507010, -1.1113307}),
            Map.entry(UnaryFn.SILU, new double[] {0.7310586, -0.2689414}),
            Map.entry(UnaryFn.GELU, new double[] {0.8413447, -0.1586553}),
            Map.entry(UnaryFn.GELU_TANH, new double[] {0.8411920, -0.1588080}),
            Map.entry(UnaryFn.SOFTPLUS, new double[] {1.3132617, 0.3132617}),
            Map.entry(UnaryFn.MISH, new double[] {0.8650984, -0.3034015}),
            Map.entry(UnaryFn.HARD_SWISH, new double[] {0.6666667, -0.3333333}),
            Map.entry(UnaryFn.HARD_SIGMOID, new double[] {0.6666667, 0.3333333}));

    @Test
    void functionsHaveTheirKnownValues() {
        Tensor x = Tensor.of(new double[] {1, -1}, 2);
        AT_ONE.forEach((fn, want) -> close(x.unary(fn, fn == UnaryFn.ELU ? 1 : 0.01), 6e-8, want));
        close(Tensor.of(new double[] {4, 0.25}, 2).sqrt(), 0, 2, 0.5);
        close(Tensor.of(new double[] {4, 0.25}, 2).rsqrt(), 0, 0.5, 2);
        close(Tensor.of(new double[] {4, -0.5}, 2).reciprocal(), 0, 0.25, -2);
        close(Tensor.of(new double[] {Math.E, 1}, 2).log(), 1e-15, 1, 0);
        close(Tensor.of(new double[] {1e-20, 0}, 2).log1p(), 1e-35, 1e-20, 0);
        close(Tensor.of(new double[] {0.5, 1.5, -2.5, 2.4}, 4).unary(UnaryFn.ROUND), 0, 0, 2, -2, 2);
        close(Tensor.of(new double[] {-1.5, 1.5}, 2).unary(UnaryFn.FLOOR), 0, -2, 1);
        close(Tensor.of(new double[] {-1.5, 1.5}, 2).unary(UnaryFn.CEIL), 0, -1, 2);
        close(Tensor.of(new double[] {-3, 0, 2}, 3).sign(), 0, -1, 0, 1);
        close(Tensor.of(new double[] {-3, 0, 2}, 3).abs(), 0, 3, 0, 2);
        close(Tensor.of(new double[] {-3, 0, 2}, 3).neg(), 0, 3, 0, -2);
        close(Tensor.of(new double[] {-3, 0, 2}, 3).square(), 0, 9, 0, 4);
    }

    @ParameterizedTest
    @EnumSource(UnaryFn.class)
    void backwardIsTheSlopeOfForward(UnaryFn fn) {
        double a = 0.3;
        double h = 1e-6;
        Tensor x = Tensor.of(new double[] {0.31, 0.77, 1.23, 2.19, 4.4}, 5);
        Tensor dy = Tensor.of(new double[] {1, -2, 3, 0.5, 1}, 5);
        for (Tensor at : fn == UnaryFn.SQRT || fn == UnaryFn.RSQRT || fn == UnaryFn.LOG ? new Tensor[] {x}
                : new Tensor[] {x, x.mul(-0.19)}) {
            Tensor slope = at.add(h).unary(fn, a).sub(at.sub(h).unary(fn, a)).div(2 * h);
            Tensor saved = fn.savesOutput() ? at.unary(fn, a) : at;
            close(run(new ElementwiseOp.UnaryBackward(fn, a), dy, saved), 1e-7, slope.mul(dy).toDoubles());
        }
    }

    @ParameterizedTest
    @EnumSource(value = BinaryFn.class, names = {"AND", "OR"}, mode = EnumSource.Mode.EXCLUDE)
    void broadcastingReadsEachSideAtItsOwnIndex(BinaryFn fn) {
        Tensor x = random(1, 2, 1, 3).add(2);
        Tensor y = random(2, 4, 1).add(2);
        Tensor z = x.binary(fn, y);
        assertThat(z.shape()).isEqualTo(Shape.of(2, 4, 3));
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 4; j++) {
                for (int k = 0; k < 3; k++) {
                    double p = x.get(i, 0, k);
                    double q = y.get(j, 0);
                    double want = switch (fn) {
                        case ADD -> p + q;
                        case SUB -> p - q;
                        case MUL -> p * q;
                        case DIV -> p / q;
                        case POW -> Math.exp(q * Math.log(p));
                        case MAXIMUM -> p > q ? p : q;
                        case MINIMUM -> p < q ? p : q;
                        case EQ -> 0;
                        case NE -> 1;
                        case LT, LE -> p < q ? 1 : 0;
                        case GT, GE -> p > q ? 1 : 0;
                        case AND, OR -> Double.NaN;
                    };
                    assertThat(z.get(i, j, k)).isCloseTo(want, org.assertj.core.data.Offset.offset(1e-12));
                }
            }
        }
    }

    @Test
    void logicAndTies() {
        Tensor a = Tensor.of(new boolean[] {false, false, true, true}, 4);
        Tensor b = Tensor.of(new boolean[] {false, true, false, true}, 4);
        assertThat(a.and(b).toInts()).containsExactly(0, 0, 0, 1);
        assertThat(a.or(b).toInts()).containsExactly(0, 1, 1, 1);
        assertThat(a.eq(b).toInts()).containsExactly(1, 0, 0, 1);
        Tensor x = Tensor.of(new float[] {1, 2, Float.NaN}, 3);
        assertThat(x.le(2).toInts()).containsExactly(1, 1, 0);
        assertThat(x.ge(2).toInts()).containsExactly(0, 1, 0);
        assertThat(x.lt(2).toInts()).containsExactly(1, 0, 0);
        assertThat(x.gt(1).toInts()).containsExactly(0, 1, 0);
        assertThat(x.ne(x).toInts()).containsExactly(0, 0, 1);
        assertThat(x.maximum(1.5).toFloats()).containsExactly(1.5f, 2, Float.NaN);
    }

    @Test
    void longsKeepAllTheirBits() {
        long big = (1L << 53) + 1;
        Tensor x = Tensor.of(new long[] {big, -big, Long.MAX_VALUE}, 3);
        assertThat(x.add(1).toLongs()).containsExactly(big + 1, -big + 1, Long.MIN_VALUE);
        assertThat(x.sub(x.neg()).toLongs()).containsExactly(2 * big, -2 * big, -2);
        assertThat(x.eq(Tensor.of(new long[] {big - 1, -big, Long.MAX_VALUE - 1}, 3)).toInts()).containsExactly(0, 1, 0);
        assertThat(x.gt(Tensor.of(new long[] {big - 1}, 1)).toInts()).containsExactly(1, 0, 1);
        assertThat(x.maximum(Tensor.of(new long[] {0}, 1)).toLongs()).containsExactly(big, 0, Long.MAX_VALUE);
        assertThat(Tensor.of(new long[] {big, -big}, 2).sum().toLongs()).containsExactly(0);
        assertThat(Tensor.of(new long[] {3, -2}, 2).pow(39).toLongs()).containsExactly(4052555153018976267L, -549755813888L);
    }

    @Test
    void integersWrapAndDivideTowardsZero() {
        Tensor bytes = Tensor.from(DType.U8, new byte[] {(byte) 250, 5}, Shape.of(2));
        assertThat(bytes.add(10).toInts()).containsExactly(4, 15);
        assertThat(bytes.neg().toInts()).containsExactly(6, 251);
        assertThat(bytes.gt(200).toInts()).containsExactly(1, 0);
        assertThat(Tensor.of(new int[] {-7, 7}, 2).div(2).toInts()).containsExactly(-3, 3);
        assertThat(Tensor.of(new int[] {-1, 0, 1}, 3).gt(-0.5).toInts()).containsExactly(0, 1, 1);
        assertThatThrownBy(() -> Tensor.of(new int[] {1}, 1).div(0)).isInstanceOf(GraftException.class)
                .hasMessage("div: integer division by zero");
        assertThatThrownBy(() -> Tensor.of(new int[] {2}, 1).pow(-1)).isInstanceOf(GraftException.class)
                .hasMessage("pow: an integer to the negative power -1 is no integer: cast to float32 first");
    }

    @Test
    void whereKeepsBits() {
        Tensor c = Tensor.of(new boolean[] {true, false}, 2, 1);
        assertThat(c.where(Tensor.of(new long[] {Long.MAX_VALUE, 2, 3}, 3), Tensor.of(new long[] {-1}, 1)).toLongs())
                .containsExactly(Long.MAX_VALUE, 2, 3, -1, -1, -1);
        assertThat(c.where(Tensor.scalar(1), Tensor.scalar(Float.NaN)).toFloats()).containsExactly(1, Float.NaN);
    }

    @Test
    void castsTruncateAndSaturate() {
        Tensor x = Tensor.of(new double[] {-1.9, 1.9, 300, -300, 1e20, Double.NaN}, 6);
        assertThat(x.cast(DType.I32).toInts()).containsExactly(-1, 1, 300, -300, Integer.MAX_VALUE, 0);
        assertThat(x.cast(DType.I64).toLongs()).containsExactly(-1, 1, 300, -300, Long.MAX_VALUE, 0);
        assertThat(x.cast(DType.U8).toInts()).containsExactly(0, 1, 255, 0, 255, 0);
        assertThat(x.cast(DType.I8).toInts()).containsExactly(-1, 1, 127, -128, 127, 0);
        assertThat(x.cast(DType.I16).toInts()).containsExactly(-1, 1, 300, -300, 32767, 0);
        assertThat(x.cast(DType.BOOL).toInts()).containsExactly(1, 1, 1, 1, 1, 1);
        assertThat(Tensor.of(new double[] {0, -0.0, 0.1}, 3).cast(DType.BOOL).toInts()).containsExactly(0, 0, 1);
        assertThat(Tensor.of(new int[] {256, 257, -1}, 3).cast(DType.U8).toInts()).containsExactly(0, 1, 255);
        assertThat(Tensor.of(new int[] {256, 0, -1}, 3).cast(DType.BOOL).toInts()).containsExactly(1, 0, 1);
        assertThat(Tensor.of(new long[] {(1L << 53) + 1}, 1).cast(DType.I64).toLongs()).containsExactly((1L << 53) + 1);
        assertThat(Tensor.from(DType.U8, new byte[] {-1}, Shape.of(1)).cast(DType.F32).toFloats()).containsExactly(255);
    }

    @Test
    void halfTypesRoundOnceToTheNearestEven() {
        double[] x = {1 + 0x1p-11, 1 + 3 * 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 65519.99, 65520, 0x1p-25,
            0x1p-25 + 0x1p-60, -0.0};
        short[] f16 = (short[]) Tensor.of(x, x.length).cast(DType.F16).toArray();
        assertThat(f16).containsExactly((short) 0x3C00, (short) 0x3C02, (short) 0x3C01, (short) 0x7BFF, (short) 0x7C00,
                (short) 0, (short) 1, (short) 0x8000);
        double[] y = {1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + 0x1p-40, 3.4e38, 1e39, Double.NaN, -1e39,
            0x1p-134, 0x1.8p-133};
        short[] bf16 = (short[]) Tensor.of(y, y.length).cast(DType.BF16).toArray();
        assertThat(bf16).containsExactly((short) 0x3F80, (short) 0x3F82, (short) 0x3F81, (short) 0x7F80, (short) 0x7F80,
                (short) 0x7FC0, (short) 0xFF80, (short) 0, (short) 2);
        assertThat(Tensor.from(DType.BF16, new short[] {(short) 0x3FC0, (short) 0xC040}, Shape.of(2)).toFloats())
                .containsExactly(1.5f, -3f);
        assertThat(Tensor.from(DType.F16, new short[] {(short) 0x3E00, (short) 0x0001}, Shape.of(2)).toFloats())
                .containsExactly(1.5f, 0x1p-24f);
    }
}
