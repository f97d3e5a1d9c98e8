package dev.graft.tensor.reference;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;

/** Attention, one query at a time. */
final class ReferenceAttention {
    private final int t;
    private final int s;
    private final int heads;
    private final int d;
    private final double scale;
    private final boolean causal;
    private final long[] mask;
    private final double[] q;
    private final double[] k;
    private final double[] v;

    private ReferenceAttention(AttentionOp op, Tensor q, Tensor k, Tensor v, Tensor mask) {
        this.t = q.dim(1);
        this.s = k.dim(1);
        this.heads = q.dim(2);
        this.d = q.dim(3);
        this.scale = op.scale();
        this.causal = op.causal();
        this.mask = mask == null ? null : Elements.longs(mask);
        this.q = Elements.doubles(q);
        this.k = Elements.doubles(k);
        this.v = Elements.doubles(v);
    }

    static void run(AttentionOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case AttentionOp.Attention a -> new ReferenceAttention(a, in[0], in[1], in[2], in.length == 4 ? in[3] : null)
                    .forward(in[0].dim(0), out[0], out[1]);
            case AttentionOp.AttentionBackward a -> new ReferenceAttention(a, in[1], in[2], in[3], a.mask() ? in[6] : null)
                    .backward(in[0].dim(0), in[0], in[4], in[5], out);
        }
    }

    /** Where the d values of position {@code i} of {@code length} begin. */
    private int at(int b, int i, int length, int h) {
        return ((b * length + i) * heads + h) * d;
    }

    private boolean attends(int b, int i, int j) {
        return (mask == null || mask[b * s + j] != 0) && (!causal || j <= i + s - t);
    }

    private static double dot(double[] x, int xo, double[] y, int yo, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += x[xo + i] * y[yo + i];
        }
        return sum;
    }

    /** The scaled score of query i and key j; −∞ where it may not attend. */
    private double score(int b, int i, int j, int h) {
        return attends(b, i, j) ? scale * dot(q, at(b, i, t, h), k, at(b, j, s, h), d) : Double.NEGATIVE_INFINITY;
    }

    private void forward(int batch, Tensor out, Tensor lseOut) {
        double[] o = new double[q.length];
        double[] lse = new double[batch * heads * t];
        for (int b = 0; b < batch; b++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < t; i++) {
                    lse[(b * heads + h) * t + i] = query(b, i, h, o);
                }
            }
        }
        Elements.store(o, out);
        Elements.store(lse, lseOut);
    }

    private double query(int b, int i, int h, double[] o) {
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < s; j++) {
            max = Math.max(max, score(b, i, j, h));
        }
        if (max == Double.NEGATIVE_INFINITY) {
            return max;
        }
        double sum = 0;
        for (int j = 0; j < s; j++) {
            sum += Math.exp(score(b, i, j, h) - max);
        }
        for (int j = 0; j < s; j++) {
            double p = Math.exp(score(b, i, j, h) - max) / sum;
            for (int c = 0; attends(b, i, j) && c < d; c++) {
                o[at(b, i, t, h) + c] += p * v[at(b, j, s, h) + c];
            }
        }
        return max + Math.log(sum);
    }

    /**
     * With p = exp(score − lse) and e = p·(do·v − do·o): dv = Σ p·do and dk = scale·Σ e·q over the queries, dq = scale·Σ e·k
     * over the keys.
     */
    private void backward(int batch, Tensor gradient, Tensor output, Tensor lseIn, Tensor[] out) {
        double[] g = Elements.doubles(gradient);
        double[] o = Elements.doubles(output);
        double[] lse = Elements.doubles(lseIn);
        double[] dq = new double[q.length];
        double[] dk = new double[k.length];
        double[] dv = new double[v.length];
        for (int b = 0; b < batch; b++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < t; i++) {
                    int qi = at(b, i, t, h);
                    double mean = dot(g, qi, o, qi, d);
                    for (int j = 0; j < s; j++) {
                        if (attends(b, i, j)) {
                            int kj = at(b, j, s, h);
                            double p = Math.exp(score(b, i, j, h) - lse[(b * heads + h) * t + i]);
                            double e = scale * p * (dot(g, qi, v, kj, d) - mean);
                            for (int c = 0; c < d; c++) {
                                dv[kj + c] += p * g[qi + c];
                                dq[qi + c] += e * k[kj + c];
                                dk[kj + c] += e * q[qi + c];
                            }
                        }
                    }
                }
            }
        }
        Elements.store(dq, out[0]);
        Elements.store(dk, out[1]);
        Elements.store(dv, out[2]);
    }
}
