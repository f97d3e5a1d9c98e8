package dev.graft.tensor.cpu;

import dev.graft.tensor.op.PoolParams;
import java.util.Arrays;

/**
 * Linear resampling along one axis: output i is the sum of {@code weight[k] * input[index[k]]} over k from
 * {@code start[i]} to {@code start[i + 1]}, divided by {@code divisor[i]} if there are divisors (a mean is rounded best
 * when the division comes last). Average pooling and resizing are this along both axes of an image, and their
 * gradients are the same with the transposed tables.
 */
record Taps(int[] start, int[] index, float[] weight, int[] divisor) {
    int size() {
        return start.length - 1;
    }

    /** Collects the taps of one output after the other. */
    private static final class Builder {
        private final int[] start;
        private int[] index = new int[16];
        private float[] weight = new float[16];
        private int n;
        private int outputs;

        Builder(int size) {
            start = new int[size + 1];
        }

        void tap(int i, double w) {
            if (n == index.length) {
                index = Arrays.copyOf(index, 2 * n);
                weight = Arrays.copyOf(weight, 2 * n);
            }
            index[n] = i;
            weight[n++] = (float) w;
        }

        void end() {
            start[++outputs] = n;
        }

        Taps build(int[] divisor) {
            return new Taps(start, index, weight, divisor);
        }
    }

    /** Means over the windows of {@link PoolParams} along the height. */
    static Taps poolRows(PoolParams p, boolean countPadding, int in) {
        return windows(in, p.outH(in), p.kernelH(), p.strideH(), p.padTop(), p.padBottom(), countPadding);
    }

    /** Means over the windows of {@link PoolParams} along the width. */
    static Taps poolColumns(PoolParams p, boolean countPadding, int in) {
        return windows(in, p.outW(in), p.kernelW(), p.strideW(), p.padLeft(), p.padRight(), countPadding);
    }

    private static Taps windows(int in, int out, int kernel, int stride, int before, int after, boolean countPadding) {
        Builder b = new Builder(out);
        int[] divisor = new int[out];
        for (int i = 0; i < out; i++) {
            int begin = i * stride - before;
            int end = Math.min(begin + kernel, in + after);
            int first = Math.max(begin, 0);
            int last = Math.min(end, in);
            for (int k = first; k < last; k++) {
                b.tap(k, 1);
            }
            divisor[i] = countPadding ? end - begin : last - first;
            b.end();
        }
        return b.build(divisor);
    }

    /** Means over floor(i in / out) to ceil((i + 1) in / out). */
    static Taps adaptive(int in, int out) {
        Builder b = new Builder(out);
        int[] divisor = new int[out];
        for (int i = 0; i < out; i++) {
            int first = (int) ((long) i * in / out);
            int last = (int) (((i + 1L) * in + out - 1) / out);
            for (int k = first; k < last; k++) {
                b.tap(k, 1);
            }
            divisor[i] = last - first;
            b.end();
        }
        return b.build(divisor);
    }

    /** PyTorch's "nearest": floor(i in / out). */
    static Taps nearest(int in, int out) {
        Builder b = new Builder(out);
        for (int i = 0; i < out; i++) {
            b.tap((int) ((long) i * in / out), 1);
            b.end();
        }
        return b.build(null);
    }

    /** Two taps per output; pixel centres at half integers, or with {@code alignCorners} the corners on each other. */
    static Taps bilinear(int in, int out, boolean alignCorners) {
        Builder b = new Builder(out);
        for (int i = 0; i < out; i++) {
            double at = alignCorners ? (out > 1 ? i * (in - 1.0) / (out - 1) : 0) : Math.max(0, (i + 0.5) * in / out - 0.5);
            int low = Math.min((int) at, in - 1);
            double t = at - low;
            if (low == in - 1 || t == 0) {
                b.tap(low, 1);
            } else {
                b.tap(low, 1 - t);
                b.tap(low + 1, t);
            }
            b.end();
        }
        return b.build(null);
    }

    /** The same weights sorted by input instead of output; {@code in} is the number of inputs. */
    Taps transpose(int in) {
        int[] first = new int[in + 1];
        int n = start[size()];
        for (int k = 0; k < n; k++) {
            first[index[k] + 1]++;
        }
        for (int i = 0; i < in; i++) {
            first[i + 1] += first[i];
        }
        int[] next = first.clone();
        int[] to = new int[n];
        float[] w = new float[n];
        for (int i = 0; i < size(); i++) {
            for (int k = start[i]; k < start[i + 1]; k++) {
                int at = next[index[k]]++;
                to[at] = i;
                w[at] = divisor == null ? weight[k] : weight[k] / divisor[i];
            }
        }
        return new Taps(first, to, w, null);
    }
}
