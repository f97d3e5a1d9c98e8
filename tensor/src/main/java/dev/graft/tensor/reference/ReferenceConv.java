package dev.graft.tensor.reference;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;

/**
 * Convolution and its two transposes: one walk over all products x · w → y, of which each op sums another side. Images are
 * [N, H, W, C], weights [O, kH, kW, C/groups].
 */
final class ReferenceConv {
    private ReferenceConv() {}

    static void run(ConvOp op, Tensor first, Tensor second, Tensor out) {
        double[] a = Elements.doubles(first);
        double[] b = Elements.doubles(second);
        double[] c = new double[Math.toIntExact(out.size())];
        switch (op) {
            case ConvOp.Conv2d f -> walk(op.params(), first, second, out, (x, w, y, n) -> {
                double sum = 0;
                for (int i = 0; i < n; i++) {
                    sum += a[x + i] * b[w + i];
                }
                c[y] += sum;
            });
            case ConvOp.Conv2dBackwardInput f -> walk(op.params(), out, second, first, (x, w, y, n) -> {
                for (int i = 0; i < n; i++) {
                    c[x + i] += a[y] * b[w + i];
                }
            });
            case ConvOp.Conv2dBackwardWeight f -> walk(op.params(), first, out, second, (x, w, y, n) -> {
                for (int i = 0; i < n; i++) {
                    c[w + i] += a[x + i] * b[y];
                }
            });
        }
        Elements.store(c, out);
    }

    /** Elements x to x + n and w to w + n of one tap meet in element y. */
    private interface Tap {
        void at(int x, int w, int y, int n);
    }

    private static void walk(ConvParams p, Tensor image, Tensor weight, Tensor result, Tap tap) {
        int h = image.dim(1);
        int width = image.dim(2);
        int channels = image.dim(3);
        int n = weight.dim(3);                                  // channels of one group
        int perGroup = weight.dim(0) / p.groups();
        int y = 0;
        for (int image0 = 0; image0 < result.dim(0); image0++) {
            for (int oy = 0; oy < result.dim(1); oy++) {
                for (int ox = 0; ox < result.dim(2); ox++) {
                    for (int o = 0; o < result.dim(3); o++, y++) {
                        int group = o / perGroup;
                        for (int ky = 0; ky < weight.dim(1); ky++) {
                            int iy = oy * p.strideH() - p.padTop() + ky * p.dilationH();
                            if (iy < 0 || iy >= h) {
                                continue;
                            }
                            for (int kx = 0; kx < weight.dim(2); kx++) {
                                int ix = ox * p.strideW() - p.padLeft() + kx * p.dilationW();
                                if (ix >= 0 && ix < width) {
                                    tap.at(((image0 * h + iy) * width + ix) * channels + group * n,
                                            ((o * weight.dim(1) + ky) * weight.dim(2) + kx) * n, y, n);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
