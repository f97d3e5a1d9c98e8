package dev.graft.tensor.reference;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import java.util.Arrays;

/** Reductions along axes, and softmax. */
final class ReferenceReduce {
    private ReferenceReduce() {}

    static void run(ReduceOp op, Tensor[] in, Tensor out) {
        switch (op) {
            case ReduceOp.Reduce r -> reduce(r, in[0], out);
            case ReduceOp.ArgReduce a -> argReduce(a, in[0], out);
            case ReduceOp.Softmax s -> softmax(s.log(), in[0], out);
            case ReduceOp.SoftmaxBackward s -> softmaxBackward(s.log(), in[0], in[1], out);
        }
    }

    private static void reduce(ReduceOp.Reduce op, Tensor x, Tensor out) {
        int[] to = Walk.reduced(x.shape(), op.axes());
        int n = Math.toIntExact(out.size());
        if (Elements.integral(x)) {
            Elements.store(integers(op.fn(), Elements.longs(x), to, n), out);
        } else {
            Elements.store(floats(op.fn(), Elements.doubles(x), to, n), out);
        }
    }

    private static double[] floats(ReduceFn fn, double[] v, int[] to, int n) {
        double[] z = new double[n];
        switch (fn) {
            case SUM, MEAN -> {
                for (int i = 0; i < v.length; i++) {
                    z[to[i]] += v[i];
                }
                for (int i = 0; i < n && fn == ReduceFn.MEAN; i++) {
                    z[i] /= v.length / n;
                }
            }
            case MAX -> {
                Arrays.fill(z, Double.NEGATIVE_INFINITY);
                for (int i = 0; i < v.length; i++) {
                    z[to[i]] = Math.max(z[to[i]], v[i]);
                }
            }
            case MIN -> {
                Arrays.fill(z, Double.POSITIVE_INFINITY);
                for (int i = 0; i < v.length; i++) {
                    z[to[i]] = Math.min(z[to[i]], v[i]);
                }
            }
        }
        return z;
    }

    private static long[] integers(ReduceFn fn, long[] v, int[] to, int n) {
        long[] z = new long[n];
        switch (fn) {
            case SUM, MEAN -> {
                for (int i = 0; i < v.length; i++) {
                    z[to[i]] += v[i];
                }
                for (int i = 0; i < n && fn == ReduceFn.MEAN; i++) {
                    z[i] /= v.length / n;
                }
            }
            case MAX -> {
                Arrays.fill(z, Long.MIN_VALUE);
                for (int i = 0; i < v.length; i++) {
                    z[to[i]] = Math.max(z[to[i]], v[i]);
                }
            }
            case MIN -> {
                Arrays.fill(z, Long.MAX_VALUE);
                for (int i = 0; i < v.length; i++) {
                    z[to[i]] = Math.min(z[to[i]], v[i]);
                }
            }
        }
        return z;
    }

    /** The first of equals; a NaN counts as the extreme, as in PyTorch. */
    private static void argReduce(ReduceOp.ArgReduce op, Tensor x, Tensor out) {
        boolean integral = Elements.integral(x);
        long[] whole = integral ? Elements.longs(x) : null;
        double[] real = integral ? null : Elements.doubles(x);
        Shape s = x.shape();
        int axis = s.axis(op.axis());
        int size = s.dim(axis);
        int inner = (int) s.count(axis + 1, s.rank());
        long[] z = new long[Math.toIntExact(out.size())];
        for (int i = 0; i < z.length; i++) {
            int first = i / inner * size * inner + i % inner;
            int best = first;
            for (int k = 1; k < size; k++) {
                int at = first + k * inner;
                int order = integral ? Long.compare(whole[at], whole[best]) : compare(real[at], real[best], op.largest());
                if (op.largest() ? order > 0 : order < 0) {
                    best = at;
                    z[i] = k;
                }
            }
        }
        Elements.store(z, out);
    }

    private static int compare(double x, double y, boolean nanIsLargest) {
        if (x != x || y != y) {
            int nans = (x != x ? 1 : 0) - (y != y ? 1 : 0);
            return nanIsLargest ? nans : -nans;
        }
        return x < y ? -1 : x > y ? 1 : 0;
    }

    private static void softmax(boolean log, Tensor x, Tensor out) {
        double[] v = Elements.doubles(x);
        int c = Math.max(1, x.dim(-1));
        for (int row = 0; row < v.length; row += c) {
            double max = Double.NEGATIVE_INFINITY;
            for (int i = row; i < row + c; i++) {
                max = Math.max(max, v[i]);
            }
            double sum = 0;
            for (int i = row; i < row + c; i++) {
                sum += Math.exp(v[i] - max);
            }
            for (int i = row; i < row + c; i++) {
                v[i] = log ? v[i] - max - Math.log(sum) : Math.exp(v[i] - max) / sum;
            }
        }
        Elements.store(v, out);
    }

    private static void softmaxBackward(boolean log, Tensor dy, Tensor y, Tensor out) {
        double[] g = Elements.doubles(dy);
        double[] s = Elements.doubles(y);
        int c = Math.max(1, dy.dim(-1));
        for (int row = 0; row < g.length; row += c) {
            double sum = 0;
            for (int i = row; i < row + c; i++) {
                sum += log ? g[i] : g[i] * s[i];
            }
            for (int i = row; i < row + c; i++) {
                g[i] = log ? g[i] - Math.exp(s[i]) * sum : s[i] * (g[i] - sum);
            }
        }
        Elements.store(g, out);
    }
}
