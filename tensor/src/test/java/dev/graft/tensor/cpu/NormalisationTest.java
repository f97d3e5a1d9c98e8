package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.Samples.assertClose;
import static dev.graft.tensor.cpu.Samples.normal;
import static dev.graft.tensor.cpu.Samples.onOneAndTwoThreads;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.tensor.op.FusedOp;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Softmax, layer norm and batch norm against their definitions in double. */
class NormalisationTest {
    private static final int[][] SIZES = {{1, 1}, {3, 2}, {7, 16}, {5, 10}, {1, 33}, {40, 100}, {700, 24}, {5000, 3},
        {1200, 64}, {33, 320}, {2, 5001}, {90, 17}};

    static Stream<RowLoops> loops() {
        return Samples.rowLoops();
    }

    @ParameterizedTest
    @MethodSource("loops")
    void softmaxAndItsGradient(RowLoops loops) {
        Softmax softmax = new Softmax(loops);
        for (int[] s : SIZES) {
            int rows = s[0];
            int n = s[1];
            float[] x = normal(1, rows * n);
            for (int i = 0; i < x.length; i++) {
                x[i] = x[i] * 5 + 100;
            }
            if (n > 2) {
                x[1] = Float.NEGATIVE_INFINITY;
            }
            float[] dy = normal(2, rows * n);
            for (boolean log : new boolean[] {false, true}) {
                double[] want = new double[rows * n];
                double[] wantDx = new double[rows * n];
                for (int r = 0; r < rows; r++) {
                    double sum = 0;
                    double dot = 0;
                    for (int j = r * n; j < r * n + n; j++) {
                        sum += Math.exp(x[j] - 100);
                    }
                    for (int j = r * n; j < r * n + n; j++) {
                        double p = Math.exp(x[j] - 100) / sum;
                        want[j] = log ? x[j] - 100 - Math.log(sum) : p;
                        dot += log ? dy[j] : dy[j] * p;
                    }
                    for (int j = r * n; j < r * n + n; j++) {
                        double p = Math.exp(x[j] - 100) / sum;
                        wantDx[j] = log ? dy[j] - p * dot : p * (dy[j] - dot);
                    }
                }
                List<float[]> got = onOneAndTwoThreadsList(() -> {
                    float[] y = new float[rows * n];
                    float[] dx = new float[rows * n];
                    softmax.forward(log, x, 0, y, 0, rows, n);
                    softmax.backward(log, dy, 0, y, 0, dx, 0, rows, n);
                    return List.of(y, dx);
                });
                assertClose("softmax " + Arrays.toString(s), got.get(0), want, 4e-6, log ? 0.1 : 1e-6);
                assertClose("softmax gradient " + Arrays.toString(s), got.get(1), wantDx, 5e-6, 1);
            }
        }
    }

    /** Records cannot compare arrays by content, so the bits are compared here. */
    private static List<float[]> onOneAndTwoThreadsList(java.util.function.Supplier<List<float[]>> body) {
        float[] flat = onOneAndTwoThreads(() -> {
            List<float[]> parts = body.get();
            int n = parts.stream().mapToInt(p -> p.length).sum();
            float[] all = new float[n];
            int at = 0;
            for (float[] p : parts) {
                System.arraycopy(p, 0, all, at, p.length);
                at += p.length;
            }
            return all;
        });
        List<float[]> parts = body.get();
        int at = 0;
        for (float[] p : parts) {
            assertThat(p).isEqualTo(Arrays.copyOfRange(flat, at, at + p.length));
            at += p.length;
        }
        return parts;
    }

    private record Expected(double[] y, double[] mean, double[] invstd, double[] dx, double[] dgamma, double[] dbeta) {
        /** Groups are rows in layer norm and channels in batch norm. */
        static Expected of(boolean byRow, float[] x, float[] gamma, float[] beta, float[] dy, int rows, int c, double eps) {
            int groups = byRow ? rows : c;
            double count = byRow ? c : rows;
            double[] mean = new double[groups];
            double[] invstd = new double[groups];
            for (int i = 0; i < x.length; i++) {
                mean[byRow ? i / c : i % c] += x[i] / count;
            }
            for (int i = 0; i < x.length; i++) {
                double d = x[i] - mean[byRow ? i / c : i % c];
                invstd[byRow ? i / c : i % c] += d * d / count;
            }
            for (int g = 0; g < groups; g++) {
                invstd[g] = 1 / Math.sqrt(invstd[g] + eps);
            }
            double[] y = new double[x.length];
            double[] dx = new double[x.length];
            double[] dgamma = new double[c];
            double[] dbeta = new double[c];
            double[] e = new double[groups];
            double[] eh = new double[groups];
            for (int i = 0; i < x.length; i++) {
                int g = byRow ? i / c : i % c;
                double h = (x[i] - mean[g]) * invstd[g];
                y[i] = h * gamma[i % c] + beta[i % c];
                dgamma[i % c] += dy[i] * h;
                dbeta[i % c] += dy[i];
                e[g] += dy[i] * gamma[i % c] / count;
                eh[g] += dy[i] * gamma[i % c] * h / count;
            }
            for (int i = 0; i < x.length; i++) {
                int g = byRow ? i / c : i % c;
                dx[i] = invstd[g] * (dy[i] * gamma[i % c] - e[g] - (x[i] - mean[g]) * invstd[g] * eh[g]);
            }
            return new Expected(y, mean, invstd, dx, dgamma, dbeta);
        }
    }

    @ParameterizedTest
    @MethodSource("loops")
    void layerNormAndItsGradient(RowLoops loops) {
        LayerNorm norm = new LayerNorm(loops);
        for (int[] s : SIZES) {
            compare("layer norm " + Arrays.toString(s), true, s[0], s[1], (x, gamma, beta, dy) -> {
                float[] y = new float[x.length];
                float[] mean = new float[s[0]];
                float[] rstd = new float[s[0]];
                float[] dx = new float[x.length];
                float[] dgamma = new float[s[1]];
                float[] dbeta = new float[s[1]];
                norm.forward(1e-3, F32.of(x), F32.of(gamma), F32.of(beta), F32.of(y), F32.of(mean), F32.of(rstd), s[0],
                        s[1]);
                norm.backward(F32.of(dy), F32.of(x), F32.of(gamma), F32.of(mean), F32.of(rstd), F32.of(dx), F32.of(dgamma),
                        F32.of(dbeta), s[0], s[1]);
                return List.of(y, mean, rstd, dx, dgamma, dbeta);
            });
        }
    }

    @ParameterizedTest
    @MethodSource("loops")
    void batchNormAndItsGradient(RowLoops loops) {
        BatchNorm norm = new BatchNorm(loops, loops.lanes() == 1 ? new PlainElementLoops() : ElementLoops.best());
        for (int[] s : SIZES) {
            compare("batch norm " + Arrays.toString(s), false, s[0], s[1], (x, gamma, beta, dy) -> {
                float[] y = new float[x.length];
                float[] mean = new float[s[1]];
                float[] invstd = new float[s[1]];
                float[] dx = new float[x.length];
                float[] dgamma = new float[s[1]];
                float[] dbeta = new float[s[1]];
                norm.forward(1e-3, FusedOp.Activation.NONE, F32.of(x), F32.of(gamma), F32.of(beta), null, F32.of(y),
                        F32.of(mean), F32.of(invstd), s[0], s[1]);
                norm.backward(F32.of(dy), F32.of(x), F32.of(gamma), F32.of(mean), F32.of(invstd), F32.of(dx), F32.of(dgamma),
                        F32.of(dbeta), s[0], s[1]);
                return List.of(y, mean, invstd, dx, dgamma, dbeta);
            });
        }
    }

    /** Float32 keeps three digits behind the point of such a number, and none of the sum of their squares. */
    @ParameterizedTest
    @MethodSource("loops")
    void aLargeMeanLeavesTheDeviationItsDigits(RowLoops loops) {
        int rows = 2000;
        int c = 67;
        float[] x = normal(7, rows * c);
        double[] mean = new double[c];
        double[] variance = new double[c];
        for (int i = 0; i < x.length; i++) {
            x[i] += 1e4f;
            mean[i % c] += x[i] / (double) rows;
        }
        for (int i = 0; i < x.length; i++) {
            variance[i % c] += Math.pow(x[i] - mean[i % c], 2) / rows;
        }
        float[] one = new float[c];
        Arrays.fill(one, 1);
        float[] found = new float[c];
        float[] invstd = new float[c];
        BatchNorm norm = new BatchNorm(loops, loops.lanes() == 1 ? new PlainElementLoops() : ElementLoops.best());
        norm.forward(0, FusedOp.Activation.NONE, F32.of(x), F32.of(one), F32.of(new float[c]), null,
                F32.of(new float[x.length]), F32.of(found), F32.of(invstd), rows, c);
        for (int j = 0; j < c; j++) {
            assertThat(found[j]).isCloseTo((float) mean[j], offset(0.005f));
            assertThat(invstd[j] * Math.sqrt(variance[j])).isCloseTo(1.0, offset(1e-3));
        }
    }

    /** y made from x again against y read, bit for bit, also on the activation's kinks and where x is no number. */
    @ParameterizedTest
    @MethodSource("loops")
    void theActivationsGradientNeedsNoOutput(RowLoops loops) {
        BatchNorm norm = new BatchNorm(loops, loops.lanes() == 1 ? new PlainElementLoops() : ElementLoops.best());
        for (FusedOp.Activation then : List.of(FusedOp.Activation.RELU, FusedOp.Activation.RELU6)) {
            for (int[] s : SIZES) {
                for (float special : new float[] {0, Float.NaN, Float.POSITIVE_INFINITY}) {
                    float[] x = normal(3, s[0] * s[1]);
                    for (int i = 0; i < x.length; i++) {
                        x[i] = Math.round(4 * x[i]);
                    }
                    x[x.length / 2] += special;
                    float[] dy = normal(4, x.length);
                    float[][] c = new float[4][s[1]]; // gamma, mean, invstd, beta, such that y is 0 or 6 at times
                    for (int j = 0; j < s[1]; j++) {
                        c[0][j] = 1 + j % 3;
                        c[1][j] = j % 5 - 2;
                        c[2][j] = j % 2 == 0 ? 1 : 0.5f;
                        c[3][j] = j % 7 - 3;
                    }
                    float[] y = new float[x.length];
                    for (int i = 0; i < x.length; i++) {
                        int j = i % s[1];
                        float v = Math.max(0, (x[i] - c[1][j]) * (c[2][j] * c[0][j]) + c[3][j]);
                        y[i] = then == FusedOp.Activation.RELU ? v : Math.min(v, 6);
                    }
                    F32[] in = {F32.of(dy), F32.of(x), F32.of(y), F32.of(c[0]), F32.of(c[1]), F32.of(c[2])};
                    List<float[]> read = gradients(norm, then, in, null, s);
                    List<float[]> made = gradients(norm, then, in, F32.of(c[3]), s);
                    for (int k = 0; k < 3; k++) {
                        assertThat(made.get(k)).as(then + " " + Arrays.toString(s) + " " + special + " " + k)
                                .containsExactly(read.get(k));
                    }
                }
            }
        }
    }

    private static List<float[]> gradients(BatchNorm norm, FusedOp.Activation then, F32[] in, F32 beta, int[] s) {
        return onOneAndTwoThreadsList(() -> {
            List<float[]> out = List.of(new float[s[0] * s[1]], new float[s[1]], new float[s[1]]);
            norm.backward(then, in[0], in[1], in[2], in[3], in[4], in[5], beta, F32.of(out.get(0)), F32.of(out.get(1)),
                    F32.of(out.get(2)), null, s[0], s[1]);
            for (float[] o : out) {
                for (int i = 0; i < o.length; i++) {
                    o[i] += 0f; // -0 and 0 are the same
                }
            }
            return out;
        });
    }

    @FunctionalInterface
    private interface Norm {
        List<float[]> run(float[] x, float[] gamma, float[] beta, float[] dy);
    }

    private static void compare(String what, boolean byRow, int rows, int c, Norm norm) {
        float[] x = normal(3, rows * c);
        for (int i = 0; i < x.length; i++) {
            x[i] += 30; // a mean well above the deviation: a one-pass variance would lose it
        }
        float[] gamma = normal(4, c);
        float[] beta = normal(5, c);
        float[] dy = normal(6, rows * c);
        Expected want = Expected.of(byRow, x, gamma, beta, dy, rows, c, 1e-3);
        List<float[]> got = onOneAndTwoThreadsList(() -> norm.run(x, gamma, beta, dy));
        assertClose(what + " y", got.get(0), want.y, 1e-4, 1);
        assertClose(what + " mean", got.get(1), want.mean, 2e-6, 0);
        assertClose(what + " invstd", got.get(2), want.invstd, 2e-5, 0);
        assertClose(what + " dx", got.get(3), want.dx, 5e-4, 1);
        double sums = Math.sqrt(rows);
        assertClose(what + " dgamma", got.get(4), want.dgamma, 3e-4, sums);
        assertClose(what + " dbeta", got.get(5), want.dbeta, 5e-6, sums);
    }
}
