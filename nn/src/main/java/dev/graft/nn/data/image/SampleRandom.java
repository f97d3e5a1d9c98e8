package dev.graft.nn.data.image;

/**
 * The random numbers of one sample in one epoch. They depend on (seed, epoch, index) alone, never on which worker draws
 * them or when, so augmentation is the same for any number of workers and after a resume. SplitMix64 (Steele, Lea, Flood
 * 2014) from a mixed starting point: a counter passed through a finaliser.
 */
public final class SampleRandom {
    private static final long STEP = 0x9E3779B97F4A7C15L;
    private long state;

    private SampleRandom(long state) {
        this.state = state;
    }

    /** The numbers of a sample in an epoch. */
    public static SampleRandom of(long seed, long epoch, long index) {
        return new SampleRandom(mix(mix(mix(seed + STEP) + epoch) + index));
    }

    /** Independent numbers for a part of the work, so that a change in one part does not shift those of the others. */
    SampleRandom fork(int part) {
        return new SampleRandom(mix(state + (part + 1) * 0xD1B54A32D192ED03L));
    }

    private static long mix(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    public long nextLong() {
        return mix(state += STEP);
    }

    /** In [0, 1). */
    public double nextDouble() {
        return (nextLong() >>> 11) * 0x1p-53;
    }

    /** In [low, high). */
    public double uniform(double low, double high) {
        return low + (high - low) * nextDouble();
    }

    /** In 0..bound-1. */
    public int nextInt(int bound) {
        return (int) (((nextLong() >>> 32) * bound) >>> 32); // multiply and shift; the bias is below bound / 2^32
    }

    /** The numbers 0..n-1 in random order. */
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
