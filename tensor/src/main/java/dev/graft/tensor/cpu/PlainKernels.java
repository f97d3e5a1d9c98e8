package dev.graft.tensor.cpu;

import java.util.Arrays;

/** The inner loops without the Vector API, written so that the compiler can vectorise the loop over channels. */
final class PlainKernels implements MicroKernels {
    private static final int LANES = 8;

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
    public int panelVectors() {
        return 4;
    }

    @Override
    public void tiles(int m, int vectors, int kc, float[] a, int ao, int rs, int ks, float[] b, int bo, int bs,
            float[] c, int co, int ldc, boolean accumulate) {
        int width = vectors * LANES;
        for (int i = 0; i < m; i++) {
            int to = co + i * ldc;
            if (!accumulate) {
                Arrays.fill(c, to, to + width, 0f);
            }
            int from = ao + i * rs;
            int k = 0;
            for (; k + 4 <= kc; k += 4) {
                rank4(width, a[from], a[from + ks], a[from + 2 * ks], a[from + 3 * ks], b, bo + k * bs, bs, c, to);
                from += 4 * ks;
            }
            for (; k < kc; k++) {
                rank1(width, a[from], b, bo + k * bs, c, to);
                from += ks;
            }
        }
    }

    private static void rank4(int n, float a0, float a1, float a2, float a3, float[] b, int bo, int bs, float[] c, int co) {
        int b1 = bo + bs, b2 = b1 + bs, b3 = b2 + bs;
        for (int j = 0; j < n; j++) {
            c[co + j] += (a0 * b[bo + j] + a1 * b[b1 + j]) + (a2 * b[b2 + j] + a3 * b[b3 + j]);
        }
    }

    private static void rank1(int n, float a0, float[] b, int bo, float[] c, int co) {
        for (int j = 0; j < n; j++) {
            c[co + j] += a0 * b[bo + j];
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
    public void winogradInput(float[] x, int xo, int rs, int cs, int channels, float[] v, int vo, int vs, float[] t) {
        for (int from = 0; from < channels; from += LANES) {
            int n = Math.min(LANES, channels - from);
            for (int j = 0; j < 6; j++) {
                input(n, x, xo + from + j * cs, rs, t, j * LANES, 6 * LANES);
            }
            for (int i = 0; i < 6; i++) {
                input(n, t, 6 * i * LANES, LANES, v, vo + from + 6 * i * vs, vs);
            }
        }
    }

    private static void input(int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float d0 = a[p], d1 = a[p + as], d2 = a[p + 2 * as], d3 = a[p + 3 * as], d4 = a[p + 4 * as], d5 = a[p + 5 * as];
            r[q] = 4 * d0 - 5 * d2 + d4;
            r[q + rs] = d4 - 4 * d2 + (d3 - 4 * d1);
            r[q + 2 * rs] = d4 - 4 * d2 - (d3 - 4 * d1);
            r[q + 3 * rs] = d4 - d2 + 2 * (d3 - d1);
            r[q + 4 * rs] = d4 - d2 - 2 * (d3 - d1);
            r[q + 5 * rs] = 4 * d1 - 5 * d3 + d5;
        }
    }

    @Override
    public void winogradWeights(float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t) {
        for (int from = 0; from < n; from += LANES) {
            int count = Math.min(LANES, n - from);
            for (int j = 0; j < 3; j++) {
                weights(count, w, wo + from + j * ws, 3 * ws, t, j * LANES, 3 * LANES);
            }
            for (int i = 0; i < 6; i++) {
                weights(count, t, 3 * i * LANES, LANES, u, uo + from + 6 * i * us, us);
            }
        }
    }

    private static void weights(int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int q = ro + c;
            float g0 = a[ao + c], g1 = a[ao + c + as], g2 = a[ao + c + 2 * as];
            float outer = (g0 + g2) * (-1f / 6);
            float far = g0 * (1f / 24) + g2 * (1f / 6);
            r[q] = 0.25f * g0;
            r[q + rs] = outer - g1 * (1f / 6);
            r[q + 2 * rs] = outer + g1 * (1f / 6);
            r[q + 3 * rs] = far + g1 * (1f / 12);
            r[q + 4 * rs] = far - g1 * (1f / 12);
            r[q + 5 * rs] = g2;
        }
    }

    @Override
    public void winogradOutput(float[] m, int mo, int ms, int channels, float[] y, int yo, int rs, int cs, int rows,
            int cols, float[] t) {
        for (int from = 0; from < channels; from += LANES) {
            int n = Math.min(LANES, channels - from);
            for (int j = 0; j < 6; j++) {
                output(n, m, mo + from + j * ms, 6 * ms, t, j * LANES, 6 * LANES, 4);
            }
            for (int i = 0; i < rows; i++) {
                output(n, t, 6 * i * LANES, LANES, y, yo + from + i * rs, cs, cols);
            }
        }
    }

    private static void output(int n, float[] a, int ao, int as, float[] r, int ro, int rs, int results) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float m0 = a[p], m1 = a[p + as], m2 = a[p + 2 * as], m3 = a[p + 3 * as], m4 = a[p + 4 * as], m5 = a[p + 5 * as];
            r[q] = m0 + (m1 + m2) + (m3 + m4);
            if (results > 1) {
                r[q + rs] = m1 - m2 + 2 * (m3 - m4);
            }
            if (results > 2) {
                r[q + 2 * rs] = m1 + m2 + 4 * (m3 + m4);
            }
            if (results > 3) {
                r[q + 3 * rs] = m1 - m2 + 8 * (m3 - m4) + m5;
            }
        }
    }

    @Override
    public void winogradOutputGradient(float[] dy, int dyo, int rs, int cs, int channels, float[] v, int vo, int vs,
            float[] t) {
        for (int from = 0; from < channels; from += LANES) {
            int n = Math.min(LANES, channels - from);
            for (int j = 0; j < 4; j++) {
                outputGradient(n, dy, dyo + from + j * cs, rs, t, j * LANES, 4 * LANES);
            }
            for (int i = 0; i < 6; i++) {
                outputGradient(n, t, 4 * i * LANES, LANES, v, vo + from + 6 * i * vs, vs);
            }
        }
    }

    private static void outputGradient(int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float d0 = a[p], d1 = a[p + as], d2 = a[p + 2 * as], d3 = a[p + 3 * as];
            r[q] = d0;
            r[q + rs] = d0 + d2 + (d1 + d3);
            r[q + 2 * rs] = d0 + d2 - (d1 + d3);
            r[q + 3 * rs] = d0 + 4 * d2 + (2 * d1 + 8 * d3);
            r[q + 4 * rs] = d0 + 4 * d2 - (2 * d1 + 8 * d3);
            r[q + 5 * rs] = d3;
        }
    }

    @Override
    public void winogradWeightGradient(float[] u, int uo, int us, int n, float[] dw, int dwo, int dws, float[] t) {
        for (int from = 0; from < n; from += LANES) {
            int count = Math.min(LANES, n - from);
            for (int j = 0; j < 6; j++) {
                weightGradient(count, u, uo + from + j * us, 6 * us, t, j * LANES, 6 * LANES);
            }
            for (int i = 0; i < 3; i++) {
                weightGradient(count, t, 6 * i * LANES, LANES, dw, dwo + from + 3 * i * dws, dws);
            }
        }
    }

    private static void weightGradient(int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float u1 = a[p + as], u2 = a[p + 2 * as], u3 = a[p + 3 * as], u4 = a[p + 4 * as];
            float near = (u1 + u2) * (1f / 6);
            r[q] = 0.25f * a[p] - near + (u3 + u4) * (1f / 24);
            r[q + rs] = (u2 - u1) * (1f / 6) + (u3 - u4) * (1f / 12);
            r[q + 2 * rs] = (u3 + u4) * (1f / 6) - near + a[p + 5 * as];
        }
    }

    @Override
    public void depthwise(int taps, int[] offsets, float[] x, int xo, int xs, float[] w, int wo, int ws,
            float[] y, int yo, int ys, int pixels, int channels) {
        for (int p = 0; p < pixels; p++) {
            int to = yo + p * ys;
            Arrays.fill(y, to, to + channels, 0f);
            for (int t = 0; t < taps; t++) {
                multiplyAdd(channels, x, xo + p * xs + offsets[t], w, wo + t * ws, y, to);
            }
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
