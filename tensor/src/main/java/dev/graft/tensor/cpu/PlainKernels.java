package dev.graft.tensor.cpu;

import java.util.Arrays;

/** The inner loops without the Vector API, written so that the compiler can vectorise the loop over channels. */
final class PlainKernels implements MicroKernels {
    private static final int LANES = 8;
    private static final int TRANSPOSE_BLOCK = 32;
    private static final int PANEL = 16;
    /** Rows of the right operand that are copied to arrays of their own; one more holds the sums. */
    private static final int DEPTH = 160;
    private static final ThreadLocal<float[][]> ROWS = ThreadLocal.withInitial(() -> new float[DEPTH + 1][PANEL * LANES]);
    private static final int TILE_ROWS = 64;

    @Override
    public String name() {
        return "plain loops";
    }

    @Override
    public boolean vectors() {
        return false;
    }

    @Override
    public int lanes() {
        return LANES;
    }

    @Override
    public int tileVectors() {
        return PANEL;
    }

    @Override
    public int panelVectors() {
        return PANEL;
    }

    @Override
    public int tileRows() {
        return TILE_ROWS;
    }

    @Override
    public void tiles(int m, int vectors, int kc, float[] a, int ao, int rs, int ks, float[] b, int bo, int bs,
            float[] c, int co, int ldc, boolean accumulate) {
        int width = vectors * LANES;
        float[][] rows = ROWS.get();
        for (int k0 = 0; k0 == 0 || k0 < kc; k0 += DEPTH) {
            int depth = Math.min(DEPTH, kc - k0);
            for (int k = 0; k < depth; k++) {
                System.arraycopy(b, bo + (k0 + k) * bs, rows[k], 0, width);
            }
            for (int i = 0; i < m; i++) {
                row(width, depth, a, ao + i * rs + k0 * ks, ks, rows, c, co + i * ldc, accumulate || k0 > 0);
            }
        }
    }

    /** Sums in an array of its own: only loops whose arrays all begin at the index are vectorised without offsets' proof. */
    private static void row(int n, int kc, float[] a, int ao, int ks, float[][] b, float[] c, int co, boolean accumulate) {
        float[] sum = b[DEPTH];
        if (accumulate) {
            System.arraycopy(c, co, sum, 0, n);
        } else {
            Arrays.fill(sum, 0, n, 0f);
        }
        int from = ao;
        int k = 0;
        for (; k + 4 <= kc; k += 4) {
            rank4(n, a[from], a[from + ks], a[from + 2 * ks], a[from + 3 * ks], b[k], b[k + 1], b[k + 2], b[k + 3], sum);
            from += 4 * ks;
        }
        for (; k < kc; k++) {
            rank1(n, a[from], b[k], sum);
            from += ks;
        }
        System.arraycopy(sum, 0, c, co, n);
    }

    private static void rank4(int n, float a0, float a1, float a2, float a3, float[] b0, float[] b1, float[] b2, float[] b3,
            float[] c) {
        for (int j = 0; j < n; j++) {
            c[j] += (a0 * b0[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j]);
        }
    }

    private static void rank1(int n, float a, float[] b, float[] c) {
        for (int j = 0; j < n; j++) {
            c[j] += a * b[j];
        }
    }

    @Override
    public void dots(int n, int k, float[] a, int ao, float[] b, int bo, int bs, float[] c, int co, boolean accumulate) {
        for (int j = 0; j < n; j++) {
            float s0 = 0, s1 = 0, s2 = 0, s3 = 0; // a single chain of additions would wait for itself
            int from = bo + j * bs;
            int i = 0;
            for (; i + 4 <= k; i += 4) {
                s0 += a[ao + i] * b[from + i];
                s1 += a[ao + i + 1] * b[from + i + 1];
                s2 += a[ao + i + 2] * b[from + i + 2];
                s3 += a[ao + i + 3] * b[from + i + 3];
            }
            for (; i < k; i++) {
                s0 += a[ao + i] * b[from + i];
            }
            float s = (s0 + s1) + (s2 + s3);
            c[co + j] = accumulate ? c[co + j] + s : s;
        }
    }

    @Override
    public void windows(int pixels, int rows, int n, float[] x, int xo, int xs, int rs, float[] to, int at) {
        for (int p = 0; p < pixels; p++) {
            for (int r = 0; r < rows; r++) {
                System.arraycopy(x, xo + p * xs + r * rs, to, at + (p * rows + r) * n, n);
            }
        }
    }

    @Override
    public void transpose(int rows, int columns, float[] b, int bo, int bs, float[] to, int at, int ts) {
        for (int r0 = 0; r0 < rows; r0 += TRANSPOSE_BLOCK) {
            int n = Math.min(TRANSPOSE_BLOCK, rows - r0);
            for (int c = 0; c < columns; c++) {
                for (int r = 0; r < n; r++) {
                    to[at + c * ts + r0 + r] = b[bo + (r0 + r) * bs + c];
                }
            }
        }
    }

    @Override
    public void winogradInput(int rows, int cols, float[] x, int xo, int rs, int cs, int channels, float[] v, int vo, int vs,
            float[] t) {
        for (int c = 0; c < channels; c += LANES) {
            PlainWinograd.input(rows, cols, Math.min(LANES, channels - c), x, xo + c, rs, cs, v, vo + c, vs, t);
        }
    }

    @Override
    public void winogradWeights(float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t) {
        for (int c = 0; c < n; c += LANES) {
            PlainWinograd.weights(Math.min(LANES, n - c), w, wo + c, ws, u, uo + c, us, t);
        }
    }

    @Override
    public void winogradWeightsHalf(int half, float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t) {
        PlainWinograd.weightsHalf(half, n, w, wo, ws, u, uo, us);
    }

    @Override
    public void winogradOutput(int rows, int cols, float[] m, int mo, int ms, int channels, float[] y, int yo, int rs,
            int cs, int down, int across, float[] t) {
        for (int c = 0; c < channels; c += LANES) {
            PlainWinograd.output(rows, cols, Math.min(LANES, channels - c), m, mo + c, ms, y, yo + c, rs, cs, down, across,
                    t);
        }
    }

    @Override
    public void winogradOutputGradient(int rows, int cols, float[] dy, int dyo, int rs, int cs, int channels, float[] v,
            int vo, int vs, float[] t) {
        for (int c = 0; c < channels; c += LANES) {
            PlainWinograd.outputGradient(rows, cols, Math.min(LANES, channels - c), dy, dyo + c, rs, cs, v, vo + c, vs, t);
        }
    }

    @Override
    public void winogradWeightGradient(float[] u, int uo, int us, int n, float[] dw, int dwo, int dws, float[] t) {
        for (int c = 0; c < n; c += LANES) {
            PlainWinograd.weightGradient(Math.min(LANES, n - c), u, uo + c, us, dw, dwo + c, dws, t);
        }
    }

    @Override
    public void depthwise(int taps, int[] offsets, float[] x, int xo, int xs, float[] w, int wo, int ws,
            float[] y, int yo, int ys, int pixels, int channels) {
        for (int p = 0; p < pixels; p++) {
            int to = yo + p * ys;
            Arrays.fill(y, to, to + channels, 0f);
            int from = xo + p * xs;
            int t = 0;
            for (; t + 3 <= taps; t += 3) {
                taps3(channels, x, from + offsets[t], from + offsets[t + 1], from + offsets[t + 2], w, wo + t * ws, ws, y,
                        to);
            }
            for (; t < taps; t++) {
                multiplyAdd(channels, x, from + offsets[t], w, wo + t * ws, y, to);
            }
        }
    }

    private static void taps3(int n, float[] x, int x0, int x1, int x2, float[] w, int w0, int ws, float[] y, int yo) {
        int w1 = w0 + ws, w2 = w1 + ws;
        for (int i = 0; i < n; i++) {
            y[yo + i] += x[x0 + i] * w[w0 + i] + x[x1 + i] * w[w1 + i] + x[x2 + i] * w[w2 + i];
        }
    }

    @Override
    public void depthwiseWeights(int taps, int[] offsets, float[] x, int xo, int xs, float[] dy, int dyo, int dys,
            float[] dw, int dwo, int dws, int pixels, int channels) {
        for (int t = 0; t < taps; t++) {
            for (int p = 0; p < pixels; p++) {
                multiplyAdd(channels, x, xo + p * xs + offsets[t], dy, dyo + p * dys, dw, dwo + t * dws);
            }
        }
    }

    private static void multiplyAdd(int n, float[] a, int ao, float[] b, int bo, float[] c, int co) {
        for (int i = 0; i < n; i++) {
            c[co + i] += a[ao + i] * b[bo + i];
        }
    }
}
