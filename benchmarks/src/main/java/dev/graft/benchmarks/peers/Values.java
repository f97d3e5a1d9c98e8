package dev.graft.benchmarks.peers;

/** Inputs and weights: every value is a function of its tensor's name and its place, the same in every engine. */
public final class Values {
    private Values() {}

    /** Uniform from {@code low} to {@code high}, in steps of 2^-24 of the range. */
    public static float[] uniform(String name, int count, double low, double high) {
        int seed = name.hashCode() * 0x9E3779B9;
        float[] v = new float[count];
        float scale = (float) (high - low) / (1 << 24);
        for (int i = 0; i < count; i++) {
            v[i] = (float) low + scale * (mix(i + seed) >>> 8);
        }
        return v;
    }

    /** Uniform from -1 to 1. */
    public static float[] of(String name, int... dims) {
        return uniform(name, count(dims), -1, 1);
    }

    /** Class indices 0, 1, ... over and over. */
    public static long[] labels(int count, int classes) {
        long[] v = new long[count];
        for (int i = 0; i < count; i++) {
            v[i] = i % classes;
        }
        return v;
    }

    public static int count(int... dims) {
        int n = 1;
        for (int d : dims) {
            n = Math.multiplyExact(n, d);
        }
        return n;
    }

    /** The channels of {@code nhwc} [N, H, W, C] moved to the front: [N, C, H, W]; weights [O, kH, kW, I] alike. */
    public static float[] channelsFirst(float[] nhwc, int n, int h, int w, int c) {
        float[] out = new float[nhwc.length];
        for (int i = 0; i < n; i++) {
            for (int p = 0; p < h * w; p++) {
                for (int k = 0; k < c; k++) {
                    out[(i * c + k) * h * w + p] = nhwc[(i * h * w + p) * c + k];
                }
            }
        }
        return out;
    }

    /** The way back from {@link #channelsFirst}: from [N, C, H, W]. */
    public static float[] channelsLast(float[] nchw, int n, int c, int h, int w) {
        return channelsFirst(nchw, n, c, 1, h * w);     // [N, C, 1, HW] with HW for channels
    }

    /** A good mixer of 32 bits, by C. Wellons ("Prospecting for hash functions", 2018). */
    private static int mix(int x) {
        int y = (x ^ x >>> 16) * 0x7feb352d;
        y = (y ^ y >>> 15) * 0x846ca68b;
        return y ^ y >>> 16;
    }
}
