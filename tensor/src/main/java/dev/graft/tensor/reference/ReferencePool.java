package dev.graft.tensor.reference;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;

/** Pooling of [N, H, W, C] images over windows, and its transposes. */
final class ReferencePool {
    private ReferencePool() {}

    static void run(PoolOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case PoolOp.MaxPool2d p -> maxPool(p.params(), in[0], out[0], out[1]);
            case PoolOp.MaxPool2dBackward p -> ReferenceIndex.add(in[0], winners(in[1], out[0].shape()), out[0]);
            case PoolOp.MaxPool2dGather p -> Elements.move(in[0], winners(in[1], in[0].shape()), out[0], null);
            case PoolOp.AvgPool2d p -> mean(in[0], out[0], rows(p.params(), p.countPadding(), in[0].dim(1), out[0].dim(1)),
                    columns(p.params(), p.countPadding(), in[0].dim(2), out[0].dim(2)));
            case PoolOp.AvgPool2dBackward p -> spread(in[0], out[0],
                    rows(p.params(), p.countPadding(), p.inH(), in[0].dim(1)),
                    columns(p.params(), p.countPadding(), p.inW(), in[0].dim(2)));
            case PoolOp.AdaptiveAvgPool2d p -> mean(in[0], out[0], adaptive(in[0].dim(1), p.outH()),
                    adaptive(in[0].dim(2), p.outW()));
            case PoolOp.AdaptiveAvgPool2dBackward p -> spread(in[0], out[0], adaptive(p.inH(), in[0].dim(1)),
                    adaptive(p.inW(), in[0].dim(2)));
        }
    }

    /** Elements begin to end (excluded) of one axis, and the number the mean divides by. */
    private record Window(int begin, int end, int divisor) {
        static Window of(int begin, int kernel, int size, int after, boolean countPadding) {
            int end = Math.min(begin + kernel, size + after);
            int first = Math.max(begin, 0);
            int last = Math.min(end, size);
            return new Window(first, last, countPadding ? end - begin : last - first);
        }
    }

    private static Window[] rows(PoolParams p, boolean countPadding, int size, int out) {
        Window[] w = new Window[out];
        for (int i = 0; i < out; i++) {
            w[i] = Window.of(i * p.strideH() - p.padTop(), p.kernelH(), size, p.padBottom(), countPadding);
        }
        return w;
    }

    private static Window[] columns(PoolParams p, boolean countPadding, int size, int out) {
        Window[] w = new Window[out];
        for (int i = 0; i < out; i++) {
            w[i] = Window.of(i * p.strideW() - p.padLeft(), p.kernelW(), size, p.padRight(), countPadding);
        }
        return w;
    }

    private static Window[] adaptive(int size, int out) {
        Window[] w = new Window[out];
        for (int i = 0; i < out; i++) {
            int begin = (int) ((long) i * size / out);
            int end = (int) (((i + 1L) * size + out - 1) / out);
            w[i] = new Window(begin, end, end - begin);
        }
        return w;
    }

    private static void maxPool(PoolParams p, Tensor x, Tensor out, Tensor indices) {
        double[] v = Elements.doubles(x);
        Window[] rows = rows(p, false, x.dim(1), out.dim(1));
        Window[] columns = columns(p, false, x.dim(2), out.dim(2));
        double[] y = new double[Math.toIntExact(out.size())];
        long[] winner = new long[y.length];
        int width = x.dim(2);
        int c = x.dim(3);
        int at = 0;
        for (int n = 0; n < x.dim(0); n++) {
            int image = n * x.dim(1) * width * c;
            for (Window r : rows) {
                for (Window q : columns) {
                    for (int ch = 0; ch < c; ch++, at++) {
                        int best = r.begin * width + q.begin;
                        for (int h = r.begin; h < r.end; h++) {
                            for (int w = q.begin; w < q.end; w++) {
                                double a = v[image + (h * width + w) * c + ch];
                                double b = v[image + best * c + ch];
                                if (a > b || a != a && b == b) {
                                    best = h * width + w;
                                }
                            }
                        }
                        y[at] = v[image + best * c + ch];
                        winner[at] = best;
                    }
                }
            }
        }
        Elements.store(y, out);
        Elements.store(winner, indices);
    }

    /** For every element of the indices [N, Ho, Wo, C] the place it names in the image [N, H, W, C]. */
    private static int[] winners(Tensor indices, Shape image) {
        long[] index = Elements.longs(indices);
        long pixels = image.count(1, 3);
        int c = image.dim(3);
        int[] at = new int[index.length];
        int perImage = (int) indices.shape().count(1, 4);
        for (int i = 0; i < at.length; i++) {
            if (index[i] < 0 || index[i] >= pixels) {
                throw new GraftException("index " + index[i] + " is outside the " + pixels + " pixels of image " + image);
            }
            at[i] = (int) ((i / perImage * pixels + index[i]) * c + i % c);
        }
        return at;
    }

    private static void mean(Tensor x, Tensor out, Window[] rows, Window[] columns) {
        double[] v = Elements.doubles(x);
        double[] y = new double[Math.toIntExact(out.size())];
        walk(x.shape(), rows, columns, (pixel, at, divisor) -> y[at] += v[pixel] / divisor);
        Elements.store(y, out);
    }

    private static void spread(Tensor dy, Tensor out, Window[] rows, Window[] columns) {
        double[] g = Elements.doubles(dy);
        double[] dx = new double[Math.toIntExact(out.size())];
        walk(out.shape(), rows, columns, (pixel, at, divisor) -> dx[pixel] += g[at] / divisor);
        Elements.store(dx, out);
    }

    private interface Pair {
        void at(int pixel, int result, int divisor);
    }

    private static void walk(Shape image, Window[] rows, Window[] columns, Pair pair) {
        int width = image.dim(2);
        int c = image.dim(3);
        int at = 0;
        for (int n = 0; n < image.dim(0); n++) {
            for (Window r : rows) {
                for (Window q : columns) {
                    for (int ch = 0; ch < c; ch++, at++) {
                        for (int h = r.begin; h < r.end; h++) {
                            for (int w = q.begin; w < q.end; w++) {
                                pair.at(((n * image.dim(1) + h) * width + w) * c + ch, at, r.divisor * q.divisor);
                            }
                        }
                    }
                }
            }
        }
    }
}
