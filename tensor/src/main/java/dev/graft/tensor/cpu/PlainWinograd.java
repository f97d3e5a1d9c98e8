package dev.graft.tensor.cpu;

/** {@link WinogradVectors} without the Vector API, for {@code n} channels; one-dimensional transforms as formulas. */
final class PlainWinograd {
    private static final int LANES = 16;

    private PlainWinograd() {}

    static void input(int rows, int cols, int n, float[] x, int xo, int rs, int cs, float[] v, int vo, int vs, float[] t) {
        for (int j = 0; j < cols + 2; j++) {
            input(rows, n, x, xo + j * cs, rs, t, j * LANES, 6 * LANES);
        }
        for (int i = 0; i < 6; i++) {
            if (WinogradTiles.uses(rows, i)) {
                input(cols, n, t, 6 * i * LANES, LANES, v, vo + 6 * i * vs, vs);
            }
        }
    }

    private static void input(int results, int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float d0 = a[p], d1 = a[p + as], d2 = a[p + 2 * as], d3 = a[p + 3 * as];
            if (results == 2) {
                r[q] = 4 * (d0 - d2);
                r[q + rs] = -3 * (d1 + d2);
                r[q + 2 * rs] = 3 * (d1 - d2);
                r[q + 5 * rs] = d3 - d1;
                continue;
            }
            float d4 = a[p + 4 * as];
            if (results == 3) {
                r[q] = 4 * (d0 - d2) + 2 * (d3 - d1);
                r[q + rs] = 3 * (d3 - d2 - 2 * d1);
                r[q + 2 * rs] = d3 - 3 * d2 + 2 * d1;
                r[q + 3 * rs] = 4 * (d3 - d1);
                r[q + 5 * rs] = d4 - d2 - 2 * (d3 - d1);
                continue;
            }
            float d5 = a[p + 5 * as];
            r[q] = 4 * d0 - 5 * d2 + d4;
            r[q + rs] = d4 - 4 * d2 + (d3 - 4 * d1);
            r[q + 2 * rs] = d4 - 4 * d2 - (d3 - 4 * d1);
            r[q + 3 * rs] = d4 - d2 + 2 * (d3 - d1);
            r[q + 4 * rs] = d4 - d2 - 2 * (d3 - d1);
            r[q + 5 * rs] = 4 * d1 - 5 * d3 + d5;
        }
    }

    static void weights(int n, float[] w, int wo, int ws, float[] u, int uo, int us, float[] t) {
        for (int j = 0; j < 3; j++) {
            weights(n, w, wo + j * ws, 3 * ws, t, j * LANES, 3 * LANES);
        }
        for (int i = 0; i < 6; i++) {
            weights(n, t, 3 * i * LANES, LANES, u, uo + 6 * i * us, us);
        }
    }

    private static void weights(int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int q = ro + c;
            float g0 = a[ao + c], g1 = a[ao + c + as], g2 = a[ao + c + 2 * as];
            for (int i = 0; i < 6; i++) {
                r[q + i * rs] = at(i, g0, g1, g2);
            }
        }
    }

    private static float at(int i, float g0, float g1, float g2) {
        return switch (i) {
            case 0 -> 0.25f * g0;
            case 1 -> (g0 + g2) * (-1f / 6) - g1 * (1f / 6);
            case 2 -> (g0 + g2) * (-1f / 6) + g1 * (1f / 6);
            case 3 -> g0 * (1f / 24) + g2 * (1f / 6) + g1 * (1f / 12);
            case 4 -> g0 * (1f / 24) + g2 * (1f / 6) - g1 * (1f / 12);
            default -> g2;
        };
    }

    static void weightsHalf(int half, int n, float[] w, int wo, int ws, float[] u, int uo, int us) {
        for (int i = 0; i < 3; i++) {
            for (int c = wo; c < wo + n; c++) {
                float g0 = at(3 * half + i, w[c], w[c + 3 * ws], w[c + 6 * ws]);
                float g1 = at(3 * half + i, w[c + ws], w[c + 4 * ws], w[c + 7 * ws]);
                float g2 = at(3 * half + i, w[c + 2 * ws], w[c + 5 * ws], w[c + 8 * ws]);
                for (int j = 0; j < 6; j++) {
                    u[uo + c - wo + (6 * i + j) * us] = at(j, g0, g1, g2);
                }
            }
        }
    }

    static void output(int rows, int cols, int n, float[] m, int mo, int ms, float[] y, int yo, int rs, int cs, int down,
            int across, float[] t) {
        for (int j = 0; j < 6; j++) {
            if (WinogradTiles.uses(cols, j)) {
                output(rows, n, m, mo + j * ms, 6 * ms, t, j * LANES, 6 * LANES, rows);
            }
        }
        for (int i = 0; i < down; i++) {
            output(cols, n, t, 6 * i * LANES, LANES, y, yo + i * rs, cs, across);
        }
    }

    private static void output(int results, int n, float[] a, int ao, int as, float[] r, int ro, int rs, int count) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float m0 = a[p], m1 = a[p + as], m2 = a[p + 2 * as], m5 = a[p + 5 * as];
            float m3 = results > 2 ? a[p + 3 * as] : 0;
            float m4 = results > 3 ? a[p + 4 * as] : 0;
            r[q] = m0 + (m1 + m2) + (m3 + m4);
            if (count > 1) {
                r[q + rs] = m1 - m2 + 2 * (m3 - m4) + (results == 2 ? m5 : 0);
            }
            if (count > 2) {
                r[q + 2 * rs] = m1 + m2 + 4 * (m3 + m4) + (results == 3 ? m5 : 0);
            }
            if (count > 3) {
                r[q + 3 * rs] = m1 - m2 + 8 * (m3 - m4) + m5;
            }
        }
    }

    static void outputGradient(int rows, int cols, int n, float[] dy, int dyo, int rs, int cs, float[] v, int vo, int vs,
            float[] t) {
        for (int j = 0; j < cols; j++) {
            outputGradient(rows, n, dy, dyo + j * cs, rs, t, j * LANES, 4 * LANES);
        }
        for (int i = 0; i < 6; i++) {
            if (WinogradTiles.uses(rows, i)) {
                outputGradient(cols, n, t, 4 * i * LANES, LANES, v, vo + 6 * i * vs, vs);
            }
        }
    }

    private static void outputGradient(int results, int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
        for (int c = 0; c < n; c++) {
            int p = ao + c;
            int q = ro + c;
            float d0 = a[p], d1 = a[p + as];
            float d2 = results > 2 ? a[p + 2 * as] : 0;
            float d3 = results > 3 ? a[p + 3 * as] : 0;
            r[q] = d0;
            r[q + rs] = d0 + d2 + (d1 + d3);
            r[q + 2 * rs] = d0 + d2 - (d1 + d3);
            if (results > 2) {
                r[q + 3 * rs] = d0 + 4 * d2 + (2 * d1 + 8 * d3);
            }
            if (results > 3) {
                r[q + 4 * rs] = d0 + 4 * d2 - (2 * d1 + 8 * d3);
            }
            r[q + 5 * rs] = results == 4 ? d3 : results == 3 ? d2 : d1;
        }
    }

    static void weightGradient(int n, float[] u, int uo, int us, float[] dw, int dwo, int dws, float[] t) {
        for (int j = 0; j < 6; j++) {
            weightGradient1(n, u, uo + j * us, 6 * us, t, j * LANES, 6 * LANES);
        }
        for (int i = 0; i < 3; i++) {
            weightGradient1(n, t, 6 * i * LANES, LANES, dw, dwo + 3 * i * dws, dws);
        }
    }

    private static void weightGradient1(int n, float[] a, int ao, int as, float[] r, int ro, int rs) {
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
}
