package dev.graft.tensor;

import dev.graft.tensor.op.CreateOp;

/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3",
 * doi:10.1145/2063384.2063405). Element i of a random op depends on seed, stream and i only, so threads and devices may
 * compute any part of it:
 *
 * <pre>
 * key     = (seed low, seed high)                                   32-bit words
 * counter = (i/4 low, i/4 high, stream low, stream high)
 * lane    = word i%4 of the block that key and counter give
 * uniform   u = (lane >>> 8) / 2^24;  a + (b - a)·u, which stays below b
 * normal    lanes (0, 1) give elements 0 and 1, lanes (2, 3) elements 2 and 3 of a block, by Box and Muller:
 *           r = sqrt(-2 ln((even lane + 1) / 2^32)), t = 2 pi · odd lane / 2^32;  a + b·r·cos t, a + b·r·sin t
 * Bernoulli u &lt; a ? b : 0
 * </pre>
 */
public final class Philox {
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;
    private static final int ROUNDS = 10;
    private static final double TWO_24 = 0x1p-24;
    private static final double TWO_32 = 0x1p-32;

    private Philox() {}

    /** Writes the four words of block {@code block} of {@code stream} into {@code out}. */
    public static void block(long seed, long stream, long block, int[] out) {
        int c0 = (int) block;
        int c1 = (int) (block >>> 32);
        int c2 = (int) stream;
        int c3 = (int) (stream >>> 32);
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        for (int round = 0; round < ROUNDS; round++) {
            long p0 = (M0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
            long p1 = (M1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
            c0 = (int) (p1 >>> 32) ^ c1 ^ k0;
            c1 = (int) p1;
            c2 = (int) (p0 >>> 32) ^ c3 ^ k1;
            c3 = (int) p0;
            k0 += W0;
            k1 += W1;
        }
        out[0] = c0;
        out[1] = c1;
        out[2] = c2;
        out[3] = c3;
    }

    /** Elements {@code first} to {@code first + n} (excluded) of {@code op} into {@code out} from {@code at} on. */
    public static void fill(CreateOp.Random op, long first, float[] out, int at, int n) {
        int[] words = new int[4];
        double[] values = new double[4];
        float below = Math.nextDown((float) op.b());
        boolean capped = op.distribution() == CreateOp.Distribution.UNIFORM && op.b() > op.a();
        for (int i = 0; i < n; i++) {
            int lane = (int) ((first + i) & 3);
            if (i == 0 || lane == 0) {
                values(op, (first + i) >> 2, words, values);
            }
            float v = (float) values[lane];
            out[at + i] = capped && v >= op.b() ? below : v;
        }
    }

    /** As the other, without rounding to float32. */
    public static void fill(CreateOp.Random op, long first, double[] out, int at, int n) {
        int[] words = new int[4];
        double[] values = new double[4];
        boolean capped = op.distribution() == CreateOp.Distribution.UNIFORM && op.b() > op.a();
        for (int i = 0; i < n; i++) {
            int lane = (int) ((first + i) & 3);
            if (i == 0 || lane == 0) {
                values(op, (first + i) >> 2, words, values);
            }
            out[at + i] = capped && values[lane] >= op.b() ? Math.nextDown(op.b()) : values[lane];
        }
    }

    private static void values(CreateOp.Random op, long block, int[] words, double[] out) {
        block(op.seed(), op.stream(), block, words);
        double a = op.a();
        double b = op.b();
        switch (op.distribution()) {
            case UNIFORM -> {
                for (int i = 0; i < 4; i++) {
                    out[i] = a + (b - a) * ((words[i] >>> 8) * TWO_24);
                }
            }
            case BERNOULLI -> {
                for (int i = 0; i < 4; i++) {
                    out[i] = (words[i] >>> 8) * TWO_24 < a ? b : 0;
                }
            }
            case NORMAL -> {
                for (int i = 0; i < 4; i += 2) {
                    // StrictMath: the same bits on every machine.
                    double r = Math.sqrt(-2 * StrictMath.log(((words[i] & 0xFFFFFFFFL) + 1) * TWO_32));
                    double t = 2 * Math.PI * ((words[i + 1] & 0xFFFFFFFFL) * TWO_32);
                    out[i] = a + b * (r * StrictMath.cos(t));
                    out[i + 1] = a + b * (r * StrictMath.sin(t));
                }
            }
        }
    }
}
