package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * A window that moves over an NHWC image: the rows of the matrix that a convolution multiplies with its weights
 * (im2col), of which only a block at a time exists. Padding may be negative: then the image is cropped.
 *
 * @param pixelStride floats from pixel to pixel of the image
 * @param channels channels that belong to the window (those of one group)
 */
record Window(int inH, int inW, int pixelStride, int channels, int outH, int outW, int kH, int kW, int strideH, int strideW,
        int padTop, int padLeft, int dilationH, int dilationW) {

    static Window of(ConvGeometry g) {
        return new Window(g.inH(), g.inW(), g.inC(), g.inPerGroup(), g.outH(), g.outW(), g.kH(), g.kW(), g.strideH(),
                g.strideW(), g.padTop(), g.padLeft(), g.dilationH(), g.dilationW());
    }

    /** Values in a window, in the order [kH, kW, channels] of the weights. */
    int depth() {
        return kH * kW * channels;
    }

    int pixels() {
        return outH * outW;
    }

    /**
     * Writes columns {@code c0..c1} of the windows of output pixels {@code p0..p1} (counted through the batch) to
     * {@code to[at + (p - p0)*ld + (c - c0)]}.
     *
     * @param xo where the batch begins, plus the first channel of the group
     */
    void gather(int p0, int p1, int c0, int c1, float[] x, int xo, float[] to, int at, int ld) {
        if (p0 >= p1 || c0 >= c1) {
            return;
        }
        boolean wholeRows = dilationW == 1 && channels == pixelStride; // a row of the window is contiguous
        int image = p0 / pixels();
        int oy = p0 % pixels() / outW;
        int ox = p0 % outW;
        int rowLength = kW * channels;
        for (int p = p0; p < p1; p++) {
            int left = ox * strideW - padLeft;
            for (int ky = c0 / rowLength; ky * rowLength < c1; ky++) {
                int from = Math.max(0, c0 - ky * rowLength);
                int end = Math.min(rowLength, c1 - ky * rowLength);
                int d = at + ky * rowLength + from - c0;
                int iy = oy * strideH - padTop + ky * dilationH;
                if (iy < 0 || iy >= inH) {
                    Arrays.fill(to, d, d + end - from, 0f);
                } else {
                    int row = xo + (image * inH + iy) * inW * pixelStride;
                    if (wholeRows && left >= 0 && left + kW <= inW) {
                        System.arraycopy(x, row + left * channels + from, to, d, end - from);
                    } else if (wholeRows) {
                        span(x, row, left, from, end, to, d);
                    } else {
                        taps(x, row, left, from, end, to, d);
                    }
                }
            }
            at += ld;
            if (++ox == outW) {
                ox = 0;
                if (++oy == outH) {
                    oy = 0;
                    image++;
                }
            }
        }
    }

    /** The columns of the windows as the right operand of a product over the pixels. */
    LongProduct.Source columns(float[] x, int xo) {
        return new LongProduct.Source() {
            @Override
            public void fill(int k0, int k1, int c0, int c1, float[] to, int at, int ld) {
                gather(k0, k1, c0, c1, x, xo, to, at, ld);
            }

            @Override
            public boolean panels(int k0, int k1, int c0, int c1, int width, float[] to) {
                return panelsOf(k0, k1, c0, c1, width, x, xo, to);
            }
        };
    }

    /** Panels of two vectors of columns {@code c0..c1}, if none reaches from one tap into the next. */
    private boolean panelsOf(int p0, int p1, int c0, int c1, int width, float[] x, int xo, float[] to) {
        if (width != 2 * VectorKernels.L || channels % width != 0 || (c1 - c0) % width != 0) {
            return false;
        }
        for (int c = c0; c < c1; ) {
            int tap = c / channels;
            int n = Math.min(c1, (tap + 1) * channels) - c;
            tap(p0, p1, tap / kW, tap % kW, c - tap * channels, n, width, x, xo, to, (c - c0) * (p1 - p0));
            c += n;
        }
        return true;
    }

    /** Channels {@code c..c + n} of one tap for pixels {@code p0..p1}. */
    private void tap(int p0, int p1, int ky, int kx, int c, int n, int width, float[] x, int xo, float[] to, int at) {
        int strip = (p1 - p0) * width;
        int shift = kx * dilationW - padLeft;
        int first = Math.clamp(Math.ceilDiv(-shift, strideW), 0, outW);        // columns whose pixel is in the image
        int last = Math.clamp(Math.ceilDiv(inW - shift, strideW), first, outW);
        for (int p = p0; p < p1; ) {
            int ox = p % outW;
            int end = Math.min(outW, ox + p1 - p);
            int oy = p / outW % outH;
            int iy = oy * strideH - padTop + ky * dilationH;
            boolean inside = iy >= 0 && iy < inH;
            int lo = inside ? Math.clamp(first, ox, end) : end;
            int hi = inside ? Math.clamp(last, lo, end) : end;
            int d = at + (p - p0) * width;
            for (int q = 0; q < n; q += width) {
                Arrays.fill(to, d + q / width * strip, d + q / width * strip + (lo - ox) * width, 0f);
                Arrays.fill(to, d + q / width * strip + (hi - ox) * width, d + q / width * strip + (end - ox) * width, 0f);
            }
            if (lo < hi) {
                int from = xo + ((p / pixels() * inH + iy) * inW + lo * strideW + shift) * pixelStride + c;
                RowPacking.cutWhole(hi - lo, n, x, from, strideW * pixelStride, to, d + (lo - ox) * width, strip);
            }
            p += end - ox;
        }
    }

    private void span(float[] x, int row, int left, int from, int end, float[] to, int d) {
        int lo = Math.min(end, Math.max(from, -left * channels));
        int hi = Math.max(lo, Math.min(end, (inW - left) * channels));
        if (lo > from) {
            Arrays.fill(to, d, d + lo - from, 0f);
        }
        if (hi > lo) {
            System.arraycopy(x, row + left * channels + lo, to, d + lo - from, hi - lo);
        }
        if (end > hi) {
            Arrays.fill(to, d + hi - from, d + end - from, 0f);
        }
    }

    private void taps(float[] x, int row, int left, int from, int end, float[] to, int d) {
        for (int c = from; c < end; ) {
            int kx = c / channels;
            int n = Math.min(end, (kx + 1) * channels) - c;
            int ix = left + kx * dilationW;
            if (ix < 0 || ix >= inW) {
                Arrays.fill(to, d, d + n, 0f);
            } else {
                System.arraycopy(x, row + ix * pixelStride + c - kx * channels, to, d, n);
            }
            d += n;
            c += n;
        }
    }
}
