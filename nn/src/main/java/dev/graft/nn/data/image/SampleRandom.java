package dev.graft.nn.data.image;

import dev.graft.tensor.Philox;

/**
 * The random numbers of one sample in one epoch. They depend on (seed, epoch, index) alone, never on which worker draws
 * them or when, so augmentation is the same for any number of workers and after a resume: {@link Philox}, whose counter
 * holds epoch, index, the part of the work, and how many numbers that part has drawn.
 */
public final class SampleRandom {
    /** Keeps these numbers apart from those of tensor ops with the same seed. */
    private static final long PURPOSE = 0x73616D706C6573L;

    private final long seed;
    private final long stream;
    private final int[] words = new int[4];
    private long block;
    private int used = 4;

    private SampleRandom(long seed, long stream, long firstBlock) {
        this.seed = seed;
        this.stream = stream;
        this.block = firstBlock;
    }

    /** The numbers of a sample (its index) in an epoch, both below 2^32. */
    public static SampleRandom of(long seed, long epoch, long index) {
        return new SampleRandom(seed ^ PURPOSE, epoch << 32 | index & 0xFFFFFFFFL, 0);
    }

    /** Numbers for a part of the work, independent of the others', so that a change in one part does not shift them. */
    SampleRandom fork(int part) {
        return new SampleRandom(seed, stream, part + 1L << 32);
    }

    private int nextWord() {
        if (used == 4) {
            Philox.block(seed, stream, block++, words);
            used = 0;
        }
        return words[used++];
    }

    /** In [0, 1), 53 bits. */
    public double nextDouble() {
        return ((nextWord() & 0xFFFFFFFFL) << 21 | nextWord() >>> 11) * 0x1p-53;
    }

    /** In [low, high). */
    public double uniform(double low, double high) {
        return low + (high - low) * nextDouble();
    }

    /** In 0..bound-1. */
    public int nextInt(int bound) {
        return (int) ((nextWord() & 0xFFFFFFFFL) * bound >>> 32); // the bias is below bound / 2^32
    }

    /** The numbers 0..n-1 in random order (Fisher and Yates). */
    public int[] permutation(int n) {
        int[] order = new int[n];
        for (int i = 0; i < n; i++) {
            int j = nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }
}
