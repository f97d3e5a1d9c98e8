package dev.graft.tensor.cpu;

import dev.graft.tensor.cpu.FrameConvolution.Part;
import dev.graft.tensor.cpu.FrameConvolution.Target;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Convolution as a matrix product whose left operand, the windows of the image, is made block by block in the cache.
 * Serves every stride, padding, dilation and number of groups, forward and for the data gradient.
 */
final class DirectConvolution {
    private static final int ROWS = 48; // some register tiles
    private static final int BLOCK_FLOATS = 1 << 16;
    private static final int TASKS = 32;

    private DirectConvolution() {}

    /**
     * Groups with fewer results than a vector holds are joined to one group whose weights between them are zero: a vector
     * that is full of products with zeros is faster than one that is empty but for a few. A value that is not finite reaches
     * the groups that it is joined with, as 0 times infinity is NaN.
     */
    private static ConvGeometry joined(MicroKernels mk, ConvGeometry g) {
        int n = 1;
        while (n < g.groups() && (n * g.outPerGroup() < mk.lanes() || g.groups() % n != 0)) {
            n++;
        }
        // A number of groups with few divisors would make it one dense convolution.
        return n == 1 || n * g.outPerGroup() > 2 * mk.lanes() ? g : g.withGroups(g.groups() / n);
    }

    /** The weights with zeros between the groups that {@code to} joins. */
    private static float[] spread(ConvGeometry g, ConvGeometry to, float[] w, int wo) {
        int n = g.inPerGroup();
        float[] all = new float[to.weightSize()];
        for (int o = 0; o < g.outC(); o++) {
            for (int tap = 0; tap < g.taps(); tap++) {
                System.arraycopy(w, wo + (o * g.taps() + tap) * n, all, place(g, to, o, tap), n);
            }
        }
        return all;
    }

    private static int place(ConvGeometry g, ConvGeometry to, int o, int tap) {
        return (o * g.taps() + tap) * to.inPerGroup() + o / g.outPerGroup() * g.inPerGroup() % to.inPerGroup();
    }

    static long forwardSize(MicroKernels mk, ConvGeometry of) {
        ConvGeometry g = joined(mk, of);
        return g.groups() * Panels.size(mk, g.taps() * g.inPerGroup(), g.outPerGroup());
    }

    static void packForward(MicroKernels mk, ConvGeometry g, float[] w, int wo, float[] to) {
        ConvGeometry all = joined(mk, g);
        if (all != g) {
            packForward(mk, all, spread(g, all, w, wo), 0, to);
            return;
        }
        int depth = g.taps() * g.inPerGroup();
        int n = g.outPerGroup();
        int size = (int) Panels.size(mk, depth, n);
        for (int i = 0; i < g.groups(); i++) {
            Gemm.pack(mk, depth, n, w, wo + i * n * depth, 1, depth, to, Alignment.FIRST + i * size);
        }
    }

    static void forward(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] packed, float[] y, int yo, Epilogue e) {
        if (StemConvolution.serves(mk, g)) {
            StemConvolution.forward(mk, g, x, xo, packed, y, yo, e);
            return;
        }
        Target target = new Target(g.outH(), g.outW(), g.outC(), 0, 1, 0, 1);
        ConvGeometry all = joined(mk, g);
        List<Part> parts = List.of(new Part(Window.of(all), Alignment.FIRST, target));
        run(mk, parts, g.batch(), all.groups(), all.outPerGroup(), x, xo, packed, y, yo, e);
    }

    /**
     * One dimension of the data gradient for input positions {@code phase + stride*q}: taps {@code first + period*j},
     * j below count, reach them from output positions {@code q + base + step*(count - 1 - j)}.
     */
    record Phase(int positions, int first, int period, int count, int base, int step) {
        static Phase of(int phase, int size, int kernel, int stride, int pad, int dilation) {
            int gcd = gcd(stride, dilation);
            int period = stride / gcd;
            int positions = phase < size ? (size - phase - 1) / stride + 1 : 0;
            for (int k = 0; k < Math.min(period, kernel); k++) {
                if (Math.floorMod(phase + pad - k * dilation, stride) == 0) {
                    int count = (kernel - 1 - k) / period + 1;
                    int last = k + (count - 1) * period;
                    return new Phase(positions, k, period, count, Math.floorDiv(phase + pad - last * dilation, stride),
                            dilation / gcd);
                }
            }
            return new Phase(positions, 0, period, 0, 0, 1); // no tap reaches these positions
        }

        private static int gcd(int a, int b) {
            return b == 0 ? a : gcd(b, a % b);
        }

        /** The tap that is at place {@code j} when taps are ordered by the output position they read. */
        int tap(int j) {
            return first + (count - 1 - j) * period;
        }
    }

    static long backwardSize(MicroKernels mk, ConvGeometry of) {
        ConvGeometry g = joined(mk, of);
        // Every tap belongs to exactly one phase.
        return g.groups() * Panels.size(mk, g.taps() * g.outPerGroup(), g.inPerGroup());
    }

    static void packBackward(MicroKernels mk, ConvGeometry g, float[] w, int wo, float[] to) {
        ConvGeometry all = joined(mk, g);
        if (all != g) {
            packBackward(mk, all, spread(g, all, w, wo), 0, to);
            return;
        }
        int at = Alignment.FIRST;
        for (int py = 0; py < g.strideH(); py++) {
            for (int px = 0; px < g.strideW(); px++) {
                Phase v = rows(g, py);
                Phase h = columns(g, px);
                int depth = v.count * h.count * g.outPerGroup();
                int size = (int) Panels.size(mk, depth, g.inPerGroup());
                for (int i = 0; i < g.groups(); i++) {
                    packBackward(mk, g, i, v, h, w, wo, to, at + i * size);
                }
                at += g.groups() * size;
            }
        }
    }

    private static void packBackward(MicroKernels mk, ConvGeometry g, int group, Phase v, Phase h, float[] w, int wo,
            float[] to, int at) {
        int n = g.inPerGroup();
        int m = g.outPerGroup();
        int depth = v.count * h.count * m;
        WorkerPool.shared().run(Panels.count(mk, n), j -> {
            int column = j * Panels.width(mk);
            int width = Panels.width(mk, n, j);
            for (int t = 0; t < v.count * h.count; t++) {
                int tap = v.tap(t / h.count) * g.kW() + h.tap(t % h.count);
                int from = wo + (group * m * g.taps() + tap) * n + column;
                Panels.pack(m, Math.min(width, n - column), width, w, from, g.taps() * n, 1,
                        to, at + column * depth + t * m * width);
            }
        });
    }

    static void backwardData(MicroKernels mk, ConvGeometry of, float[] dy, int dyo, float[] packed, float[] dx, int dxo) {
        ConvGeometry g = joined(mk, of);
        List<Part> parts = new ArrayList<>();
        int at = Alignment.FIRST;
        for (int py = 0; py < g.strideH(); py++) {
            for (int px = 0; px < g.strideW(); px++) {
                Phase v = rows(g, py);
                Phase h = columns(g, px);
                Window window = new Window(g.outH(), g.outW(), g.outC(), g.outPerGroup(), v.positions, h.positions, v.count,
                        h.count, 1, 1, -v.base, -h.base, v.step, h.step);
                Target target = new Target(g.inH(), g.inW(), g.inC(), py, g.strideH(), px, g.strideW());
                parts.add(new Part(window, at, target));
                at += (int) (g.groups() * Panels.size(mk, window.depth(), g.inPerGroup()));
            }
        }
        run(mk, parts, g.batch(), g.groups(), g.inPerGroup(), dy, dyo, packed, dx, dxo, Epilogue.NONE);
    }

    static Phase rows(ConvGeometry g, int phase) {
        return Phase.of(phase, g.inH(), g.kH(), g.strideH(), g.padTop(), g.dilationH());
    }

    static Phase columns(ConvGeometry g, int phase) {
        return Phase.of(phase, g.inW(), g.kW(), g.strideW(), g.padLeft(), g.dilationW());
    }

    static void backwardWeights(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo,
            float[] dw, int dwo) {
        if (StemConvolution.serves(mk, g)) {
            StemConvolution.backwardWeights(mk, g, x, xo, dy, dyo, dw, dwo);
            return;
        }
        ConvGeometry all = joined(mk, g);
        if (all != g) {
            float[] sums = new float[all.weightSize()];
            backwardWeights(mk, all, x, xo, dy, dyo, sums, 0);
            for (int o = 0; o < g.outC(); o++) {
                for (int tap = 0; tap < g.taps(); tap++) {
                    System.arraycopy(sums, place(g, all, o, tap), dw, dwo + (o * g.taps() + tap) * g.inPerGroup(),
                            g.inPerGroup());
                }
            }
            return;
        }
        Window window = Window.of(g);
        int depth = window.depth();
        int m = g.outPerGroup();
        WorkerPool.shared().run(g.groups(), i -> LongProduct.run(mk, m, depth, g.batch() * window.pixels(),
                dy, dyo + i * m, 1, g.outC(),
                window.columns(x, xo + i * g.inPerGroup()), dw, dwo + i * m * depth, depth, false));
    }

    private static void run(MicroKernels mk, List<Part> parts, int batch, int groups, int n, float[] x, int xo,
            float[] packed, float[] y, int yo, Epilogue e) {
        if (FrameConvolution.serves(mk, parts, groups, n)) {
            FrameConvolution.run(mk, parts, batch, n, x, xo, packed, y, yo, e);
            return;
        }
        for (Part p : parts) {
            run(mk, p.window(), batch, groups, n, x, xo, packed, p.po(), p.target(), y, yo, e);
        }
    }

    private static void run(MicroKernels mk, Window window, int batch, int groups, int n, float[] x, int xo,
            float[] packed, int po, Target target, float[] y, int yo, Epilogue e) {
        int pixels = batch * window.pixels();
        int depth = window.depth();
        int rows = Math.clamp(BLOCK_FLOATS / Math.max(1, depth) / ROWS * ROWS, ROWS, 4 * ROWS);
        int blocks = (pixels + rows - 1) / rows;
        int panels = Panels.count(mk, n);
        int parts = Math.clamp(TASKS / Math.max(1, blocks * groups), 1, panels);
        int part = (panels + parts - 1) / parts;
        int size = (int) Panels.size(mk, depth, n);
        WorkerPool.shared().run(blocks * groups * parts, task -> {
            int p0 = task / (groups * parts) * rows;
            int group = task / parts % groups;
            int from = task % parts * part;
            int to = Math.min(panels, from + part);
            if (from < to) {
                block(mk, window, group, n, p0, Math.min(pixels, p0 + rows), from, to, x, xo, packed, po + group * size,
                        target, y, yo, e);
            }
        });
    }

    private static void block(MicroKernels mk, Window window, int group, int n, int p0, int p1, int from, int to, float[] x,
            int xo, float[] packed, int po, Target target, float[] y, int yo, Epilogue e) {
        int depth = window.depth();
        int rows = p1 - p0;
        int column = from * Panels.width(mk);
        int columns = Math.min(n, to * Panels.width(mk)) - column;
        int first = group * n;
        try (Scratch a = Scratch.take((long) rows * depth)) {
            window.gather(p0, p1, 0, depth, x, xo + group * window.channels(), a.data, 0, depth);
            if (target.contiguous()) {
                int at = yo + p0 * target.channels() + first;
                Panels.multiply(mk, rows, n, depth, from, to, a.data, 0, depth, 1, packed, po, y, at, target.channels(),
                        false);
                e.apply(p0, rows, first + column, columns, y, at + column, target.channels());
                return;
            }
            try (Scratch c = Scratch.take((long) rows * n)) {
                if (depth == 0) { // no window sees these inputs
                    Arrays.fill(c.data, 0, rows * n, 0f);
                } else {
                    Panels.multiply(mk, rows, n, depth, from, to, a.data, 0, depth, 1, packed, po, c.data, 0, n, false);
                }
                for (int p = p0; p < p1; p++) {
                    int q = p / window.outW();
                    int row = q / window.outH() * target.height() + target.row() + q % window.outH() * target.rowStep();
                    int pixel = row * target.width() + target.column() + p % window.outW() * target.columnStep();
                    System.arraycopy(c.data, (p - p0) * n + column, y, yo + pixel * target.channels() + first + column,
                            columns);
                }
            }
        }
    }
}
