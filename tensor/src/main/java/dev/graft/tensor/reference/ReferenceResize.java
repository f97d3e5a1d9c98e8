package dev.graft.tensor.reference;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ResizeOp;

/** Resampling of [N, H, W, C] images: every output pixel is a weighted sum of at most four input pixels. */
final class ReferenceResize {
    private ReferenceResize() {}

    static void run(ResizeOp op, Tensor x, Tensor out) {
        double[] from = Elements.doubles(x);
        double[] to = new double[Math.toIntExact(out.size())];
        switch (op) {
            case ResizeOp.Resize2d r -> walk(x.shape(), out.shape(), r.mode(), r.alignCorners(),
                    (small, at, weight) -> to[at] += weight * from[small]);
            case ResizeOp.Resize2dBackward r -> walk(out.shape(), x.shape(), r.mode(), r.alignCorners(),
                    (small, at, weight) -> to[small] += weight * from[at]);
        }
        Elements.store(to, out);
    }

    /** Output element i of an axis reads {@code low[i]} and {@code high[i]}, the latter with weight {@code part[i]}. */
    private record Axis(int[] low, int[] high, double[] part) {
        static Axis of(int in, int out, ResizeOp.Mode mode, boolean alignCorners) {
            Axis a = new Axis(new int[out], new int[out], new double[out]);
            for (int i = 0; i < out; i++) {
                double at = switch (mode) {
                    case NEAREST -> (long) i * in / out;
                    case BILINEAR -> !alignCorners ? Math.max(0, (i + 0.5) * in / out - 0.5)
                            : out == 1 ? 0 : (double) ((long) i * (in - 1)) / (out - 1);
                };
                a.low[i] = Math.min((int) at, in - 1);
                a.high[i] = Math.min(a.low[i] + 1, in - 1);
                a.part[i] = at - a.low[i];
            }
            return a;
        }

        int side(int i, int k) {
            return k == 0 ? low[i] : high[i];
        }

        double weight(int i, int k) {
            return k == 0 ? 1 - part[i] : part[i];
        }
    }

    private interface Read {
        void at(int input, int output, double weight);
    }

    private static void walk(Shape in, Shape out, ResizeOp.Mode mode, boolean alignCorners, Read read) {
        Axis rows = Axis.of(in.dim(1), out.dim(1), mode, alignCorners);
        Axis columns = Axis.of(in.dim(2), out.dim(2), mode, alignCorners);
        int c = in.dim(3);
        int taps = mode == ResizeOp.Mode.NEAREST ? 1 : 2;
        int at = 0;
        for (int n = 0; n < out.dim(0); n++) {
            for (int y = 0; y < out.dim(1); y++) {
                for (int x = 0; x < out.dim(2); x++) {
                    for (int ch = 0; ch < c; ch++, at++) {
                        for (int i = 0; i < taps; i++) {
                            for (int j = 0; j < taps; j++) {
                                read.at(((n * in.dim(1) + rows.side(y, i)) * in.dim(2) + columns.side(x, j)) * c + ch, at,
                                        rows.weight(y, i) * columns.weight(x, j));
                            }
                        }
                    }
                }
            }
        }
    }
}
