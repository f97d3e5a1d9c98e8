package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.PoolParams;
import java.util.Arrays;

/** Max pooling with the winners' places, and separable resampling (average pooling, resizing) of [N, H, W, C] images. */
final class Pooling {
    private static final int BLOCK = 16384;
    private static final int CHANNELS = 64;

    private final ElementLoops loops;
    private final boolean vectors;

    /** @param vectors whether the kernels that exist with the Vector API only may be used */
    Pooling(ElementLoops loops, boolean vectors) {
        this.loops = loops;
        this.vectors = vectors;
    }

    /** y [N, Ho, Wo, C] and the winners' places h * W + w; channels are compared a vector at a time. */
    void maxPool(PoolParams p, float[] x, int xo, float[] y, int yo, int[] index, int io, int n, int h, int w, int c) {
        int ho = p.outH(h);
        int wo = p.outW(w);
        WorkerPool.shared().ranges(n * ho, Math.max(1, BLOCK / 4 / Math.max(1, wo * c)), (from, to) -> {
            for (int r = from; r < to; r++) {
                int image = xo + r / ho * h * w * c;
                int top = r % ho * p.strideH() - p.padTop();
                int h0 = Math.max(0, top);
                int h1 = Math.min(h, top + p.kernelH());
                int j0 = (p.padLeft() + p.strideW() - 1) / p.strideW();
                int j1 = w + p.padLeft() < 3 ? 0 : Math.min(wo, (w + p.padLeft() - 3) / p.strideW() + 1);
                boolean whole = threes(p, c) && VectorKernels.MANY_REGISTERS && h1 - h0 == 3 && j0 < j1;
                if (whole) {
                    int left = j0 * p.strideW() - p.padLeft();
                    for (int k = 0; k < c; k += VectorKernels.L) {
                        int q = Math.min(k, c - VectorKernels.L);
                        int at = (r * wo + j0) * c + q;
                        PoolVectors.max3(x, image + (h0 * w + left) * c + q, h0 * w + left, p.strideW(), w, c, j1 - j0, y,
                                yo + at, index, io + at);
                    }
                }
                for (int j = 0; j < wo; j++) {
                    if (whole && j == j0) {
                        j = j1 - 1;
                        continue;
                    }
                    int left = j * p.strideW() - p.padLeft();
                    int at = (r * wo + j) * c;
                    window(x, image, h0, h1, Math.max(0, left), Math.min(w, left + p.kernelW()), w, c, y, yo + at, index,
                            io + at);
                }
            }
        });
    }

    private boolean threes(PoolParams p, int c) {
        return vectors && c >= VectorKernels.L && p.kernelH() == 3 && p.kernelW() == 3;
    }

    private void window(float[] x, int image, int h0, int h1, int w0, int w1, int w, int c, float[] y, int yo,
            int[] index, int io) {
        int first = h0 * w + w0;
        System.arraycopy(x, image + first * c, y, yo, c);
        Arrays.fill(index, io, io + c, first);
        for (int i = h0; i < h1; i++) {
            for (int at = i * w + w0; at < i * w + w1; at++) {
                if (at != first) {
                    loops.maxTap(x, image + at * c, at, y, yo, index, io, c);
                }
            }
        }
    }

    /** The gradient of {@link #maxPool}, whose windows' winners lie where {@code p} says if it is not null. */
    void maxPoolBackward(PoolParams p, float[] dy, int dyo, int[] index, int io, float[] dx, int dxo, int n, int ho, int wo,
            int h, int w, int c) {
        boolean squares = p != null && threes(p, c) && p.strideH() == 2 && p.strideW() == 2 && p.padTop() == 1
                && p.padLeft() == 1 && ho == (h + 1) / 2 && wo == (w + 1) / 2;
        if (!squares) {
            maxPoolBackward(dy, dyo, index, io, dx, dxo, n, ho * wo, h * w, c);
            return;
        }
        float[] none = Scratch.zeros(wo * c);
        WorkerPool.shared().ranges(n * ho, Math.max(1, BLOCK / 4 / Math.max(1, wo * c)), (from, to) -> {
            try (Scratch nowhere = Scratch.take((long) w * c)) {
                for (int r = from; r < to; r++) {
                    int q = r % ho;
                    int place = 2 * q * w;
                    int a = r * wo * c;
                    int b = q + 1 < ho ? a + wo * c : a;
                    int at = dxo + (r / ho * h * w + place) * c;
                    boolean pair = 2 * q + 1 < h;
                    for (int k = 0; k < c; k += VectorKernels.L) {
                        int j = Math.min(k, c - VectorKernels.L);
                        PoolVectors.squares(dy, dyo + a + j, b == a ? none : dy, b == a ? j : dyo + b + j, index, io + a + j,
                                io + b + j, place, w, c, wo - 1, w % 2 == 0, dx, at + j, pair ? dx : nowhere.data,
                                pair ? at + w * c + j : j);
                    }
                }
            }
        });
    }

    /** dx = 0, then dx at the winners' places += dy. Images of {@code pixels} pixels, {@code windows} winners each. */
    private void maxPoolBackward(float[] dy, int dyo, int[] index, int io, float[] dx, int dxo, int n, int windows,
            int pixels, int c) {
        int pieces = (c - 1) / CHANNELS + 1;
        WorkerPool.shared().run(n * pieces, t -> {
            int c0 = t % pieces * CHANNELS;
            int c1 = Math.min(c, c0 + CHANNELS);
            int image = dxo + t / pieces * pixels * c;
            for (int p = 0; p < pixels; p++) {
                Arrays.fill(dx, image + p * c + c0, image + p * c + c1, 0f);
            }
            int first = t / pieces * windows * c;
            for (int p = 0; p < windows; p++) {
                for (int k = first + p * c + c0, j = c0; j < c1; j++, k++) {
                    dx[image + check(index[io + k], pixels) * c + j] += dy[dyo + k];
                }
            }
        });
    }

    /** y = x at the winners' places. */
    void maxPoolGather(float[] x, int xo, int[] index, int io, float[] y, int yo, int n, int windows, int pixels, int c) {
        WorkerPool.shared().ranges(n * windows, Math.max(1, BLOCK / c), (from, to) -> {
            for (int p = from; p < to; p++) {
                int image = xo + p / windows * pixels * c;
                for (int k = p * c, j = 0; j < c; j++, k++) {
                    y[yo + k] = x[image + check(index[io + k], pixels) * c + j];
                }
            }
        });
    }

    private static int check(int index, int pixels) {
        if (index < 0 || index >= pixels) {
            throw new GraftException("index " + index + " is outside an image of " + pixels + " pixels");
        }
        return index;
    }

    /** y[n, i, j, :] = sum over the taps of i and j of their weights' product times x[n, h, w, :]. */
    void resample(Taps rows, Taps columns, float[] x, int xo, int h, int w, float[] y, int yo, int n, int c) {
        int ho = rows.size();
        int wo = columns.size();
        WorkerPool.shared().ranges(n * ho, Math.max(1, BLOCK / 4 / Math.max(1, wo * c)), (from, to) -> {
            for (int r = from; r < to; r++) {
                resampleRow(rows, r % ho, columns, x, xo + r / ho * h * w * c, w, y, yo + r * wo * c, c);
            }
        });
    }

    private void resampleRow(Taps rows, int i, Taps columns, float[] x, int image, int w, float[] y, int yo, int c) {
        int wo = columns.size();
        Arrays.fill(y, yo, yo + wo * c, 0f);
        for (int a = rows.start()[i]; a < rows.start()[i + 1]; a++) {
            int row = image + rows.index()[a] * w * c;
            for (int j = 0; j < wo; j++) {
                for (int b = columns.start()[j]; b < columns.start()[j + 1]; b++) {
                    loops.axpy(rows.weight()[a] * columns.weight()[b], x, row + columns.index()[b] * c, y, yo + j * c, c);
                }
            }
        }
        if (rows.divisor() != null) {
            for (int j = 0; j < wo; j++) {
                float d = (float) rows.divisor()[i] * columns.divisor()[j];
                loops.binaryScalar(BinaryFn.DIV, y, yo + j * c, d, y, yo + j * c, c);
            }
        }
    }
}
