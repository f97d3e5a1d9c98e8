package dev.graft.tensor.op;

/**
 * How a 2-D convolution walks its input: strides, zero padding of each side, dilation, groups. All in elements, heights
 * before widths.
 */
public record ConvParams(int strideH, int strideW, int padTop, int padBottom, int padLeft, int padRight,
                         int dilationH, int dilationW, int groups) {
    public ConvParams {
        Check.that(strideH > 0 && strideW > 0 && dilationH > 0 && dilationW > 0 && groups > 0,
                "stride, dilation and groups must be positive");
        Check.that(padTop >= 0 && padBottom >= 0 && padLeft >= 0 && padRight >= 0, "padding must not be negative");
    }

    /** Equal values for both directions, no dilation, one group. */
    public static ConvParams of(int stride, int padding) {
        return new ConvParams(stride, stride, padding, padding, padding, padding, 1, 1, 1);
    }

    public ConvParams withGroups(int g) {
        return new ConvParams(strideH, strideW, padTop, padBottom, padLeft, padRight, dilationH, dilationW, g);
    }

    public ConvParams withDilation(int d) {
        return new ConvParams(strideH, strideW, padTop, padBottom, padLeft, padRight, d, d, groups);
    }

    /** Output height for input height {@code h} and kernel height {@code k}; below 1 when the kernel does not fit. */
    public int outH(int h, int k) {
        return out(h, k, (long) padTop + padBottom, dilationH, strideH);
    }

    public int outW(int w, int k) {
        return out(w, k, (long) padLeft + padRight, dilationW, strideW);
    }

    /** In 64 bits: a huge padding or dilation, as a hostile file may have, must not wrap to a size that looks right. */
    private static int out(int n, int k, long padding, int dilation, int stride) {
        return Math.clamp(Math.floorDiv(n + padding - (long) dilation * (k - 1) - 1, (long) stride) + 1, -1,
                Integer.MAX_VALUE);
    }

    @Override
    public String toString() {
        return "stride " + strideH + "x" + strideW + ", padding " + padTop + "," + padBottom + "," + padLeft + ","
                + padRight + ", dilation " + dilationH + "x" + dilationW + ", groups " + groups;
    }
}
