package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;

/**
 * The sizes of a two-dimensional convolution: x [batch, inH, inW, inC], w [outC, kH, kW, inC/groups],
 * y [batch, outH, outW, outC], all contiguous.
 */
record ConvGeometry(int batch, int inH, int inW, int inC, int outC, int kH, int kW, int strideH, int strideW,
        int padTop, int padBottom, int padLeft, int padRight, int dilationH, int dilationW, int groups) {
    public ConvGeometry {
        if (batch < 0 || inH < 1 || inW < 1 || inC < 1 || outC < 1 || kH < 1 || kW < 1) {
            throw bad(batch, inH, inW, inC, outC, kH, kW, "all sizes must be at least 1 (the batch may be 0)");
        }
        if (strideH < 1 || strideW < 1 || dilationH < 1 || dilationW < 1) {
            throw bad(batch, inH, inW, inC, outC, kH, kW, "stride " + strideH + "x" + strideW + " and dilation " + dilationH
                    + "x" + dilationW + " must be at least 1");
        }
        if (padTop < 0 || padBottom < 0 || padLeft < 0 || padRight < 0) {
            throw bad(batch, inH, inW, inC, outC, kH, kW, "padding must not be negative");
        }
        if (groups < 1 || inC % groups != 0 || outC % groups != 0) {
            throw bad(batch, inH, inW, inC, outC, kH, kW, groups + " groups must divide " + inC + " input and " + outC
                    + " output channels");
        }
        if (span(inH, padTop, padBottom, kH, dilationH) < 0 || span(inW, padLeft, padRight, kW, dilationW) < 0) {
            throw bad(batch, inH, inW, inC, outC, kH, kW, "the kernel with dilation " + dilationH + "x" + dilationW
                    + " is larger than the padded image; use more padding or a larger image");
        }
        double out = (double) batch * (span(inH, padTop, padBottom, kH, dilationH) / strideH + 1)
                * (span(inW, padLeft, padRight, kW, dilationW) / strideW + 1) * outC; // a product of longs could wrap
        double weights = (double) outC * kH * kW * (inC / groups);
        if (Math.max(Math.max((double) batch * inH * inW * inC, out), weights) > Integer.MAX_VALUE) {
            throw bad(batch, inH, inW, inC, outC, kH, kW, "a tensor has more than 2^31 - 1 values; use a smaller batch");
        }
    }

    /** The common case: square stride and padding, no dilation, one group. */
    public static ConvGeometry of(int batch, int inH, int inW, int inC, int outC, int kH, int kW, int stride, int pad) {
        return new ConvGeometry(batch, inH, inW, inC, outC, kH, kW, stride, stride, pad, pad, pad, pad, 1, 1, 1);
    }

    public ConvGeometry withGroups(int n) {
        return new ConvGeometry(batch, inH, inW, inC, outC, kH, kW, strideH, strideW, padTop, padBottom, padLeft, padRight,
                dilationH, dilationW, n);
    }

    public int outH() {
        return (int) (span(inH, padTop, padBottom, kH, dilationH) / strideH) + 1;
    }

    public int outW() {
        return (int) (span(inW, padLeft, padRight, kW, dilationW) / strideW) + 1;
    }

    public int inSize() {
        return batch * inH * inW * inC;
    }

    public int outSize() {
        return batch * outH() * outW() * outC;
    }

    public int weightSize() {
        return outC * taps() * inPerGroup();
    }

    int taps() {
        return kH * kW;
    }

    int inPerGroup() {
        return inC / groups;
    }

    int outPerGroup() {
        return outC / groups;
    }

    /** One input channel per group; the number of output channels may be a multiple of that of input channels. */
    boolean depthwise() {
        return groups == inC && groups > 1;
    }

    /** A product of matrices: every output pixel depends on the input pixel at the same place only. */
    boolean pointwise() {
        return kH == 1 && kW == 1 && strideH == 1 && strideW == 1 && groups == 1
                && padTop == 0 && padBottom == 0 && padLeft == 0 && padRight == 0;
    }

    /** Whether weights packed for {@code other} fit: everything but the batch and the size of the image is the same. */
    boolean sameKernel(ConvGeometry other) {
        return equals(new ConvGeometry(batch, inH, inW, other.inC, other.outC, other.kH, other.kW, other.strideH,
                other.strideW, other.padTop, padBottom, other.padLeft, padRight, other.dilationH, other.dilationW,
                other.groups));
    }

    private static long span(int size, int before, int after, int kernel, int dilation) {
        return (long) size + before + after - (kernel - 1L) * dilation - 1;
    }

    private static GraftException bad(int batch, int inH, int inW, int inC, int outC, int kH, int kW, String why) {
        return new GraftException("convolution of [" + batch + ", " + inH + ", " + inW + ", " + inC + "] to " + outC
                + " channels with a " + kH + "x" + kW + " kernel: " + why);
    }
}
