package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention against its composition from products and softmax, gradients included. */
class AttentionTest {
    private static Tensor random(long seed, DType type, int... dims) {
        Random r = new Random(seed);
        double[] v = r.doubles((long) dims[0] * dims[1] * dims[2] * dims[3], -2, 2).toArray();
        return Tensor.of(v, dims).cast(type);
    }

    /** A third of the keys is masked, never the first of an image. */
    private static Tensor mask(int b, int s) {
        boolean[] m = new boolean[b * s];
        for (int i = 0; i < m.length; i++) {
            m[i] = i % s == 0 || i % 3 != 1;
        }
        return Tensor.of(m, b, s);
    }

    @ParameterizedTest
    @CsvSource({"F32, 3, 5, 7, 2, 4", "F32, 2, 65, 65, 3, 32", "F32, 1, 1, 300, 2, 8", "F32, 1, 200, 129, 1, 17",
        "F64, 2, 9, 11, 2, 3", "F16, 2, 12, 10, 2, 8", "BF16, 2, 12, 10, 2, 8"})
    void attentionIsItsComposition(DType type, int b, int t, int s, int h, int d) {
        Tensor[] qkv = {random(1, type, b, t, h, d), random(2, type, b, s, h, d), random(3, type, b, s, h, d)};
        Tensor dy = random(4, type, b, t, h, d);
        double tolerance = switch (type) {
            case F64 -> 1e-12;
            case F32 -> 1e-5;
            case F16 -> 0.005;
            default -> 0.04;
        };
        for (boolean causal : new boolean[] {false, true}) {
            for (Tensor mask : new Tensor[] {null, mask(b, s)}) {
                AttentionOp.Attention op = new AttentionOp.Attention(0.4, causal);
                compare(in -> Dispatcher.run(op, in)[0], op::compose, qkv, mask, dy, tolerance);
            }
        }
    }

    private static void compare(Function<Tensor[], Tensor> fast, Function<Tensor[], Tensor> composed, Tensor[] qkv,
            Tensor mask, Tensor dy, double tolerance) {
        Tensor[][] results = new Tensor[2][];
        for (int i = 0; i < 2; i++) {
            Function<Tensor[], Tensor> f = i == 0 ? fast : composed;
            Function<Tensor[], Tensor> g = in -> {
                Tensor[] all = mask == null ? in : Arrays.copyOf(in, 4);
                all[all.length - 1] = mask == null ? in[2] : mask;
                return f.apply(all);
            };
            Tensor[] d = Tape.vjp(in -> new Tensor[] {g.apply(in)}, qkv, new Tensor[] {dy});
            results[i] = new Tensor[] {g.apply(qkv), d[0], d[1], d[2]};
        }
        for (int k = 0; k < 4; k++) {
            assertThat(results[0][k].spec()).isEqualTo(results[1][k].spec());
            double[] want = results[1][k].toDoubles();
            double[] got = results[0][k].toDoubles();
            double largest = Arrays.stream(want).map(Math::abs).max().orElse(0);
            for (int i = 0; i < want.length; i++) {
                assertThat(got[i]).as("result %d element %d", k, i).isCloseTo(want[i], within(tolerance * largest));
            }
        }
    }

    @Test
    void aQueryWithNothingToAttendGivesZeroAndPassesNoGradient() {
        Tensor q = random(1, DType.F32, 1, 3, 1, 4);
        Tensor k = random(2, DType.F32, 1, 2, 1, 4);
        Tensor v = random(3, DType.F32, 1, 2, 1, 4);
        Tensor[] y = new Tensor[1];
        Tensor[] d = Tape.vjp(in -> {
            y[0] = in[0].attention(in[1], in[2], null, true);    // the first query is in front of all keys
            return y;
        }, new Tensor[] {q, k, v}, new Tensor[] {q.onesLike()});
        assertThat(y[0].slice(1, 0, 1).toFloats()).containsOnly(0);
        assertThat(y[0].slice(1, 1, 2).toFloats()).containsExactly(v.slice(1, 0, 1).toFloats());
        assertThat(d[0].slice(1, 0, 1).toFloats()).containsOnly(0);
        assertThat(d[2].sum().item()).isCloseTo(8, within(1e-5));   // two queries of four values pass all they got
    }
}
