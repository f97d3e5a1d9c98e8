package dev.graft.tensor.op;

/**
 * How a pooling window walks its image. With {@code ceilMode} a window may hang over the end, but must begin inside the
 * image or its leading padding (PyTorch's rule). Elements of max pooling's padding never win.
 */
public record PoolParams(int kernelH, int kernelW, int strideH, int strideW, int padTop, int padBottom, int padLeft,
                         int padRight, boolean ceilMode) {
    public PoolParams {
        Check.that(kernelH > 0 && kernelW > 0 && strideH > 0 && strideW > 0, "kernel and stride must be positive");
        Check.that(padTop >= 0 && padBottom >= 0 && padLeft >= 0 && padRight >= 0, "padding must not be negative");
        Check.that(padTop < kernelH && padBottom < kernelH && padLeft < kernelW && padRight < kernelW,
                () -> "padding must be smaller than the kernel " + kernelH + "x" + kernelW);
    }

    public static PoolParams of(int kernel, int stride, int padding) {
        return new PoolParams(kernel, kernel, stride, stride, padding, padding, padding, padding, false);
    }

    public PoolParams withCeilMode(boolean on) {
        return new PoolParams(kernelH, kernelW, strideH, strideW, padTop, padBottom, padLeft, padRight, on);
    }

    public int outH(int h) {
        return out(h, kernelH, strideH, padTop, padBottom);
    }

    public int outW(int w) {
        return out(w, kernelW, strideW, padLeft, padRight);
    }

    private int out(int n, int k, int s, int before, int after) {
        long span = (long) n + before + after - k;   // 64 bits, so that huge sizes do not wrap
        long o = Math.floorDiv(ceilMode ? span + s - 1 : span, (long) s) + 1;
        return Math.clamp(ceilMode && (o - 1) * s >= (long) n + before ? o - 1 : o, -1, Integer.MAX_VALUE);
    }
}
