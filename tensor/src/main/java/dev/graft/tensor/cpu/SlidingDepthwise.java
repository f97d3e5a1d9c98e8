package dev.graft.tensor.cpu;

import dev.graft.tensor.cpu.Epilogue.Activation;
import java.util.Arrays;

/**
 * Depthwise 3x3 convolution with strides 1 and 2 and its gradients by {@link DepthwiseRows}, {@link DepthwisePairs} and
 * {@link DepthwiseSquares}: the image is read where it lies, but for the borders of squares, which are copied with their
 * padding. Packed weights are those of {@link DepthwiseConvolution}.
 */
final class SlidingDepthwise {
    private static final int L = VectorKernels.L;
    private static final int TASKS = 32;
    /** Vectors of results that are worth a task. */
    private static final int TASK_VECTORS = 2048;

    /** Floats of x that a span of a row reads at most, so that all vectors of channels find its cache lines in L1. */
    private static final int SPAN = 4096;
    /** Results of a span at least: each costs loads of weights. */
    private static final int SPAN_PIXELS = 8;
    /** Channels from which on pairs of pixels are computed for all of them instead of spans for a vector of them. */
    private static final int PAIR_CHANNELS = 64;

    /**
     * Channels and pixels of a row from which on squares of pixels are computed: those at the border are copied first and
     * so cost twice as much.
     */
    private static final int SQUARE_CHANNELS = 96;
    private static final int SQUARE_PIXELS = VectorKernels.MANY_REGISTERS ? 40 : 14;

    /** Floats of an image batch (48 MB) from which on most caches hold little of it when it is read again. */
    static final long FAR = 12L << 20;

    /** Channels of a weight gradient that are a task of their own: fewer sums to add up at the end. */
    private static final int PIECE = 128;

    private SlidingDepthwise() {}

    private static boolean fits(ConvGeometry g) {
        return g.kH() == 3 && g.kW() == 3 && g.dilationH() == 1 && g.dilationW() == 1 && g.inC() == g.outC()
                && g.outC() >= L && g.strideH() == g.strideW() && g.strideH() <= 2;
    }

    private static boolean twoRows(int stride) {
        return stride == 1 && VectorKernels.MANY_REGISTERS;
    }

    static boolean forwardFits(ConvGeometry g) {
        return fits(g) && columnsFit(g.padLeft(), g.inW(), g.outW(), g.strideW());
    }

    static boolean backwardDataFits(ConvGeometry g) {
        if (!fits(g)) {
            return false;
        }
        return g.strideW() == 1 ? columnsFit(2 - g.padLeft(), g.outW(), g.inW(), 1)
                : squaresFit(g.padTop(), g.inH(), g.outH()) && squaresFit(g.padLeft(), g.inW(), g.outW());
    }

    /** PyTorch's padding of 1, or TensorFlow's, which has none ahead of an even number of pixels. */
    private static boolean squaresFit(int pad, int in, int out) {
        return (pad == 0 || pad == 1) && out == (in + pad) / 2 && out > 0;
    }

    /** At most one column is outside on each side. */
    private static boolean columnsFit(int pad, int in, int out, int stride) {
        return (pad == 0 || pad == 1) && (out - 1) * stride - pad + 2 <= in;
    }

    /** Rows a task computes: even, so that a pair of rows is never cut. */
    static int rowsPerTask(int images, int rows, int width, int channels) {
        long vectors = (long) width * ((channels + L - 1) / L);
        long share = ((long) images * rows + TASKS - 1) / TASKS;
        long worth = (TASK_VECTORS + vectors - 1) / vectors;
        int per = Math.clamp(Math.max(worth, Math.min(share, 4 * worth)), 2, rows + 1);
        return per / 2 * 2;
    }

    static void forward(ConvGeometry g, float[] x, int xo, float[] packed, float[] y, int yo, Epilogue e) {
        Rows.of(g, packed, e).run(x, xo, y, yo);
    }

    static void backwardData(ConvGeometry g, float[] dy, int dyo, float[] packed, float[] dx, int dxo) {
        if (g.strideH() == 1) { // the convolution of dy with the taps in reverse order, in which they are packed
            Rows r = new Rows(g.batch(), g.outH(), g.outW(), g.inH(), g.inW(), g.outC(), 1, 2 - g.padTop(),
                    2 - g.padLeft(), packed, Epilogue.NONE);
            r.run(dy, dyo, dx, dxo);
            return;
        }
        int c = g.outC();
        int line = g.inW() * c;
        int up = 1 - g.padTop();    // without padding squares begin a pixel ahead of the image
        int left = 1 - g.padLeft();
        int per = rowsPerTask(g.batch(), g.inH(), g.inW(), c);
        int blocks = (g.inH() + up + per - 1) / per;
        float[] none = Scratch.zeros(g.outW() * c);
        WorkerPool.shared().run(g.batch() * blocks, task -> {
            int image = task / blocks;
            int from = task % blocks * per - up;
            Lines in = new Lines(dy, dyo + image * g.outH() * g.outW() * c, g.outH(), g.outW() * c, none);
            try (Scratch nowhere = Scratch.take(line)) {
                Lines out = new Lines(dx, dxo + image * g.inH() * line, g.inH(), line, nowhere.data);
                for (int iy = from; iy < Math.min(g.inH(), from + per); iy += 2) {
                    int oy = (iy + up) / 2 - up;
                    for (int j = 0; j < c; j += L) {
                        int at = Math.min(j, c - L);
                        DepthwiseRowGradients.squares(in.array(oy), in.at(oy) + at, in.array(oy + 1), in.at(oy + 1) + at, c,
                                left == 1, g.outW() - 1, (g.inW() + left) % 2 == 0, packed, at, c, out.array(iy),
                                out.at(iy) + at, out.array(iy + 1), out.at(iy + 1) + at, c);
                    }
                }
            }
        });
    }

    /** A convolution without regard to what it is the forward or backward pass of. */
    record Rows(int batch, int inH, int inW, int outH, int outW, int c, int stride, int padTop, int padLeft, float[] w,
            Epilogue e) {
        static Rows of(ConvGeometry g, float[] packed, Epilogue e) {
            return new Rows(g.batch(), g.inH(), g.inW(), g.outH(), g.outW(), g.outC(), g.strideH(), g.padTop(), g.padLeft(),
                    packed, e);
        }

        void run(float[] x, int xo, float[] y, int yo) {
            int per = rowsPerTask(batch, outH, outW, c);
            int blocks = (outH + per - 1) / per;
            WorkerPool.shared().run(batch * blocks, task -> {
                int image = task / blocks;
                int from = task % blocks * per;
                int to = Math.min(outH, from + per);
                int pixel = (image * outH + from) * outW;
                boolean residual = e.residual() != null;
                Epilogue then = residual ? Epilogue.NONE : e;
                if (stride == 2 && (long) batch * inH * inW * c >= FAR) {
                    fetchedRows(x, xo + image * inH * inW * c, from, to, then, y, yo + pixel * c);
                } else {
                    rows(x, xo + image * inH * inW * c, 0, inH, from, to, then, y, yo + pixel * c);
                }
                if (residual) {
                    e.apply(pixel, (to - from) * outW, 0, c, y, yo + pixel * c, c);
                }
            });
        }

        /**
         * As {@link #rows}, of an image that memory has: a processor fetches three rows that are read in turns ahead badly,
         * and one after the other, as here before they are used, at the speed of memory.
         */
        private void fetchedRows(float[] x, int xo, int from, int to, Epilogue then, float[] y, int yo) {
            int next = Math.max(0, from * stride - padTop);
            try (Scratch nowhere = Scratch.take(1)) {
                for (int oy = from; oy < to; oy++) {
                    int end = Math.min(inH, oy * stride - padTop + 3);
                    nowhere.data[0] = DepthwisePairs.fetch((end - next) * inW * c, x, xo + next * inW * c);
                    next = end;
                    rows(x, xo, 0, inH, oy, oy + 1, then, y, yo + (oy - from) * outW * c);
                }
            }
        }

        /**
         * Rows {@code from..to} of an image's results, without a residual. Rows {@code first..end} of the image lie at
         * {@code xo}; they are all that are needed and exist.
         */
        void rows(float[] x, int xo, int first, int end, int from, int to, Epilogue e, float[] y, int yo) {
            float[] none = Scratch.zeros(Math.max(c, inW * c));
            Lines in = new Lines(x, xo, end - first, inW * c, none);
            boolean right = (outW - 1) * stride - padLeft + 2 == inW;
            float[] bias = e.bias() != null ? e.bias() : none;
            int bo = e.bias() != null ? e.biasOffset() : 0;
            float low = e.activation() != Activation.NONE ? 0f : Float.NEGATIVE_INFINITY;
            float high = e.activation() == Activation.RELU6 ? 6f : Float.POSITIVE_INFINITY;
            boolean squares = stride == 1 && c >= SQUARE_CHANNELS && outW >= SQUARE_PIXELS;
            boolean two = squares || twoRows(stride);
            int pairs = stride == 2 && c >= PAIR_CHANNELS ? (outW - padLeft - (right ? 1 : 0)) / 2 : 0;
            try (Scratch nowhere = Scratch.take(two ? outW * c : 1)) {
                for (int oy = from; oy < to; oy += two ? 2 : 1) {
                    int top = oy * stride - padTop - first;
                    int line = yo + (oy - from) * outW * c;
                    boolean second = oy + 1 < to;
                    Line l = new Line(this, right, in.array(top), in.at(top), in.array(top + 1), in.at(top + 1),
                            in.array(top + 2), in.at(top + 2), in.array(top + 3), in.at(top + 3), bias, bo, low, high, y,
                            line, second ? y : nowhere.data, second ? line + outW * c : 0);
                    if (squares) {
                        l.squares();
                    } else if (pairs > 0) {
                        l.vectors(0, padLeft);
                        l.pairs(padLeft, pairs);
                        l.vectors(padLeft + 2 * pairs, outW);
                    } else {
                        l.vectors(0, outW);
                    }
                }
            }
        }
    }

    /** A row of results, or two with stride 1. */
    private record Line(Rows r, boolean right, float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3,
            int o3, float[] bias, int bo, float low, float high, float[] y, int yo, float[] z, int zo) {
        /** Pixels {@code from..to}, vector of channels by vector of channels. */
        void vectors(int from, int to) {
            int c = r.c;
            boolean two = twoRows(r.stride);
            int span = Math.max(SPAN_PIXELS, SPAN / ((two ? 4 : 3) * r.stride * c));
            for (int p = from; p < to; p += span) {
                boolean head = p == 0 && r.padLeft == 1;
                int end = Math.min(to, p + span);
                boolean tail = right && end == r.outW;
                int n = end - p - (tail ? 1 : 0);
                int skip = head ? 0 : (p * r.stride - r.padLeft) * c;
                for (int j = 0; j < c; j += L) {
                    int q = Math.min(j, c - L);
                    int u = q + skip;
                    int v = q + p * c;
                    if (two) {
                        DepthwiseRows.two(x0, o0 + u, x1, o1 + u, x2, o2 + u, x3, o3 + u, c, head, tail, n, r.w, q, c, bias,
                                bo + q, low, high, y, yo + v, z, zo + v, c);
                    } else if (r.stride == 1) {
                        DepthwiseRows.one(x0, o0 + u, x1, o1 + u, x2, o2 + u, c, head, tail, n, r.w, q, c, bias, bo + q, low,
                                high, y, yo + v, c);
                    } else {
                        DepthwiseRows.strided(x0, o0 + u, x1, o1 + u, x2, o2 + u, c, head, tail, n, r.w, q, c, bias, bo + q,
                                low, high, y, yo + v, c);
                    }
                }
            }
        }

        /** All pixels of both rows two by two; of an odd number the last but one is computed again. */
        void squares() {
            int c = r.c;
            int at = 0;
            if (r.padLeft == 1) {
                border(0);
                at = 2;
            }
            int count = (Math.min(r.outW, r.inW + r.padLeft - 2) - at) / 2;
            int u = (at - r.padLeft) * c;
            squares(count, x0, o0 + u, x1, o1 + u, x2, o2 + u, x3, o3 + u, at);
            if (at + 2 * count < r.outW) {
                border(r.outW - 2);
            }
        }

        /** Pixels p and p + 1, from a copy with zeros for the column that does not exist. */
        private void border(int p) {
            int c = r.c;
            int column = p - r.padLeft;
            int before = Math.max(0, -column);
            int from = (column + before) * c;
            int n = (Math.min(4, r.inW - column) - before) * c;
            try (Scratch copy = Scratch.take(Alignment.FIRST + 16L * c)) {
                float[] a = copy.data;
                int a0 = Alignment.FIRST, a1 = a0 + 4 * c, a2 = a1 + 4 * c, a3 = a2 + 4 * c;
                Arrays.fill(a, a0, a3 + 4 * c, 0f);
                int skip = before * c;
                System.arraycopy(x0, o0 + from, a, a0 + skip, n);
                System.arraycopy(x1, o1 + from, a, a1 + skip, n);
                System.arraycopy(x2, o2 + from, a, a2 + skip, n);
                System.arraycopy(x3, o3 + from, a, a3 + skip, n);
                squares(1, a, a0, a, a1, a, a2, a, a3, p);
            }
        }

        private void squares(int count, float[] x0, int o0, float[] x1, int o1, float[] x2, int o2, float[] x3, int o3,
                int p) {
            int c = r.c;
            int d = p * c;
            DepthwiseSquares.run(count, c / L, x0, o0, x1, o1, x2, o2, x3, o3, c, r.w, 0, bias, bo, y, yo + d, z, zo + d);
            if (c % L > 0) {
                int q = c - L;
                DepthwiseSquares.run(count, 1, x0, o0 + q, x1, o1 + q, x2, o2 + q, x3, o3 + q, c, r.w, q, bias, bo + q, y,
                        yo + q + d, z, zo + q + d);
            }
            if (low > Float.NEGATIVE_INFINITY) {
                DepthwiseSquares.clamp(2 * count * c, low, high, y, yo + d);
                DepthwiseSquares.clamp(2 * count * c, low, high, z, zo + d);
            }
        }

        /** {@code count} pairs of pixels from {@code from} on, all channels of each; all their columns exist. */
        void pairs(int from, int count) {
            pairs(from, count, r.c / L, 0);
            if (r.c % L > 0) {
                pairs(from, count, 1, r.c - L);
            }
        }

        private void pairs(int from, int count, int n, int q) {
            int c = r.c;
            int u = q + (2 * from - r.padLeft) * c;
            DepthwisePairs.strided(count, n, x0, o0 + u, x1, o1 + u, x2, o2 + u, c, r.w, q, bias, bo + q, low, high, y,
                    yo + q + from * c);
        }
    }

    /** Every task has sums of its own, a vector of each tap per vector of channels; they are added in the tasks' order. */
    static void backwardWeights(ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw, int dwo) {
        int rows = g.strideH() == 1 ? g.inH() : g.outH(); // what a kernel takes one row of: x or dy
        float[] none = Scratch.zeros(Math.max(g.inW(), g.outW()) * g.outC());
        sumWeights(g, rows, dw, dwo, (image, from, to, v0, v1, s, so) ->
                weights(g, x, xo, dy, dyo, image, from, to, v0, v1, none, s, so));
    }

    /** What some rows of an image add to the sums at {@code so}, a vector for each tap, of vectors of channels v0 to v1. */
    @FunctionalInterface
    interface WeightRows {
        void add(int image, int from, int to, int v0, int v1, float[] sums, int so);
    }

    static void sumWeights(ConvGeometry g, int rows, float[] dw, int dwo, WeightRows body) {
        int taps = g.taps();
        int c = g.outC();
        int vectors = (c + L - 1) / L;
        int piece = Math.min(vectors, PIECE / L);
        int pieces = (vectors + piece - 1) / piece;
        int per = rowsPerTask(g.batch(), rows, g.outW(), piece * L);
        int blocks = (rows + per - 1) / per;
        int units = g.batch() * blocks;
        int parts = Math.clamp(TASKS / pieces, 1, units);
        int size = taps * L * vectors;
        try (Scratch sums = Scratch.take((long) parts * size)) {
            float[] s = sums.data;
            WorkerPool.shared().run(parts * pieces, task -> {
                int p = task / pieces;
                int v0 = task % pieces * piece;
                int v1 = Math.min(vectors, v0 + piece);
                Arrays.fill(s, p * size + v0 * taps * L, p * size + v1 * taps * L, 0f);
                for (int u = (int) ((long) units * p / parts); u < (int) ((long) units * (p + 1) / parts); u++) {
                    int from = u % blocks * per;
                    body.add(u / blocks, from, Math.min(rows, from + per), v0, v1, s, p * size);
                }
            });
            float[] total = new float[L];
            for (int v = 0; v < vectors; v++) {
                int first = Math.min(v * L, c - L);
                for (int t = 0; t < taps; t++) {
                    DepthwiseRowGradients.total(s, (v * taps + t) * L, size, parts, total);
                    for (int i = v * L - first; i < L; i++) { // lanes before that belong to the vector before
                        dw[dwo + (first + i) * taps + t] = total[i];
                    }
                }
            }
        }
    }

    private static void weights(ConvGeometry g, float[] x, int xo, float[] dy, int dyo, int image, int from, int to,
            int v0, int v1, float[] none, float[] s, int so) {
        int c = g.outC();
        Lines in = new Lines(x, xo + image * g.inH() * g.inW() * c, g.inH(), g.inW() * c, none);
        Lines out = new Lines(dy, dyo + image * g.outH() * g.outW() * c, g.outH(), g.outW() * c, none);
        boolean left = g.padLeft() == 1;
        boolean right = (g.outW() - 1) * g.strideW() - g.padLeft() + 2 == g.inW();
        int pixels = g.outW() - (right ? 1 : 0);
        for (int r = from; r < to; r++) {
            int top = r * g.strideH() - g.padTop();
            for (int v = v0; v < v1; v++) {
                int q = Math.min(v * L, c - L);
                int sum = so + v * 9 * L;
                if (g.strideH() == 1) {
                    int oy = r + g.padTop();
                    DepthwiseRowGradients.weightsOne(x, in.at(r) + q, c, left, right, pixels, out.array(oy - 2),
                            out.at(oy - 2) + q, out.array(oy - 1), out.at(oy - 1) + q, out.array(oy), out.at(oy) + q, c, s,
                            sum);
                } else {
                    DepthwiseRowGradients.weightsStrided(in.array(top), in.at(top) + q, in.array(top + 1),
                            in.at(top + 1) + q, in.array(top + 2), in.at(top + 2) + q, c, left, right, pixels, dy,
                            out.at(r) + q, c, s, sum);
                }
            }
        }
    }

    /** The rows of an image; those outside are {@code none}: zeros where rows are read. */
    record Lines(float[] x, int xo, int rows, int floats, float[] none) {
        float[] array(int row) {
            return row >= 0 && row < rows ? x : none;
        }

        int at(int row) {
            return row >= 0 && row < rows ? xo + row * floats : 0;
        }
    }
}
