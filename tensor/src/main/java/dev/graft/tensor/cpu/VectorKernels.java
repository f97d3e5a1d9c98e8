package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner loops with the Vector API. Channel counts that are no multiple of the vector end in a last vector that
 * overlaps the one before; with fewer channels than one vector holds, the plain loops do the work.
 */
final class VectorKernels implements MicroKernels {
    static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    static final int L = S.length();

    /** A tile may hold 24 to 28 accumulators with 32 vector registers (AVX-512, NEON), 9 with 16 (AVX2). */
    static final boolean MANY_REGISTERS = L == 16 || System.getProperty("os.arch", "").equals("aarch64");

    private final PlainKernels plain = new PlainKernels();

    @Override
    public String name() {
        return "Vector API, " + L * 32 + " bit";
    }

    @Override
    public boolean vectors() {
        return true;
    }

    @Override
    public int lanes() {
        return L;
    }

    @Override
    public int tileVectors() {
        return MANY_REGISTERS ? 4 : 3;
    }

    @Override
    public int panelVectors() {
        return 2;
    }

    @Override
    public int tileRows() {
        return PackedTiles.ROWS;
    }

    @Override
    public void tiles(int m, int vectors, int kc, float[] a, int ao, int rs, int ks, float[] b, int bo, int bs,
            float[] c, int co, int ldc, boolean accumulate) {
        switch (vectors) {
            case 1 -> NarrowTiles.columns1(m, kc, a, ao, rs, ks, b, bo, bs, c, co, ldc, accumulate);
            case 2 -> NarrowTiles.columns2(m, kc, a, ao, rs, ks, b, bo, bs, c, co, ldc, accumulate);
            case 3 -> WideTiles.columns3(m, kc, a, ao, rs, ks, b, bo, bs, c, co, ldc, accumulate);
            case 4 -> WideTiles.columns4(m, kc, a, ao, rs, ks, b, bo, bs, c, co, ldc, accumulate);
            default -> throw new IllegalArgumentException("no tile is " + vectors + " vectors wide");
        }
    }

    @Override
    public void packedTiles(int m, int vectors, int kc, float[] a, int ao, float[] b, int bo, float[] d, int at, int ldd,
            float[] c, int co, int ldc) {
        if (vectors == 1) {
            PackedTiles.columns1(m, kc, a, ao, b, bo, d, at, ldd, c, co, ldc);
        } else {
            PackedTiles.columns2(m, kc, a, ao, b, bo, d, at, ldd, c, co, ldc);
        }
    }

    @Override
    public void dots(int n, int k, float[] a, int ao, float[] b, int bo, int bs, float[] c, int co, boolean accumulate) {
        float[] sums = new float[4 * L];
        for (int j = 0; j < n; j += 4) {
            int count = Math.min(4, n - j);
            if (count == 4) {
                dots4(k, a, ao, b, bo + j * bs, bs, sums);
            } else {
                for (int i = 0; i < count; i++) {
                    dot(k, a, ao, b, bo + (j + i) * bs, sums, i * L);
                }
            }
            for (int i = 0; i < count; i++) {
                float s = total(sums, i * L);
                for (int q = S.loopBound(k); q < k; q++) {
                    s += a[ao + q] * b[bo + (j + i) * bs + q];
                }
                c[co + j + i] = accumulate ? c[co + j + i] + s : s;
            }
        }
    }

    /** Adds the lanes in a fixed order; that of {@code reduceLanes} is not specified and may change as code gets hot. */
    private static float total(float[] sums, int at) {
        float s = 0;
        for (int i = 0; i < L; i++) {
            s += sums[at + i];
        }
        return s;
    }

    private static void dots4(int k, float[] a, int ao, float[] b, int bo, int bs, float[] sums) {
        FloatVector s0 = FloatVector.zero(S), s1 = s0, s2 = s0, s3 = s0;
        int b1 = bo + bs, b2 = b1 + bs, b3 = b2 + bs;
        int full = S.loopBound(k);
        for (int i = 0; i < full; i += L) {
            FloatVector x = FloatVector.fromArray(S, a, ao + i);
            s0 = x.fma(FloatVector.fromArray(S, b, bo + i), s0);
            s1 = x.fma(FloatVector.fromArray(S, b, b1 + i), s1);
            s2 = x.fma(FloatVector.fromArray(S, b, b2 + i), s2);
            s3 = x.fma(FloatVector.fromArray(S, b, b3 + i), s3);
        }
        s0.intoArray(sums, 0);
        s1.intoArray(sums, L);
        s2.intoArray(sums, 2 * L);
        s3.intoArray(sums, 3 * L);
    }

    private static void dot(int k, float[] a, int ao, float[] b, int bo, float[] sums, int at) {
        FloatVector s = FloatVector.zero(S);
        int full = S.loopBound(k);
        for (int i = 0; i < full; i += L) {
            s = FloatVector.fromArray(S, a, ao + i).fma(FloatVector.fromArray(S, b, bo + i), s);
        }
        s.intoArray(sums, at);
    }

    /** Whole vectors: what one writes too much the next one overwrites. */
    @Override
    public void windows(int pixels, int rows, int n, float[] x, int xo, int xs, int rs, float[] to, int at) {
        for (int p = 0; p < pixels; p++) {
            for (int r = 0; r < rows; r++) {
                int from = xo + p * xs + r * rs;
                int d = at + (p * rows + r) * n;
                for (int i = 0; i < n; i += L) {
                    FloatVector.fromArray(S, x, from + i).intoArray(to, d + i);
                }
            }
        }
    }

    @Override
    public void transpose(int rows, int columns, float[] b, int bo, int bs, float[] to, int at, int ts) {
        if (rows < L || columns < L) {
            plain.transpose(rows, columns, b, bo, bs, to, at, ts);
            return;
        }
        float[] t = new float[L * L];
        for (int r = 0; r < rows; r += L) {
            int row = Math.min(r, rows - L);
            for (int c = 0; c < columns; c += L) {
                int column = Math.min(c, columns - L);
                PackVectors.transposeSquare(b, bo + row * bs + column, bs, to, at + column * ts + row, ts, t);
            }
        }
    }

    @Override
    public void winogradInput(int rows, int cols, float[] x, int xo, int rs, int cs, int channels, float[] v, int vo, int vs,
            float[] t) {
        if (channels < L) {
            plain.winogradInput(rows, cols, x, xo, rs, cs, channels, v, vo, vs, t);
            return;
        }
        for (int c = 0; c < channels; c += L) {
            int at = Math.min(c, channels - L);
            WinogradVectors.input(rows, cols, x, xo + at, rs, cs, v, vo + at, vs, t);
        }
    }

    @Override
    public void winogradWeights(float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t) {
        if (n < L) {
            plain.winogradWeights(w, wo, ws, n, u, uo, us, t);
            return;
        }
        for (int c = 0; c < n; c += L) {
            int at = Math.min(c, n - L);
            WinogradVectors.weights(w, wo + at, ws, u, uo + at, us, t);
        }
    }

    @Override
    public void winogradWeightsHalf(int half, float[] w, int wo, int ws, int n, float[] u, int uo, int us,
            float[] t) {
        if (n < L) {
            plain.winogradWeightsHalf(half, w, wo, ws, n, u, uo, us, t);
            return;
        }
        for (int c = 0; c < n; c += L) {
            int at = Math.min(c, n - L);
            WinogradVectors.weightsHalf(half, w, wo + at, ws, u, uo + at, us, t);
        }
    }

    @Override
    public void winogradOutput(int rows, int cols, float[] m, int mo, int ms, int channels, float[] y, int yo, int rs,
            int cs, int down, int across, float[] t) {
        if (channels < L) {
            plain.winogradOutput(rows, cols, m, mo, ms, channels, y, yo, rs, cs, down, across, t);
            return;
        }
        for (int c = 0; c < channels; c += L) {
            int at = Math.min(c, channels - L);
            WinogradVectors.output(rows, cols, m, mo + at, ms, y, yo + at, rs, cs, down, across, t);
        }
    }

    @Override
    public void winogradOutputGradient(int rows, int cols, float[] dy, int dyo, int rs, int cs, int channels, float[] v,
            int vo, int vs, float[] t) {
        if (channels < L) {
            plain.winogradOutputGradient(rows, cols, dy, dyo, rs, cs, channels, v, vo, vs, t);
            return;
        }
        for (int c = 0; c < channels; c += L) {
            int at = Math.min(c, channels - L);
            WinogradVectors.outputGradient(rows, cols, dy, dyo + at, rs, cs, v, vo + at, vs, t);
        }
    }

    @Override
    public void winogradWeightGradient(float[] u, int uo, int us, int n, float[] dw, int dwo, int dws, float[] t) {
        if (n < L) {
            plain.winogradWeightGradient(u, uo, us, n, dw, dwo, dws, t);
            return;
        }
        for (int c = 0; c < n; c += L) {
            int at = Math.min(c, n - L);
            WinogradVectors.weightGradient(u, uo + at, us, dw, dwo + at, dws, t);
        }
    }

    @Override
    public void depthwise(int taps, int[] offsets, float[] x, int xo, int xs, float[] w, int wo, int ws,
            float[] y, int yo, int ys, int pixels, int channels) {
        if (channels < L) {
            plain.depthwise(taps, offsets, x, xo, xs, w, wo, ws, y, yo, ys, pixels, channels);
            return;
        }
        for (int p = 0; p < pixels; ) {
            int left = pixels - p;
            int step = left >= 8 ? 8 : left >= 4 ? 4 : 1;
            for (int c = 0; c < channels; c += L) {
                int at = Math.min(c, channels - L);
                int from = xo + p * xs + at;
                int to = yo + p * ys + at;
                switch (step) {
                    case 8 -> DepthwiseVectors.pixels8(taps, offsets, x, from, xs, w, wo + at, ws, y, to, ys);
                    case 4 -> DepthwiseVectors.pixels4(taps, offsets, x, from, xs, w, wo + at, ws, y, to, ys);
                    default -> DepthwiseVectors.pixel(taps, offsets, x, from, w, wo + at, ws, y, to);
                }
            }
            p += step;
        }
    }

    @Override
    public void depthwiseWeights(int taps, int[] offsets, float[] x, int xo, int xs, float[] dy, int dyo, int dys,
            float[] dw, int dwo, int dws, int pixels, int channels) {
        if (channels < L) {
            plain.depthwiseWeights(taps, offsets, x, xo, xs, dy, dyo, dys, dw, dwo, dws, pixels, channels);
            return;
        }
        for (int c = 0; c < channels; c += L) {
            int at = Math.min(c, channels - L);
            // Sums are added to what is there: lanes that the vector before has done must not count twice.
            VectorMask<Float> fresh = VectorMask.fromLong(S, -1L << (c - at));
            for (int t = 0; t < taps; t += DepthwiseVectors.GROUP) {
                DepthwiseVectors.weights(Math.min(DepthwiseVectors.GROUP, taps - t), offsets, t, x, xo + at, xs,
                        dy, dyo + at, dys, dw, dwo + t * dws + at, dws, pixels, fresh);
            }
        }
    }
}
