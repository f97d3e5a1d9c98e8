package dev.graft.tensor.cpu;

import dev.graft.tensor.cpu.DirectConvolution.Phase;
import java.util.Arrays;

/**
 * Convolution with one input channel per group. Each task copies the image rows it needs, with their padding, into a
 * small buffer, so that the inner loops know no borders. With a channel multiplier the copy repeats channels.
 */
final class DepthwiseConvolution {
    private static final int BUFFER_FLOATS = 1 << 16;
    private static final int TASKS = 32;

    private DepthwiseConvolution() {}

    /** [outC][taps] to [taps][outC]; for the data gradient the taps are in the order of the phases. */
    static void pack(ConvGeometry g, boolean backward, float[] w, int wo, float[] to) {
        if (!backward) {
            for (int t = 0; t < g.taps(); t++) {
                column(g, w, wo + t, to, t * g.outC());
            }
            return;
        }
        int at = 0;
        for (int i = 0; i < g.strideH(); i++) {
            for (int j = 0; j < g.strideW(); j++) {
                Phase v = DirectConvolution.rows(g, phaseOfRows(g, i));
                Phase h = DirectConvolution.columns(g, phaseOfColumns(g, j));
                for (int t = 0; t < v.count() * h.count(); t++) {
                    column(g, w, wo + v.tap(t / h.count()) * g.kW() + h.tap(t % h.count()), to, at);
                    at += g.outC();
                }
            }
        }
    }

    /** Phases are packed from that of the centre tap on, so that the order of the taps is the same with any padding. */
    private static int phaseOfRows(ConvGeometry g, int i) {
        return Math.floorMod(g.kH() / 2 * g.dilationH() - g.padTop() + i, g.strideH());
    }

    private static int phaseOfColumns(ConvGeometry g, int i) {
        return Math.floorMod(g.kW() / 2 * g.dilationW() - g.padLeft() + i, g.strideW());
    }

    private static void column(ConvGeometry g, float[] w, int wo, float[] to, int at) {
        for (int o = 0; o < g.outC(); o++) {
            to[at + o] = w[wo + o * g.taps()];
        }
    }

    /** Rows of results that a task makes: as many as the buffer allows, but enough tasks for many threads. */
    private static int rowsPerTask(int images, int rows, int stride, long rowFloats) {
        long fit = Math.max(1, BUFFER_FLOATS / Math.max(1, rowFloats * stride));
        long share = ((long) images * rows + TASKS - 1) / TASKS;
        int most = Math.clamp(Math.min(fit, Math.max(share, 2)), 1, rows);
        int blocks = (rows + most - 1) / most;
        return (rows + blocks - 1) / blocks;
    }

    static void forward(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] packed, float[] y, int yo, Epilogue e) {
        if (mk.vectors() && SlidingDepthwise.forwardFits(g)) {
            SlidingDepthwise.forward(g, x, xo, packed, y, yo, e);
            return;
        }
        if (mk.vectors() && SlidingFives.forwardFits(g)) {
            SlidingFives.forward(g, x, xo, packed, y, yo, e);
            return;
        }
        int width = paddedWidth(g);
        int per = rowsPerTask(g.batch(), g.outH(), g.strideH(), (long) width * g.outC());
        int blocks = (g.outH() + per - 1) / per;
        int[] offsets = offsets(g, width);
        WorkerPool.shared().run(g.batch() * blocks, task -> {
            int image = task / blocks;
            int from = task % blocks * per;
            int to = Math.min(g.outH(), from + per);
            try (Scratch rows = copyWindowRows(g, x, xo, image, from, to, width)) {
                for (int oy = from; oy < to; oy++) {
                    int pixel = (image * g.outH() + oy) * g.outW();
                    mk.depthwise(g.taps(), offsets, rows.data, (oy - from) * g.strideH() * width * g.outC(),
                            g.strideW() * g.outC(), packed, 0, g.outC(), y, yo + pixel * g.outC(), g.outC(), g.outW(),
                            g.outC());
                    e.apply(pixel, g.outW(), 0, g.outC(), y, yo + pixel * g.outC(), g.outC());
                }
            }
        });
    }

    private static int paddedWidth(ConvGeometry g) {
        return (g.outW() - 1) * g.strideW() + (g.kW() - 1) * g.dilationW() + 1;
    }

    private static int[] offsets(ConvGeometry g, int width) {
        int[] offsets = new int[g.taps()];
        for (int t = 0; t < offsets.length; t++) {
            offsets[t] = (t / g.kW() * g.dilationH() * width + t % g.kW() * g.dilationW()) * g.outC();
        }
        return offsets;
    }

    private static Scratch copyWindowRows(ConvGeometry g, float[] x, int xo, int image, int from, int to, int width) {
        int first = from * g.strideH() - g.padTop();
        int count = (to - 1 - from) * g.strideH() + (g.kH() - 1) * g.dilationH() + 1;
        Scratch s = Scratch.take((long) count * width * g.outC());
        copy(x, xo + image * g.inH() * g.inW() * g.inC(), g.inH(), g.inW(), g.inC(), g.outC() / g.inC(), first, count,
                -g.padLeft(), width, s.data);
        return s;
    }

    /** Rows and columns of an image from (row, column) on, zeros outside, each channel {@code repeat} times. */
    private static void copy(float[] x, int xo, int height, int width, int channels, int repeat, int row, int rows,
            int column, int columns, float[] to) {
        int c = channels * repeat;
        int lo = Math.clamp(-column, 0, columns);
        int hi = Math.clamp(width - column, lo, columns);
        for (int r = 0; r < rows; r++) {
            int at = r * columns * c;
            int iy = row + r;
            if (iy < 0 || iy >= height || lo == hi) {
                Arrays.fill(to, at, at + columns * c, 0f);
                continue;
            }
            Arrays.fill(to, at, at + lo * c, 0f);
            int from = xo + (iy * width + column + lo) * channels;
            if (repeat == 1) {
                System.arraycopy(x, from, to, at + lo * c, (hi - lo) * c);
            } else {
                for (int i = 0; i < (hi - lo) * c; i++) {
                    to[at + lo * c + i] = x[from + i / repeat];
                }
            }
            Arrays.fill(to, at + hi * c, at + columns * c, 0f);
        }
    }

    static void backwardWeights(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo,
            float[] dw, int dwo) {
        if (mk.vectors() && SlidingDepthwise.forwardFits(g)) {
            SlidingDepthwise.backwardWeights(g, x, xo, dy, dyo, dw, dwo);
            return;
        }
        if (mk.vectors() && SlidingFives.backwardWeightsFits(g)) {
            SlidingFives.backwardWeights(g, x, xo, dy, dyo, dw, dwo);
            return;
        }
        int width = paddedWidth(g);
        int per = rowsPerTask(g.batch(), g.outH(), g.strideH(), (long) width * g.outC());
        int blocks = (g.outH() + per - 1) / per;
        int[] offsets = offsets(g, width);
        int units = g.batch() * blocks;
        int parts = Math.min(units, TASKS);
        int size = g.taps() * g.outC();
        try (Scratch sums = Scratch.take((long) Math.max(1, parts) * size)) {
            float[] s = sums.data;
            Arrays.fill(s, 0, Math.max(1, parts) * size, 0f);
            WorkerPool.shared().run(parts, p -> {
                for (int u = (int) ((long) units * p / parts); u < (int) ((long) units * (p + 1) / parts); u++) {
                    int image = u / blocks;
                    int from = u % blocks * per;
                    int to = Math.min(g.outH(), from + per);
                    try (Scratch rows = copyWindowRows(g, x, xo, image, from, to, width)) {
                        for (int oy = from; oy < to; oy++) {
                            mk.depthwiseWeights(g.taps(), offsets, rows.data, (oy - from) * g.strideH() * width * g.outC(),
                                    g.strideW() * g.outC(), dy, dyo + (image * g.outH() + oy) * g.outW() * g.outC(),
                                    g.outC(), s, p * size, g.outC(), g.outW(), g.outC());
                        }
                    }
                }
            });
            for (int p = 1; p < parts; p++) {
                for (int i = 0; i < size; i++) {
                    s[i] += s[p * size + i];
                }
            }
            for (int o = 0; o < g.outC(); o++) {
                for (int t = 0; t < g.taps(); t++) {
                    dw[dwo + o * g.taps() + t] = s[t * g.outC() + o];
                }
            }
        }
    }

    static void backwardData(MicroKernels mk, ConvGeometry g, float[] dy, int dyo, float[] packed, float[] dx, int dxo) {
        if (mk.vectors() && SlidingDepthwise.backwardDataFits(g)) {
            SlidingDepthwise.backwardData(g, dy, dyo, packed, dx, dxo);
            return;
        }
        if (mk.vectors() && SlidingFives.backwardDataFits(g)) {
            SlidingFives.backwardData(g, dy, dyo, packed, dx, dxo);
            return;
        }
        Gradient gradient = new Gradient(mk, g, packed);
        int per = rowsPerTask(g.batch(), g.inH(), 1, (long) gradient.width * g.outC());
        int blocks = (g.inH() + per - 1) / per;
        WorkerPool.shared().run(g.batch() * blocks, task -> gradient.rows(task / blocks, task % blocks * per,
                Math.min(g.inH(), task % blocks * per + per), dy, dyo, dx, dxo));
    }

    /** The data gradient: per phase of the stride a depthwise convolution of dy with the taps that belong to it. */
    private static final class Gradient {
        final MicroKernels mk;
        final ConvGeometry g;
        final float[] packed;
        final Phase[] vertical;
        final Phase[] horizontal;
        final int[][][] offsets;
        final int[][] weights;
        final int column;
        final int width;

        Gradient(MicroKernels mk, ConvGeometry g, float[] packed) {
            this.mk = mk;
            this.g = g;
            this.packed = packed;
            vertical = new Phase[g.strideH()];
            horizontal = new Phase[g.strideW()];
            int from = 0;
            int end = 1;
            for (int i = 0; i < g.strideW(); i++) {
                Phase h = horizontal[i] = DirectConvolution.columns(g, i);
                if (h.count() > 0 && h.positions() > 0) {
                    from = Math.min(from, h.base());
                    end = Math.max(end, h.positions() + h.base() + h.step() * (h.count() - 1));
                }
            }
            column = from;
            width = end - from;
            offsets = new int[g.strideH()][g.strideW()][];
            weights = new int[g.strideH()][g.strideW()];
            for (int i = 0; i < g.strideH(); i++) {
                vertical[i] = DirectConvolution.rows(g, i);
            }
            int at = 0;
            for (int a = 0; a < g.strideH(); a++) {
                int i = phaseOfRows(g, a);
                Phase v = vertical[i];
                for (int b = 0; b < g.strideW(); b++) {
                    int j = phaseOfColumns(g, b);
                    Phase h = horizontal[j];
                    int[] o = offsets[i][j] = new int[v.count() * h.count()];
                    for (int t = 0; t < o.length; t++) {
                        o[t] = (t / h.count() * v.step() * width + h.base() - column + t % h.count() * h.step()) * g.outC();
                    }
                    weights[i][j] = at;
                    at += o.length * g.outC();
                }
            }
        }

        void rows(int image, int from, int to, float[] dy, int dyo, float[] dx, int dxo) {
            int first = Integer.MAX_VALUE;
            int last = Integer.MIN_VALUE;
            for (int iy = from; iy < to; iy++) {
                Phase v = vertical[iy % g.strideH()];
                if (v.count() > 0) {
                    first = Math.min(first, iy / g.strideH() + v.base());
                    last = Math.max(last, iy / g.strideH() + v.base() + v.step() * (v.count() - 1));
                }
            }
            int count = Math.max(0, last - first + 1);
            int repeat = g.outC() / g.inC();
            try (Scratch buffer = Scratch.take((long) count * width * g.outC());
                    Scratch wide = Scratch.take(repeat == 1 ? 1 : (long) g.inW() * g.outC())) {
                if (count > 0) {
                    copy(dy, dyo + image * g.outH() * g.outW() * g.outC(), g.outH(), g.outW(), g.outC(), 1, first, count,
                            column, width, buffer.data);
                }
                for (int iy = from; iy < to; iy++) {
                    int target = dxo + (image * g.inH() + iy) * g.inW() * g.inC();
                    row(iy, first, buffer.data, repeat == 1 ? dx : wide.data, repeat == 1 ? target : 0);
                    if (repeat > 1) {
                        for (int i = 0; i < g.inW() * g.inC(); i++) {
                            float s = 0;
                            for (int r = 0; r < repeat; r++) {
                                s += wide.data[i * repeat + r];
                            }
                            dx[target + i] = s;
                        }
                    }
                }
            }
        }

        private void row(int iy, int first, float[] dy, float[] dx, int dxo) {
            int py = iy % g.strideH();
            Phase v = vertical[py];
            int line = (iy / g.strideH() + v.base() - first) * width * g.outC();
            for (int px = 0; px < g.strideW(); px++) {
                int[] o = offsets[py][px];
                int step = g.strideW() * g.outC();
                mk.depthwise(o.length, o, dy, o.length == 0 ? 0 : line, g.outC(), packed, weights[py][px], g.outC(),
                        dx, dxo + px * g.outC(), step, horizontal[px].positions(), g.outC());
            }
        }
    }
}
