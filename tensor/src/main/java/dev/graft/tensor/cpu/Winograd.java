package dev.graft.tensor.cpu;

import dev.graft.tensor.Context;
import java.util.Arrays;

/**
 * Winograd convolution F(4x4,3x3) for stride 1 (Lavin and Gray, 2015): a tile of 4x4 results takes 36 products per pair
 * of channels instead of 144. The products of a position of the 6x6 tile, over all tiles and channels, are a matrix
 * product. Rounding error is about 6e-6 of the largest result. Serves the data gradient too, a convolution of the output's
 * gradient with the rotated kernel.
 */
final class Winograd {
    /** Up to this many weights per position, all positions of a block of tiles are done at once by one thread. */
    private static final int SMALL_WEIGHTS = 128 * 128;
    private static final int FEW_TILES = 96;
    private static final int BLOCK = 24;
    private static final long SPACE_FLOATS = 6L << 20;
    /** Rows of weights that are summed in registers; the bits depend on it, so all forms share it. */
    private static final int DEPTH = 160;

    /**
     * What a value costs, in multiply-adds: transforming it, fetching it from a window of the direct sum, and packing a
     * weight for that.
     */
    private static final int INPUT = 24, OUTPUT = 16, WEIGHT = 16, FETCH = 8, PACKING = 32;

    private final MicroKernels mk;
    private final WinogradTiles tiles;
    private final int inH, inW, inC, outH, outW, outC, padTop, padLeft;
    private final boolean backward;
    private final float[] x, y;
    private final int xo, yo;
    private final Epilogue epilogue;
    /** Floats from tile to tile of the products, whose columns fill whole vectors, and the rows of a product's part. */
    private final int ld, size, depth;

    Winograd(MicroKernels mk, ConvGeometry g, boolean backward, float[] x, int xo, float[] y, int yo, Epilogue epilogue) {
        this.mk = mk;
        this.backward = backward;
        inH = backward ? g.outH() : g.inH();
        inW = backward ? g.outW() : g.inW();
        inC = backward ? g.outC() : g.inC();
        outH = backward ? g.inH() : g.outH();
        outW = backward ? g.inW() : g.outW();
        outC = backward ? g.inC() : g.outC();
        padTop = backward ? 2 - g.padTop() : g.padTop();
        padLeft = backward ? 2 - g.padLeft() : g.padLeft();
        this.x = x;
        this.xo = xo;
        this.y = y;
        this.yo = yo;
        this.epilogue = epilogue;
        tiles = new WinogradTiles(g.batch(), outH, outW);
        ld = Panels.padded(mk, outC);
        size = (int) position(mk, inC, outC);
        int parts = (inC + DEPTH - 1) / DEPTH;
        depth = (inC + parts - 1) / parts;
    }

    /** Whether this is possible, allowed (see {@link dev.graft.tensor.Numerics#precise}) and faster than the direct sum. */
    static boolean pays(ConvGeometry g, boolean backward) {
        int h = backward ? g.inH() : g.outH();
        int w = backward ? g.inW() : g.outW();
        int from = backward ? g.outC() : g.inC();
        int to = backward ? g.inC() : g.outC();
        // Weights count as not kept: whether they are must not change the bits.
        return possible(g) && cost(g.batch(), h, w, from, to, INPUT, OUTPUT, WEIGHT)
                < direct(g.batch(), h, w, from, to) + 9L * PACKING * from * to;
    }

    static boolean possible(ConvGeometry g) {
        return g.kH() == 3 && g.kW() == 3 && g.strideH() == 1 && g.strideW() == 1 && g.dilationH() == 1 && g.dilationW() == 1
                && g.groups() == 1 && Math.min(g.inC(), g.outC()) >= 16 && 36L * g.inC() * g.outC() * 2 < Integer.MAX_VALUE
                && !Context.current().numerics().precise();
    }

    /** Multiply-adds, and what transforming the values on both sides and the weights is worth in such. */
    static double cost(int batch, int h, int w, int from, int to, int perInput, int perOutput, int perWeight) {
        double tiles = (double) batch * ((h + 3) / 4) * ((w + 3) / 4);
        return (double) WinogradTiles.products(batch, h, w) * from * to
                + 36 * (tiles * (perInput * (double) from + perOutput * (double) to) + perWeight * (double) from * to);
    }

    static double direct(int batch, int h, int w, int from, int to) {
        return 9.0 * batch * h * w * from * (to + FETCH);
    }

    /** Floats of all transformed weights. */
    static long size(MicroKernels mk, ConvGeometry g, boolean backward) {
        return 36 * position(mk, backward ? g.outC() : g.inC(), backward ? g.inC() : g.outC());
    }

    /** Floats from position to position: not a power of two, which would put all 36 into the same cache sets. */
    private static long position(MicroKernels mk, int k, int n) {
        return Panels.size(mk, k, n) + 16;
    }

    /** Transformed weights: 36 packed operands [inC][outC], for the data gradient [outC][inC] of the rotated kernel. */
    static void pack(MicroKernels mk, ConvGeometry g, boolean backward, float[] w, int wo, float[] to) {
        int k = backward ? g.outC() : g.inC();
        int n = backward ? g.inC() : g.outC();
        int size = (int) position(mk, k, n);
        int depth = 32;
        int pieces = (k + depth - 1) / depth;
        WorkerPool.shared().run(Panels.tileCount(mk, n) * pieces, task -> {
            int j = task / pieces;
            int k0 = task % pieces * depth;
            int rows = Math.min(depth, k - k0);
            int column = j * Panels.tileWidth(mk);
            int width = Panels.tileWidth(mk, n, j);
            int plane = rows * width + 16;
            try (Scratch s = Scratch.take(9L * plane); Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
                taps(mk, backward, k, n, k0, rows, column, width, w, wo, s.data, plane);
                mk.winogradWeights(s.data, 0, plane, rows * width, to, Alignment.FIRST + column * k + k0 * width, size,
                        t.data);
            }
        });
    }

    /** The 9 taps of weights k0.. and their columns, filled up with zeros, as [tap][row][width]; taps are plane apart. */
    private static void taps(MicroKernels mk, boolean backward, int k, int n, int k0, int rows, int column, int width,
            float[] w, int wo, float[] to, int plane) {
        int columns = Math.min(width, n - column);
        for (int tap = 0; tap < 9; tap++) {
            if (backward) {
                Panels.pack(rows, columns, width, w, wo + (k0 * 9 + 8 - tap) * n + column, 9 * n, 1, to, tap * plane);
                continue;
            }
            mk.transpose(columns, rows, w, wo + (column * 9 + tap) * k + k0, 9 * k, to, tap * plane, width);
            for (int i = 0; columns < width && i < rows; i++) {
                Arrays.fill(to, tap * plane + i * width + columns, tap * plane + (i + 1) * width, 0f);
            }
        }
    }

    /** With weights from {@link #pack}. */
    void run(float[] u) {
        int count = tiles.count();
        if (inBlocks()) {
            WorkerPool.shared().ranges(count, count >= 16 * BLOCK ? BLOCK : BLOCK / 2, (a, b) -> block(a, b, u));
            return;
        }
        int per = perRound();
        for (int from = 0; from < count; from += per) {
            int first = from;
            int to = Math.min(count, from + per);
            positions(from, to, (v, vs, m, ms) -> {
                int panels = Panels.tileCount(mk, outC);
                WorkerPool.shared().run(36 * panels, task ->
                        multiply(task / panels, task % panels, first, to, u, v, vs, m, ms));
            });
        }
    }

    /** With weights that nobody keeps. Transformed bit by bit in the cache they never go through memory. */
    void runFresh(ConvGeometry g, float[] w, int wo) {
        int count = tiles.count();
        if (inBlocks() || perRound() < count) {
            try (Scratch u = Scratch.take(size(mk, g, backward))) {
                pack(mk, g, backward, w, wo, u.data);
                run(u.data);
            }
            return;
        }
        int panels = Panels.tileCount(mk, outC);
        // A panel's weights are read once; its halves of the positions are shared by threads only if panels are few.
        int parts = Math.clamp(2L * WorkerPool.shared().threads() / panels, 1, 2);
        positions(0, count, (v, vs, m, ms) -> WorkerPool.shared().run(panels * parts, task -> {
            int part = task % parts;
            multiplyFresh(task / parts, part * 2 / parts, (part + 1) * 2 / parts, w, wo, v, vs, m, ms);
        }));
    }

    private boolean inBlocks() {
        return tiles.count() >= FEW_TILES && inC * outC <= SMALL_WEIGHTS;
    }

    private int perRound() {
        return round(tiles.count(), SPACE_FLOATS / 36 / (inC + outC));
    }

    /** Tiles that are in work at a time when all threads share the positions: bounded memory, equal rounds. */
    static int round(int tiles, long fit) {
        int most = Math.clamp(fit, FEW_TILES, tiles + FEW_TILES);
        int rounds = Math.max(1, (tiles + most - 1) / most);
        return (tiles + rounds - 1) / rounds;
    }

    /** Stride between positions; the extra line keeps the 36 values of a channel from sharing cache sets. */
    static int stride(int tiles, int channels) {
        return tiles * channels + 16;
    }

    private void block(int from, int to, float[] u) {
        int vs = stride(to - from, inC);
        int ms = stride(to - from, ld);
        int panels = Panels.tileCount(mk, outC);
        try (Scratch v = Scratch.take(36L * vs); Scratch m = Scratch.take(36L * ms)) {
            input(from, to, v.data, Alignment.FIRST, vs);
            for (int task = 0; task < 36 * panels; task++) {
                multiply(task / panels, task % panels, from, to, u, v.data, vs, m.data, ms);
            }
            output(from, to, m.data, Alignment.FIRST, ms);
        }
    }

    /** Makes the products of all positions from the transformed images. */
    @FunctionalInterface
    private interface Products {
        void run(float[] v, int vs, float[] m, int ms);
    }

    /** Deep layers with small images: threads share the positions, so that each weight is read once. */
    private void positions(int from, int to, Products products) {
        int n = to - from;
        int vs = stride(n, inC);
        int ms = stride(n, ld);
        try (Scratch v = Scratch.take(36L * vs); Scratch m = Scratch.take(36L * ms)) {
            WorkerPool.shared().ranges(n, 4, (a, b) -> input(from + a, from + b, v.data, Alignment.FIRST + a * inC, vs));
            products.run(v.data, vs, m.data, ms);
            WorkerPool.shared().ranges(n, 4, (a, b) -> output(from + a, from + b, m.data, Alignment.FIRST + a * ld, ms));
        }
    }

    /** Panel j of the products of position e, for those of the tiles from..to that use it. */
    private void multiply(int e, int j, int from, int to, float[] u, float[] v, int vs, float[] m, int ms) {
        int first = Math.max(from, tiles.first(e));
        int rows = Math.min(to, tiles.end(e)) - first;
        if (rows <= 0) {
            return;
        }
        int column = j * Panels.tileWidth(mk);
        int width = Panels.tileWidth(mk, outC, j);
        int a = Alignment.FIRST + e * vs + (first - from) * inC;
        int b = Alignment.FIRST + e * size + column * inC;
        int c = Alignment.FIRST + e * ms + (first - from) * ld + column;
        for (int k = 0; k < inC; k += depth) {
            mk.tiles(rows, width / mk.lanes(), Math.min(depth, inC - k), v, a + k, inC, 1, u, b + k * width, width, m, c, ld,
                    k > 0);
        }
    }

    /** Panel j of the products of all positions: the same sums in the same order as {@link #multiply}. */
    private void multiplyFresh(int j, int half0, int half1, float[] w, int wo, float[] v, int vs, float[] m, int ms) {
        int column = j * Panels.tileWidth(mk);
        int width = Panels.tileWidth(mk, outC, j);
        int plane = depth * width + 16;
        try (Scratch raw = Scratch.take(9L * plane); Scratch u = Scratch.take(18L * plane);
                Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            for (int k = 0; k < inC; k += depth) {
                int rows = Math.min(depth, inC - k);
                taps(mk, backward, inC, outC, k, rows, column, width, w, wo, raw.data, plane);
                for (int half = half0; half < half1; half++) {
                    mk.winogradWeightsHalf(half, raw.data, 0, plane, rows * width, u.data, Alignment.FIRST, plane, t.data);
                    for (int e = 18 * half; e < 18 * half + 18; e++) {
                        int first = tiles.first(e);
                        int n = tiles.end(e) - first;
                        if (n > 0) {
                            mk.tiles(n, width / mk.lanes(), rows, v, Alignment.FIRST + e * vs + first * inC + k, inC, 1,
                                    u.data, Alignment.FIRST + (e - 18 * half) * plane, width, m,
                                    Alignment.FIRST + e * ms + first * ld + column, ld, k > 0);
                        }
                    }
                }
            }
        }
    }

    private void input(int from, int to, float[] v, int vo, int vs) {
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            tiles.visit(from, to, x, xo, inH, inW, inC, 2, padTop, padLeft, (tile, rows, cols, d, at, rs, cs) ->
                    mk.winogradInput(rows, cols, d, at, rs, cs, inC, v, vo + (tile - from) * inC, vs, t.data));
        }
    }

    private void output(int from, int to, float[] m, int mo, int ms) {
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            for (int tile = from; tile < to; tile++) {
                WinogradTiles.Place p = tiles.place(tile);
                int down = Math.min(p.rows(), outH - p.y());
                int across = Math.min(p.cols(), outW - p.x());
                int pixel = (p.image() * outH + p.y()) * outW + p.x();
                mk.winogradOutput(p.rows(), p.cols(), m, mo + (tile - from) * ld, ms, outC, y, yo + pixel * outC,
                        outW * outC, outC, down, across, t.data);
                if (!epilogue.none()) {
                    for (int r = 0; r < down; r++) {
                        int q = pixel + r * outW;
                        epilogue.apply(q, across, 0, outC, y, yo + q * outC, outC);
                    }
                }
            }
        }
    }
}
