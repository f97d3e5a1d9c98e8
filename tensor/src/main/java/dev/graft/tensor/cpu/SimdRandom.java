package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.I;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.graft.tensor.Philox;
import dev.graft.tensor.op.CreateOp;
import jdk.incubator.vector.IntVector;

/**
 * The elements of {@link CreateOp.Random} in float32 by {@link SimdPhilox}, with the bits of {@link Philox#fill}. That makes
 * normal numbers, whose logarithm, sine and cosine take far longer than their words, and what fills no vector.
 */
final class SimdRandom {
    /** Elements whose words are made before they are used: few enough to stay in the first cache. */
    private static final int BATCH = 512;
    private static final double TWO_24 = 0x1p-24;

    /**
     * Elements that a process makes with plain loops before it begins with vectors. Until C2 has compiled the rounds, which
     * takes it half a second, their code is a hundred times slower than loops: what makes a few million elements in all
     * never wins that back.
     */
    static final long FIRST = 1L << 26;
    private static final PlainElementLoops PLAIN = new PlainElementLoops();

    private SimdRandom() {}

    /** Elements {@code first} to {@code first + n} (excluded) of {@code op}. */
    static void fill(CreateOp.Random op, long first, float[] y, int yo, int n) {
        boolean normal = op.distribution() == CreateOp.Distribution.NORMAL;
        int head = normal ? n : head(first, n);
        int done = head + whole(first + head, n - head);
        PLAIN.random(op, first, y, yo, head);
        int[] words = done > head ? new int[BATCH] : null;
        for (int i = head; i < done; i += BATCH) {
            int count = Math.min(BATCH, done - i);
            SimdPhilox.words(op.seed(), op.stream(), first + i >> 2, words, count);
            if (op.distribution() == CreateOp.Distribution.BERNOULLI) {
                bernoulli(words, end(op), (float) op.b(), y, yo + i, count);
            } else {
                uniform(words, op.a(), op.b(), y, yo + i, count);
            }
        }
        PLAIN.random(op, first + done, y, yo + done, n - done);
    }

    /** y = x times those elements. */
    static void product(CreateOp.Random op, long first, float[] x, int xo, float[] y, int yo, int n) {
        boolean bernoulli = op.distribution() == CreateOp.Distribution.BERNOULLI;
        int head = bernoulli ? head(first, n) : n;
        int done = head + whole(first + head, n - head);
        int end = end(op);
        float value = (float) op.b();
        PLAIN.randomProduct(op, first, x, xo, y, yo, head);
        for (int i = head; i < done; i += BATCH) {
            SimdPhilox.dropout(op.seed(), op.stream(), first + i >> 2, end, value, x, xo + i, y, yo + i,
                    Math.min(BATCH, done - i));
        }
        PLAIN.randomProduct(op, first + done, x, xo + done, y, yo + done, n - done);
    }

    /** The elements before the first whole block. */
    private static int head(long first, int n) {
        return (int) Math.min(n, -first & 3);
    }

    private static int whole(long first, int n) {
        return 4 * SimdPhilox.whole(first >> 2, n / 4);
    }

    /** u is less than the probability where the upper 24 bits of a word are less than this. */
    private static int end(CreateOp.Random op) {
        return (int) Math.ceil(Math.clamp(op.a(), 0, 1) / TWO_24);
    }

    private static void bernoulli(int[] words, int end, float value, float[] y, int yo, int n) {
        int bits = Float.floatToRawIntBits(value);
        for (int i = 0; i < n; i += I.length()) {
            IntVector drawn = IntVector.fromArray(I, words, i).lanewise(LSHR, 8).sub(end).lanewise(ASHR, 31);
            drawn.and(bits).reinterpretAsFloats().intoArray(y, yo + i);
        }
    }

    /**
     * A loop that C2 turns into vector code, which it does not if there is a comparison: since rounding may reach b but not
     * pass it, the least of two numbers is what the definition chooses.
     */
    private static void uniform(int[] words, double a, double b, float[] y, int yo, int n) {
        float nearest = (float) b;
        float below = !(b > a) ? Float.POSITIVE_INFINITY : nearest < b ? nearest : Math.nextDown(nearest);
        double width = b - a;
        for (int i = 0; i < n; i++) {
            y[yo + i] = Math.min(below, (float) (a + width * ((words[i] >>> 8) * TWO_24)));
        }
    }
}
