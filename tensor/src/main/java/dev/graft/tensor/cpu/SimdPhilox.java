package dev.graft.tensor.cpu;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;

import dev.graft.tensor.Philox;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The rounds of {@link Philox#block}, whose constants these are, with the Vector API: a block a lane, one vector for each of
 * its four words, which stay in registers from the counter to the result.
 *
 * <p>A word is the low half of a long; its high half may be anything. The mask before a multiplication clears it, and tells
 * C2 that the product is one of 32-bit numbers (vpmuludq): without masks on both factors it multiplies longs, several times
 * slower, and more so without AVX-512.
 */
final class SimdPhilox {
    private static final VectorSpecies<Long> S = LongVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();
    private static final long LOW = 0xFFFFFFFFL;
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;

    /** Even lanes compute the first half of L blocks, odd lanes the second: their words are then neighbours as they lie. */
    private static final LongVector BLOCKS = order();
    private static final VectorShuffle<Long> NEIGHBOUR = VectorShuffle.fromOp(S, i -> i ^ 1);
    private static final VectorMask<Long> ODD = VectorMask.fromLong(S, 0xAAAA_AAAA_AAAA_AAAAL);

    private SimdPhilox() {}

    private static LongVector order() {
        long[] b = new long[L];
        for (int i = 0; i < L; i++) {
            b[i] = i / 2 + i % 2 * L / 2;
        }
        return LongVector.fromArray(S, b, 0);
    }

    /**
     * How many of {@code n} blocks a call can compute: whole vectors, and the upper half of their numbers must be the same.
     * None with vectors of 128 bits, where processors have no multiplication of longs.
     */
    static int whole(long block, int n) {
        return L < 4 || (block & LOW) + n > LOW + 1 ? 0 : S.loopBound(n);
    }

    /** The first {@code n} words of the blocks from {@code block} on. */
    static void words(long seed, long stream, long block, int[] words, int n) {
        blocks(seed, stream, block, words, 0, 0, null, 0, null, 0, n);
    }

    /** y = x times {@code value} where the upper 24 bits of a word are less than {@code end}, else times 0. */
    static void dropout(long seed, long stream, long block, int end, float value, float[] x, int xo, float[] y, int yo,
            int n) {
        blocks(seed, stream, block, null, end, Float.floatToRawIntBits(value), x, xo, y, yo, n);
    }

    /**
     * Writes words, or without an array for them dropout's product, in one pass: arithmetic then hides the wait for memory.
     *
     * <p>Counters differ in word 0 only, so half of the first two rounds is the same for all blocks. Eight rounds are left,
     * in a loop that C2 unrolls: written out, they are more vector operations than it inlines reliably, and it is a hundred
     * times slower when it does not.
     */
    private static void blocks(long seed, long stream, long block, int[] words, int end, int bits, float[] x, int xo,
            float[] y, int yo, int n) {
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        long same1 = (M1 & LOW) * (stream & LOW);
        long same0 = (M0 & LOW) * (same1 >>> 32 ^ block >>> 32 ^ k0 & LOW);
        long x2 = (int) (stream >>> 32) ^ k1;
        long x0 = (int) same1 ^ k0 + W0;
        long y2 = (int) (same0 >>> 32) ^ k1 + W1;
        LongVector low = LongVector.broadcast(S, LOW);
        LongVector m0 = LongVector.broadcast(S, M0 & LOW).and(low);
        LongVector m1 = LongVector.broadcast(S, M1 & LOW).and(low);
        for (int i = 0; i < n; i += 4 * L) {
            LongVector p0 = BLOCKS.add(block + i / 4).and(low).mul(m0);
            LongVector c2 = p0.lanewise(LSHR, 32).lanewise(XOR, x2);
            LongVector c1 = c2.and(low).mul(m1);
            LongVector c0 = c1.lanewise(LSHR, 32).lanewise(XOR, x0);
            c2 = p0.lanewise(XOR, y2);
            LongVector c3 = LongVector.broadcast(S, same0);
            int j0 = k0 + 2 * W0;
            int j1 = k1 + 2 * W1;
            for (int round = 2; round < 10; round += 4) {
                p0 = c0.and(low).mul(m0);
                LongVector p1 = c2.and(low).mul(m1);
                c0 = p1.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, (long) j0);
                c2 = p0.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, (long) j1);
                c3 = c0.and(low).mul(m0);
                c1 = c2.and(low).mul(m1);
                c0 = c1.lanewise(LSHR, 32).lanewise(XOR, p1).lanewise(XOR, (long) (j0 + W0));
                c2 = c3.lanewise(LSHR, 32).lanewise(XOR, p0).lanewise(XOR, (long) (j1 + W1));
                p0 = c0.and(low).mul(m0);
                p1 = c2.and(low).mul(m1);
                c0 = p1.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, (long) (j0 + 2 * W0));
                c2 = p0.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, (long) (j1 + 2 * W1));
                c3 = c0.and(low).mul(m0);
                c1 = c2.and(low).mul(m1);
                c0 = c1.lanewise(LSHR, 32).lanewise(XOR, p1).lanewise(XOR, (long) (j0 + 3 * W0));
                c2 = c3.lanewise(LSHR, 32).lanewise(XOR, p0).lanewise(XOR, (long) (j1 + 3 * W1));
                j0 += 4 * W0;
                j1 += 4 * W1;
            }
            LongVector a = c0.and(low).or(c1.lanewise(LSHL, 32));
            LongVector b = c2.and(low).or(c3.lanewise(LSHL, 32));
            IntVector v = a.blend(b.rearrange(NEIGHBOUR), ODD).reinterpretAsInts();
            IntVector w = a.rearrange(NEIGHBOUR).blend(b, ODD).reinterpretAsInts();
            if (words != null) {
                v.intoArray(words, i);
                w.intoArray(words, i + 2 * L);
            } else {
                v = v.lanewise(LSHR, 8).sub(end).lanewise(ASHR, 31).and(bits);
                w = w.lanewise(LSHR, 8).sub(end).lanewise(ASHR, 31).and(bits);
                FloatVector.fromArray(F, x, xo + i).mul(v.reinterpretAsFloats()).intoArray(y, yo + i);
                FloatVector.fromArray(F, x, xo + i + 2 * L).mul(w.reinterpretAsFloats()).intoArray(y, yo + i + 2 * L);
            }
        }
    }
}
