package dev.graft.tensor.cpu;

/**
 * Rows of few channels, such as 3 or 24, do not fill vectors. Since rows are contiguous, k of them can be walked as one
 * row of k * c channels with every per-channel value repeated k times.
 */
final class ChannelTile {
    private ChannelTile() {}

    /** How many rows of {@code c} channels to take as one; 1 where they fill vectors of {@code lanes} by themselves. */
    static int repeat(int c, int lanes) {
        if (c >= 16 * lanes) {
            return 1; // the odd end of a long row costs little
        }
        int k = lanes / gcd(c, lanes);
        while (k * c < 4 * lanes) {
            k *= 2;
        }
        return k;
    }

    private static int gcd(int a, int b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    /** {@code k} copies of the {@code c} values at {@code vo}. */
    static float[] of(float[] v, int vo, int c, int k) {
        float[] t = new float[c * k];
        for (int i = 0; i < k; i++) {
            System.arraycopy(v, vo, t, i * c, c);
        }
        return t;
    }
}
