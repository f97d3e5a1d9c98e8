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
        if (op.distribution() == CreateOp.Distribution.NORMAL) {
            fillSlowly(op, first, out, at, n);
            return;
        }
        int head = (int) Math.min(n, -first & 3);       // up to the first whole block
        int blocks = (n - head) / 4;
        fillSlowly(op, first, out, at, head);
        Batch batch = blocks > 0 ? new Batch() : null;
        for (int b = 0; b < blocks; b += Batch.SIZE) {
            int count = Math.min(Batch.SIZE, blocks - b);
            batch.compute(op.seed(), op.stream(), (first + head >> 2) + b, count);
            for (int lane = 0; lane < 4; lane++) {
                batch.store(op, lane, out, at + head + 4 * b + lane, count);
            }
        }
        int done = head + 4 * blocks;
        fillSlowly(op, first + done, out, at + done, n - done);
    }

    /**
     * Many blocks at a time, a round over all of them before the next: loops that the compiler turns into vector code, which
     * it does not for one block after the other. Words are kept in the low halves of longs, where they are multiplied; all
     * lie in one array, since of four arrays the compiler would have to fear that they are the same.
     */
    private static final class Batch {
        static final int SIZE = 128;
        private static final long LOW = 0xFFFFFFFFL;

        /** Word k of block i at k * SIZE + i. */
        private final long[] words = new long[4 * SIZE];

        void compute(long seed, long stream, long block, int n) {
            for (int i = 0; i < n; i++) {
                words[i] = block + i & LOW;
                words[SIZE + i] = block + i >>> 32;
                words[2 * SIZE + i] = stream & LOW;
                words[3 * SIZE + i] = stream >>> 32;
            }
            int k0 = (int) seed;
            int k1 = (int) (seed >>> 32);
            for (int round = 0; round < ROUNDS; round++) {
                round(words, k0 & LOW, k1 & LOW, n);
                k0 += W0;
                k1 += W1;
            }
        }

        private static void round(long[] w, long k0, long k1, int n) {
            for (int i = 0; i < n; i++) {
                long p0 = (M0 & LOW) * w[i];
                long p1 = (M1 & LOW) * w[2 * SIZE + i];
                w[i] = p1 >>> 32 ^ w[SIZE + i] ^ k0;
                w[SIZE + i] = p1 & LOW;
                w[2 * SIZE + i] = p0 >>> 32 ^ w[3 * SIZE + i] ^ k1;
                w[3 * SIZE + i] = p0 & LOW;
            }
        }

        /** Element {@code lane} of every block. */
        void store(CreateOp.Random op, int lane, float[] out, int at, int n) {
            if (op.distribution() == CreateOp.Distribution.BERNOULLI) {
                bernoulli(words, lane * SIZE, op.a(), (float) op.b(), out, at, n);
            } else {
                uniform(words, lane * SIZE, op.a(), op.b(), out, at, n);
            }
        }

        /** Without branches, half of which would be mispredicted. */
        private static void bernoulli(long[] words, int wo, double p, float value, float[] out, int at, int n) {
            int bits = Float.floatToRawIntBits(value);
            int end = (int) Math.ceil(Math.clamp(p, 0, 1) / TWO_24);    // u < p where the upper 24 bits are below this
            for (int i = 0; i < n; i++) {
                int upper = (int) (words[wo + i] >>> 8);
                out[at + 4 * i] = Float.intBitsToFloat(bits & upper - end >> 31);
            }
        }

        private static void uniform(long[] words, int wo, double a, double b, float[] out, int at, int n) {
            float below = b > a ? Math.nextDown((float) b) : Float.POSITIVE_INFINITY;
            double bound = b > a ? b : Double.POSITIVE_INFINITY;
            for (int i = 0; i < n; i++) {
                float v = (float) (a + (b - a) * ((int) (words[wo + i] >>> 8) * TWO_24));
                out[at + 4 * i] = v >= bound ? below : v;
            }
        }
    }

    private static void fillSlowly(CreateOp.Random op, long first, float[] out, int at, int n) {
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
