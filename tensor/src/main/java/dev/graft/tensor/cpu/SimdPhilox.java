package dev.graft.tensor.cpu;

import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.XOR;

import dev.graft.tensor.Philox;
import dev.graft.tensor.op.CreateOp;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** {@link Philox}'s numbers on vectors, bit for bit. */
final class SimdPhilox {
    private static final VectorSpecies<Long> S = LongVector.SPECIES_PREFERRED;
    private static final int L = S.length();
    /** Words of one round of the loops: L blocks. */
    private static final int GROUP = 4 * L;
    private static final int BATCH = 1024;
    private static final long LOW = 0xFFFFFFFFL;
    private static final long[] M0 = new long[L];
    private static final long[] M1 = new long[L];
    private static final VectorShuffle<Long> FIRST = VectorShuffle.makeZip(S, 0);
    private static final VectorShuffle<Long> SECOND = VectorShuffle.makeZip(S, 1);

    static {
        for (int i = 0; i < L; i++) {
            M0[i] = 0xD2511F53L;
            M1[i] = 0xCD9E8D57L;
        }
    }

    private SimdPhilox() {}

    /** y = x times elements {@code first} and following of {@code factors}, which has a Bernoulli distribution. */
    static void dropout(CreateOp.Random factors, long first, float[] x, int xo, float[] y, int yo, int n) {
        int whole = (first & 3) == 0 ? n / GROUP * GROUP : 0;
        if (whole > 0) {
            long[] k = keys(factors.seed());
            long[] w = new long[Math.min(whole, BATCH)];
            int[] words = new int[w.length];
            for (int i = 0; i < whole; i += BATCH) {
                int m = Math.min(BATCH, whole - i);
                begin(k, factors.stream(), (first + i) >> 2, w, m);
                end(k, w, words, m);
                keep(words, bound(factors.a()), (float) factors.b(), x, xo + i, y, yo + i, m);
            }
        }
        float[] t = new float[n - whole];
        Philox.fill(factors, first + whole, t, 0, n - whole);
        for (int i = whole; i < n; i++) {
            y[yo + i] = x[xo + i] * t[i - whole];
        }
    }

    /** The two words that each of the ten rounds adds. */
    private static long[] keys(long seed) {
        long[] k = new long[20];
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        for (int r = 0; r < 10; r++) {
            k[2 * r] = k0 & LOW;
            k[2 * r + 1] = k1 & LOW;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return k;
    }

    /** A uniform number is below p where the upper 24 bits are below this. */
    private static int bound(double p) {
        return (int) Math.ceil(Math.clamp(p, 0, 1) * 0x1p24);
    }

    private static void keep(int[] words, int bound, float value, float[] x, int xo, float[] y, int yo, int n) {
        int lanes = SimdMath.S.length();
        for (int i = 0; i < n; i += lanes) {
            IntVector w = IntVector.fromArray(SimdMath.I, words, i).lanewise(LSHR, 8);
            FloatVector f = FloatVector.zero(SimdMath.S).blend(value, w.compare(LT, bound).cast(SimdMath.S));
            FloatVector.fromArray(SimdMath.S, x, xo + i).mul(f).intoArray(y, yo + i);
        }
    }

    /**
     * The first five rounds of n / 4 blocks from {@code block} on; n is a multiple of {@link #GROUP}. Words are kept in the low
     * halves of longs, with anything in the high ones. Both factors of a product are masked, so that C2 takes the short
     * multiplication of 32-bit halves. All ten rounds in one loop would be more than it compiles without boxing.
     */
    private static void begin(long[] k, long stream, long block, long[] w, int n) {
        LongVector m0 = LongVector.fromArray(S, M0, 0).and(LOW);
        LongVector m1 = LongVector.fromArray(S, M1, 0).and(LOW);
        LongVector count = LongVector.broadcast(S, block).addIndex(1);
        for (int i = 0; i < n; i += GROUP) {
            LongVector c0 = count;
            LongVector c1 = count.lanewise(LSHR, 32);
            LongVector c2 = LongVector.broadcast(S, stream);
            LongVector c3 = LongVector.broadcast(S, stream >>> 32);
            LongVector p;
            LongVector q;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[0]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[1]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[2]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[3]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[4]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[5]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[6]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[7]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[8]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[9]);
            c1 = q;
            c3 = p;
            c0.intoArray(w, i);
            c1.intoArray(w, i + L);
            c2.intoArray(w, i + 2 * L);
            c3.intoArray(w, i + 3 * L);
            count = count.add(L);
        }
    }

    /** The other five rounds, and the words in their order. */
    private static void end(long[] k, long[] w, int[] out, int n) {
        LongVector m0 = LongVector.fromArray(S, M0, 0).and(LOW);
        LongVector m1 = LongVector.fromArray(S, M1, 0).and(LOW);
        for (int i = 0; i < n; i += GROUP) {
            LongVector c0 = LongVector.fromArray(S, w, i);
            LongVector c1 = LongVector.fromArray(S, w, i + L);
            LongVector c2 = LongVector.fromArray(S, w, i + 2 * L);
            LongVector c3 = LongVector.fromArray(S, w, i + 3 * L);
            LongVector p;
            LongVector q;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[10]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[11]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[12]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[13]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[14]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[15]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[16]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[17]);
            c1 = q;
            c3 = p;
            p = c0.and(LOW).mul(m0);
            q = c2.and(LOW).mul(m1);
            c0 = q.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k[18]);
            c2 = p.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k[19]);
            c1 = q;
            c3 = p;
            LongVector even = c0.and(LOW).or(c1.lanewise(LSHL, 32));
            LongVector odd = c2.and(LOW).or(c3.lanewise(LSHL, 32));
            even.rearrange(FIRST, odd).reinterpretAsInts().intoArray(out, i);
            even.rearrange(SECOND, odd).reinterpretAsInts().intoArray(out, i + 2 * L);
        }
    }
}
