package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.CreateOp.Distribution;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** The generator against the known answers of Random123, the mapping to elements, and the distributions' moments. */
class PhiloxTest {
    private static final int N = 200_000;

    private static CreateOp.Random op(Distribution d, double a, double b, long seed, long stream) {
        return new CreateOp.Random(new TensorSpec(DType.F32, Shape.of(N)), d, a, b, seed, stream, Device.CPU);
    }

    private static float[] draw(CreateOp.Random op, long first, int n) {
        float[] v = new float[n];
        Philox.fill(op, first, v, 0, n);
        return v;
    }

    /** The three lines of philox4x32-10 in Random123's kat_vectors. */
    @Test
    void knownAnswers() {
        int[] w = new int[4];
        Philox.block(0, 0, 0, w);
        assertThat(w).containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        Philox.block(-1, -1, -1, w);
        assertThat(w).containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        Philox.block(0x299f31d0a4093822L, 0x0370734413198a2eL, 0x85a308d3243f6a88L, w);
        assertThat(w).containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    @Test
    void uniformTakesTheUpper24BitsOfItsWord() {
        int[] w = new int[4];
        Philox.block(5, 9, 2, w);
        float[] v = draw(op(Distribution.UNIFORM, 0, 1, 5, 9), 8, 4);
        for (int i = 0; i < 4; i++) {
            assertThat(v[i]).isEqualTo((w[i] >>> 8) / 16777216f);
        }
    }

    @Test
    void anyPartGivesTheSameNumbers() {
        for (Distribution d : Distribution.values()) {
            CreateOp.Random op = op(d, 0.3, 2, 77, 3);
            float[] all = draw(op, 0, 101);
            for (int first : new int[] {1, 2, 3, 4, 50, 97}) {
                float[] part = draw(op, first, 101 - first);
                assertThat(part).isEqualTo(java.util.Arrays.copyOfRange(all, first, 101));
            }
            double[] wide = new double[101];
            Philox.fill(op, 0, wide, 0, 101);
            for (int i = 0; i < 101; i++) {
                assertThat((float) wide[i]).isEqualTo(all[i]);
            }
        }
    }

    /** Whole blocks are computed many at a time; the definition is one block after the other. */
    @Test
    void everyElementIsThatOfItsBlock() {
        long first = (1L << 34) - 1021;       // the block's number passes from 32 to 33 bits on the way
        float[] u = draw(op(Distribution.UNIFORM, -3, 0.7, -8, -5), first, 2047);
        float[] b = draw(op(Distribution.BERNOULLI, 0.3, 1.5, -8, -5), first, 2047);
        int[] w = new int[4];
        for (int i = 0; i < u.length; i++) {
            Philox.block(-8, -5, first + i >> 2, w);
            double v = (w[(int) (first + i & 3)] >>> 8) * 0x1p-24;
            assertThat(u[i]).isEqualTo((float) (-3 + (0.7 - -3) * v));
            assertThat(b[i]).isEqualTo(v < 0.3 ? 1.5f : 0f);
        }
    }

    @Test
    void momentsAndBounds() {
        double[] u = moments(draw(op(Distribution.UNIFORM, -1, 3, 1, 1), 0, N));
        assertThat(u[0]).isCloseTo(1, Offset.offset(0.02));
        assertThat(u[1]).isCloseTo(16.0 / 12, Offset.offset(0.02));
        assertThat(u[2]).isGreaterThanOrEqualTo(-1).isLessThan(-0.99);
        assertThat(u[3]).isLessThan(3).isGreaterThan(2.99);
        double[] n = moments(draw(op(Distribution.NORMAL, 2, 3, 1, 1), 0, N));
        assertThat(n[0]).isCloseTo(2, Offset.offset(0.04));
        assertThat(n[1]).isCloseTo(9, Offset.offset(0.15));
        assertThat(n[4]).as("kurtosis").isCloseTo(3, Offset.offset(0.1));
        double[] b = moments(draw(op(Distribution.BERNOULLI, 0.8, 1.25, 1, 1), 0, N));
        assertThat(b[0]).isCloseTo(1, Offset.offset(0.01));
        assertThat(draw(op(Distribution.BERNOULLI, 0.8, 1.25, 1, 1), 0, 1000)).containsOnly(0, 1.25f);
        assertThat(draw(op(Distribution.BERNOULLI, 1, 2, 1, 1), 0, 1000)).containsOnly(2);
        assertThat(draw(op(Distribution.BERNOULLI, 0, 2, 1, 1), 0, 1000)).containsOnly(0);
    }

    /** In float32 1e6 + u·1 rounds up to 1e6 + 1 now and then; the interval stays open all the same. */
    @Test
    void uniformStaysBelowItsBound() {
        for (float v : draw(op(Distribution.UNIFORM, 1e6, 1e6 + 1, 1, 1), 0, N)) {
            assertThat(v >= 1e6f && v < 1e6f + 1).isTrue();
        }
    }

    @Test
    void seedsAndStreamsAreUnrelated() {
        float[] a = draw(op(Distribution.NORMAL, 0, 1, 1, 1), 0, N);
        for (CreateOp.Random other : new CreateOp.Random[] {op(Distribution.NORMAL, 0, 1, 2, 1),
            op(Distribution.NORMAL, 0, 1, 1, 2), op(Distribution.NORMAL, 0, 1, 1L << 32, 1)}) {
            float[] b = draw(other, 0, N);
            double dot = 0;
            for (int i = 0; i < N; i++) {
                dot += a[i] * b[i];
            }
            assertThat(dot / N).isCloseTo(0, Offset.offset(0.015));
        }
    }

    /** Mean, variance, least, largest, kurtosis. */
    private static double[] moments(float[] v) {
        double mean = 0;
        double least = v[0];
        double largest = v[0];
        for (float x : v) {
            mean += x / (double) v.length;
            least = Math.min(least, x);
            largest = Math.max(largest, x);
        }
        double second = 0;
        double fourth = 0;
        for (float x : v) {
            second += Math.pow(x - mean, 2) / v.length;
            fourth += Math.pow(x - mean, 4) / v.length;
        }
        return new double[] {mean, second, least, largest, fourth / (second * second)};
    }
}
