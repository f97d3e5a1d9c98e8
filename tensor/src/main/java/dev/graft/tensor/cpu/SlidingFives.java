package dev.graft.tensor.cpu;

import dev.graft.tensor.cpu.SlidingDepthwise.Lines;
import java.util.Arrays;

/**
 * Depthwise 5x5 convolution with strides 1 and 2 and its gradients by {@link DepthwiseFives}, as {@link SlidingDepthwise}
 * does it for 3x3.
 */
final class SlidingFives {
    private static final int L = VectorKernels.L;

    private SlidingFives() {}

    private static boolean fits(ConvGeometry g) {
        return VectorKernels.MANY_REGISTERS && g.kH() == 5 && g.kW() == 5 && g.dilationH() == 1 && g.dilationW() == 1
                && g.inC() == g.outC() && g.outC() >= L && g.strideH() == g.strideW() && g.strideH() <= 2;
    }

    static boolean forwardFits(ConvGeometry g) {
        return fits(g) && columnsFit(g.padLeft(), g.inW(), g.outW(), g.strideW());
    }

    /** Pixels of which no column exists are made by no kernel; with stride 2, pairs of columns must not cross the edge. */
    private static boolean columnsFit(int pad, int in, int out, int stride) {
        int right = (out - 1) * stride + 5 - in - pad;
        return pad >= 0 && pad <= 4 && right <= 4 && (stride == 1 || pad == 0 || pad == 2);
    }

    static boolean backwardDataFits(ConvGeometry g) {
        if (!fits(g)) {
            return false;
        }
        return g.strideW() == 1 ? columnsFit(4 - g.padLeft(), g.outW(), g.inW(), 1)
                : g.padTop() == 2 && g.padLeft() == 2 && g.outH() == (g.inH() + 1) / 2 && g.outW() == (g.inW() + 1) / 2;
    }

    static boolean backwardWeightsFits(ConvGeometry g) {
        int s = g.strideW();
        return fits(g) && g.padLeft() == 2 && g.outW() == (g.inW() + s - 1) / s && g.inW() >= (s == 1 ? 4 : 1);
    }

    static void forward(ConvGeometry g, float[] x, int xo, float[] packed, float[] y, int yo, Epilogue e) {
        rows(g.batch(), g.inH(), g.inW(), g.outH(), g.outW(), g.outC(), g.strideH(), g.padTop(), g.padLeft(), packed, x, xo,
                y, yo, e);
    }

    static void backwardData(ConvGeometry g, float[] dy, int dyo, float[] packed, float[] dx, int dxo) {
        if (g.strideH() == 1) { // the convolution of dy with the taps in reverse order, in which they are packed
            rows(g.batch(), g.outH(), g.outW(), g.inH(), g.inW(), g.outC(), 1, 4 - g.padTop(), 4 - g.padLeft(), packed, dy,
                    dyo, dx, dxo, Epilogue.NONE);
            return;
        }
        int c = g.outC();
        int per = SlidingDepthwise.rowsPerTask(g.batch(), g.inH(), g.inW(), c);
        int blocks = (g.inH() + per - 1) / per;
        float[] none = Scratch.zeros(g.outW() * c);
        boolean whole = g.inW() % 2 == 0;
        WorkerPool.shared().run(g.batch() * blocks, task -> {
            int image = task / blocks;
            int from = task % blocks * per;
            Lines in = new Lines(dy, dyo + image * g.outH() * g.outW() * c, g.outH(), g.outW() * c, none);
            for (int iy = from; iy < Math.min(g.inH(), from + per); iy++) {
                int q = iy / 2;
                int to = dxo + (image * g.inH() + iy) * g.inW() * c;
                for (int j = 0; j < c; j += L) {
                    int at = Math.min(j, c - L);
                    if (iy % 2 == 0) {
                        DepthwiseFives.evenRow(in.array(q - 1), in.at(q - 1) + at, in.array(q), in.at(q) + at,
                                in.array(q + 1), in.at(q + 1) + at, c, g.outW() - 1, whole, packed, at, c, dx, to + at, c);
                    } else {
                        DepthwiseFives.oddRow(in.array(q), in.at(q) + at, in.array(q + 1), in.at(q + 1) + at, c,
                                g.outW() - 1, whole, packed, at, c, dx, to + at, c);
                    }
                }
            }
        });
    }

    /** A convolution without regard to what it is the forward or backward pass of. */
    private static void rows(int batch, int inH, int inW, int outH, int outW, int c, int stride, int padTop, int padLeft,
            float[] w, float[] x, int xo, float[] y, int yo, Epilogue e) {
        int per = SlidingDepthwise.rowsPerTask(batch, outH, outW, c);
        int blocks = (outH + per - 1) / per;
        float[] none = Scratch.zeros(Math.max(2, inW) * c);
        Steps steps = Steps.of(inW, outW, stride, padLeft);
        WorkerPool.shared().run(batch * blocks, task -> {
            int image = task / blocks;
            int from = task % blocks * per;
            int to = Math.min(outH, from + per);
            Lines in = new Lines(x, xo + image * inH * inW * c, inH, inW * c, none);
            Five rows = new Five(stride, c, w, new float[5][], new int[5]);
            Five edge = new Five(stride, c, w, new float[5][], new int[5]);
            for (int r = 0; r < 5 && steps.half(); r++) {
                edge.x[r] = new float[2 * c];
            }
            float[] sums = new float[4 * L];
            float[] aside = new float[L];
            for (int oy = from; oy < to; oy++) {
                int line = yo + (image * outH + oy) * outW * c;
                for (int r = 0; r < 5; r++) {
                    int row = oy * stride - padTop + r;
                    rows.x[r] = in.array(row);
                    rows.at[r] = in.at(row);
                    if (steps.half()) {
                        System.arraycopy(rows.x[r], rows.at[r] + (inW - 1) * c, edge.x[r], 0, c);
                    }
                }
                for (int j = 0; j < c; j += L) {
                    int q = Math.min(j, c - L);
                    Arrays.fill(sums, 0f);
                    rows.run(q, 0, steps.early(), sums, aside, 0, 0);
                    rows.run(q, steps.early(), steps.whole(), sums, y, line + q, c);
                    int pixels = steps.whole();
                    if (steps.half()) {
                        boolean completes = steps.missing() == 0;
                        edge.run(q, 0, 1, sums, completes ? y : aside, completes ? line + pixels * c + q : 0, 0);
                        pixels += completes ? 1 : 0;
                    }
                    for (int k = Math.max(0, steps.missing() - (steps.half() ? 1 : 0)); pixels < outW; k++, pixels++) {
                        System.arraycopy(sums, k * L, y, line + pixels * c + q, L);
                    }
                }
            }
            int pixel = (image * outH + from) * outW;
            e.apply(pixel, (to - from) * outW, 0, c, y, yo + pixel * c, c);
        });
    }

    /**
     * The steps of one column, or of a pair with stride 2, along a row.
     *
     * @param early   complete no pixel: those that they belong to the right end of are outside
     * @param whole   complete a pixel each
     * @param half    whether a pair follows whose second column is outside
     * @param missing how many more steps would be needed before one completes a pixel, in a row that is too short
     */
    private record Steps(int early, int whole, boolean half, int missing) {
        static Steps of(int in, int out, int stride, int pad) {
            int first = stride == 1 ? 4 - pad : 2 - pad / 2;
            int full = in / stride;
            int early = Math.min(first, full);
            int whole = Math.min(full - early, out);
            boolean half = stride == 2 && in % 2 == 1 && whole < out;
            return new Steps(early, whole, half, Math.max(0, first - full));
        }
    }

    /** Five rows of x. */
    private record Five(int stride, int c, float[] w, float[][] x, int[] at) {
        /** {@code n} steps from the one numbered {@code first} on, for the channels from {@code q} on. */
        void run(int q, int first, int n, float[] sums, float[] y, int yo, int ys) {
            if (n == 0) {
                return;
            }
            int o = first * stride * c + q;
            if (stride == 1) {
                DepthwiseFives.columns(x[0], at[0] + o, x[1], at[1] + o, x[2], at[2] + o, x[3], at[3] + o, x[4], at[4] + o,
                        c, n, w, q, c, sums, y, yo, ys);
            } else {
                DepthwiseFives.pairs(x[0], at[0] + o, x[1], at[1] + o, x[2], at[2] + o, x[3], at[3] + o, x[4], at[4] + o,
                        c, n, w, q, c, sums, y, yo, ys);
            }
        }
    }

    static void backwardWeights(ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw, int dwo) {
        int c = g.outC();
        float[] none = Scratch.zeros(Math.max(g.inW(), g.outW()) * c);
        SlidingDepthwise.sumWeights(g, g.inH(), dw, dwo, (image, from, to, v0, v1, s, so) -> {
            Lines out = new Lines(dy, dyo + image * g.outH() * g.outW() * c, g.outH(), g.outW() * c, none);
            float[] spare = new float[5 * L];
            for (int r = from; r < to; r++) {
                int line = xo + (image * g.inH() + r) * g.inW() * c;
                for (int v = v0; v < v1; v++) {
                    int q = Math.min(v * L, c - L);
                    if (g.strideW() == 1) {
                        weights(g, x, line + q, none, out, r + g.padTop(), q, s, so + v * 25 * L);
                    } else {
                        weightsStrided(g, x, line + q, none, out, r + g.padTop(), q, s, so + v * 25 * L, spare);
                    }
                }
            }
        });
    }

    /** A row of x, which meets row {@code top} - k of dy with the taps of row k; its last two pixels see zeros. */
    private static void weights(ConvGeometry g, float[] x, int at, float[] none, Lines dy, int top, int q, float[] s,
            int so) {
        int c = g.outC();
        int inner = g.outW() - 2;
        for (int p = 0; p < g.outW(); p += inner) {
            boolean left = p == 0;
            int o = q + p * c;
            DepthwiseFives.weights(x, at + (left ? 0 : (p - 2) * c), c, left, left ? x : none, left ? at + 2 * c : 0,
                    left ? c : 0, left ? inner : 2, dy.array(top), dy.at(top) + o, dy.array(top - 1), dy.at(top - 1) + o,
                    dy.array(top - 2), dy.at(top - 2) + o, dy.array(top - 3), dy.at(top - 3) + o, dy.array(top - 4),
                    dy.at(top - 4) + o, c, s, so);
            if (!left) {
                break;
            }
        }
    }

    /** As {@link #weights} with stride 2: the row meets every second row of taps. */
    private static void weightsStrided(ConvGeometry g, float[] x, int at, float[] none, Lines dy, int top, int q, float[] s,
            int so, float[] spare) {
        int c = g.outC();
        int inner = (g.inW() - 1) / 2; // pixels of which all columns exist
        int k = top % 2;
        int d0 = (top - k) / 2;
        int s0 = so + k * 5 * L;
        for (int p = 0; p < g.outW(); p += Math.max(1, inner)) {
            boolean last = p == inner;
            boolean left = p == 0;
            boolean fourth = !last || g.inW() % 2 == 0;
            int here = at + 2 * p * c;
            int o = q + p * c;
            boolean third = k == 0;
            DepthwiseFives.weightsStrided(x, left ? here : here - 2 * c, c, left, fourth ? x : none, fourth ? here + c : 0,
                    last ? none : x, last ? 0 : here + 2 * c, 2 * c, last ? 1 : inner, dy.array(d0), dy.at(d0) + o,
                    dy.array(d0 - 1), dy.at(d0 - 1) + o, third ? dy.array(d0 - 2) : none, third ? dy.at(d0 - 2) + o : 0, c,
                    s, s0, s0 + 10 * L, third ? s : spare, third ? s0 + 20 * L : 0);
            if (last) {
                break;
            }
        }
    }
}
