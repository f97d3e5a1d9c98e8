package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Causal attention whose heads are cut into several tiles and several tasks, forward and backward differently, against plain
 * loops in double: larger than what every backend of the op catalogue can be asked for.
 */
class TiledAttentionTest {
    private static final double SCALE = 0.3;

    @ParameterizedTest
    @CsvSource({"1, 200, 20000, 1, 1", "1, 150, 1100, 16, 4", "2, 300, 300, 1, 24"})
    void causalAttentionInManyTilesAgreesWithPlainLoops(int b, int t, int s, int h, int d) {
        Random random = new Random(b + t + s + h + d);
        float[] q = values(random, b * t * h * d);
        float[] k = values(random, b * s * h * d);
        float[] v = values(random, b * s * h * d);
        float[] g = values(random, b * t * h * d);
        double[] o = new double[q.length];
        double[] dq = new double[q.length];
        double[] dk = new double[k.length];
        double[] dv = new double[v.length];
        for (int i = 0; i < b * h; i++) {
            plain(i / h, i % h, t, s, h, d, q, k, v, g, o, dq, dk, dv);
        }
        try (Scope scope = Scope.open("test")) {
            Tensor tq = Tensor.of(q, b, t, h, d);
            Tensor tk = Tensor.of(k, b, s, h, d);
            Tensor tv = Tensor.of(v, b, s, h, d);
            Tensor[] y = Dispatcher.run(new AttentionOp.Attention(SCALE, true), tq, tk, tv);
            Tensor[] dx = Dispatcher.run(new AttentionOp.AttentionBackward(SCALE, true, false),
                    Tensor.of(g, b, t, h, d), tq, tk, tv, y[0], y[1]);
            near("o", y[0], o);
            near("dq", dx[0], dq);
            near("dk", dx[1], dk);
            near("dv", dx[2], dv);
        }
    }

    /** One head of one batch entry: adds its part to all results. */
    private static void plain(int b, int head, int t, int s, int h, int d, float[] q, float[] k, float[] v, float[] g,
            double[] o, double[] dq, double[] dk, double[] dv) {
        for (int i = 0; i < t; i++) {
            int qi = ((b * t + i) * h + head) * d;
            int keys = i + s - t + 1;
            double[] p = new double[keys];
            double sum = 0;
            for (int j = 0; j < keys; j++) {
                p[j] = Math.exp(SCALE * dot(d, q, qi, k, ((b * s + j) * h + head) * d));
                sum += p[j];
            }
            double all = 0;             // of p times its gradient
            for (int j = 0; j < keys; j++) {
                p[j] /= sum;
                int kj = ((b * s + j) * h + head) * d;
                all += p[j] * dot(d, g, qi, v, kj);
                for (int c = 0; c < d; c++) {
                    o[qi + c] += p[j] * v[kj + c];
                    dv[kj + c] += p[j] * g[qi + c];
                }
            }
            for (int j = 0; j < keys; j++) {
                int kj = ((b * s + j) * h + head) * d;
                double ds = SCALE * p[j] * (dot(d, g, qi, v, kj) - all);
                for (int c = 0; c < d; c++) {
                    dq[qi + c] += ds * k[kj + c];
                    dk[kj + c] += ds * q[qi + c];
                }
            }
        }
    }

    private static double dot(int n, float[] a, int at, float[] b, int bt) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (double) a[at + i] * b[bt + i];
        }
        return sum;
    }

    private static float[] values(Random random, int n) {
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    /** Relative error of the whole, by norms. */
    private static void near(String what, Tensor actual, double[] expected) {
        float[] a = actual.toFloats();
        assertThat(a).as(what).hasSameSizeAs(expected);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < a.length; i++) {
            error += (a[i] - expected[i]) * (a[i] - expected[i]);
            norm += expected[i] * expected[i];
        }
        assertThat(Math.sqrt(error / norm)).as(what + ": error of the norm").isLessThan(1e-5);
    }
}
