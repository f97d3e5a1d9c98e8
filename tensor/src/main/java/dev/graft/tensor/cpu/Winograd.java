package dev.graft.tensor.cpu;

/**
 * Winograd convolution F(4x4,3x3) for stride 1 (Lavin and Gray, 2015): a tile of 4x4 results takes 36 products per pair
 * of channels instead of 144. The products of a position of the 6x6 tile, over all tiles and channels, are a matrix
 * product. Rounding error is about 6e-6 of the largest result.
 */
final class Winograd {
    /** Up to this many weights per position, all positions of a block of tiles are done at once by one thread. */
    private static final int SMALL_WEIGHTS = 128 * 128;
    private static final int FEW_TILES = 96;
    private static final int BLOCK = 24;
    private static final long SPACE_FLOATS = 6L << 20;

    /** For those who want the last digit: {@code -Dgraft.winograd=false} sums directly. */
    private static final boolean ALLOWED = !System.getProperty("graft.winograd", "true").equalsIgnoreCase("false");

    private final MicroKernels mk;
    private final WinogradTiles tiles;
    private final int inC, outH, outW, outC, size;
    private final float[] x, u, y;
    private final int xo, yo;
    private final Epilogue epilogue;

    private Winograd(MicroKernels mk, int batch, int inH, int inW, int inC, int outH, int outW, int outC, int padTop,
            int padLeft, float[] x, int xo, float[] u, float[] y, int yo, Epilogue epilogue) {
        this.mk = mk;
        this.inC = inC;
        this.outH = outH;
        this.outW = outW;
        this.outC = outC;
        this.x = x;
        this.xo = xo;
        this.u = u;
        this.y = y;
        this.yo = yo;
        this.epilogue = epilogue;
        tiles = new WinogradTiles(batch, inH, inW, inC, (outH + 3) / 4, (outW + 3) / 4, 6, padTop, padLeft);
        size = (int) Panels.size(mk, inC, outC);
    }

    /** Whether this is possible and, with the cost of transforming the weights unless they are kept, faster. */
    static boolean pays(ConvGeometry g, boolean backward, boolean keep) {
        if (!ALLOWED || g.kH() != 3 || g.kW() != 3 || g.strideH() != 1 || g.strideW() != 1
                || g.dilationH() != 1 || g.dilationW() != 1 || g.groups() != 1 || g.inC() < 16 || g.outC() < 16) {
            return false;
        }
        int h = backward ? g.inH() : g.outH();
        int w = backward ? g.inW() : g.outW();
        long tiles = (long) g.batch() * ((h + 3) / 4) * ((w + 3) / 4);
        boolean filled = 2L * h * w >= (h + 3L) / 4 * ((w + 3) / 4) * 16; // tiles that are half empty gain nothing
        return filled && (keep || tiles >= 24) && 36L * g.inC() * g.outC() * 2 < Integer.MAX_VALUE;
    }

    /** Transformed weights: 36 packed operands [inC][outC], for the data gradient [outC][inC] of the rotated kernel. */
    static void pack(MicroKernels mk, ConvGeometry g, boolean backward, float[] w, int wo, float[] to) {
        int k = backward ? g.outC() : g.inC();
        int n = backward ? g.inC() : g.outC();
        int size = (int) Panels.size(mk, k, n);
        int depth = 32;
        int pieces = (k + depth - 1) / depth;
        WorkerPool.shared().run(Panels.count(mk, n) * pieces, task -> {
            int j = task / pieces;
            int k0 = task % pieces * depth;
            int rows = Math.min(depth, k - k0);
            int column = j * Panels.width(mk);
            int width = Panels.width(mk, n, j);
            int columns = Math.min(width, n - column);
            int plane = rows * width;
            try (Scratch s = Scratch.take(9L * plane); Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
                for (int tap = 0; tap < 9; tap++) {
                    int from = wo + (backward ? (k0 * 9 + 8 - tap) * n + column : (column * 9 + tap) * k + k0);
                    Panels.pack(rows, columns, width, w, from, backward ? 9 * n : 1, backward ? 1 : 9 * k,
                            s.data, tap * plane);
                }
                mk.winogradWeights(s.data, 0, plane, plane, to, column * k + k0 * width, size, t.data);
            }
        });
    }

    static void run(MicroKernels mk, int batch, int inH, int inW, int inC, int outH, int outW, int outC, int padTop,
            int padLeft, float[] x, int xo, float[] u, float[] y, int yo, Epilogue epilogue) {
        new Winograd(mk, batch, inH, inW, inC, outH, outW, outC, padTop, padLeft, x, xo, u, y, yo, epilogue).run();
    }

    private void run() {
        int count = tiles.count();
        if (count >= FEW_TILES && inC * outC <= SMALL_WEIGHTS) {
            WorkerPool.shared().ranges(count, count >= 16 * BLOCK ? BLOCK : BLOCK / 2, this::block);
            return;
        }
        int per = round(count, SPACE_FLOATS / 36 / (inC + outC));
        for (int from = 0; from < count; from += per) {
            positions(from, Math.min(count, from + per));
        }
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

    private void block(int from, int to) {
        int n = to - from;
        int vs = stride(n, inC);
        int ms = stride(n, outC);
        try (Scratch v = Scratch.take(36L * vs); Scratch m = Scratch.take(36L * ms)) {
            input(from, to, v.data, 0, vs);
            for (int e = 0; e < 36; e++) {
                Panels.multiply(mk, n, outC, inC, 0, Panels.count(mk, outC), v.data, e * vs, inC, 1, u, e * size,
                        m.data, e * ms, outC, false);
            }
            output(from, to, m.data, 0, ms);
        }
    }

    /** Deep layers with small images: threads share the positions, so that each weight is read once. */
    private void positions(int from, int to) {
        int n = to - from;
        int vs = stride(n, inC);
        int ms = stride(n, outC);
        int panels = Panels.count(mk, outC);
        try (Scratch vSpace = Scratch.take(36L * vs); Scratch mSpace = Scratch.take(36L * ms)) {
            float[] v = vSpace.data;
            float[] m = mSpace.data;
            WorkerPool pool = WorkerPool.shared();
            pool.ranges(n, 4, (a, b) -> input(from + a, from + b, v, a * inC, vs));
            pool.run(36 * panels, task -> {
                int e = task / panels;
                int j = task % panels;
                Panels.multiply(mk, n, outC, inC, j, j + 1, v, e * vs, inC, 1, u, e * size, m, e * ms, outC, false);
            });
            pool.ranges(n, 4, (a, b) -> output(from + a, from + b, m, a * outC, ms));
        }
    }

    private void input(int from, int to, float[] v, int vo, int vs) {
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            tiles.visit(from, to, x, xo, (tile, d, at, rs, cs) ->
                    mk.winogradInput(d, at, rs, cs, inC, v, vo + (tile - from) * inC, vs, t.data));
        }
    }

    private void output(int from, int to, float[] m, int mo, int ms) {
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            for (int tile = from; tile < to; tile++) {
                int image = tile / (tiles.down() * tiles.across());
                int oy = tile / tiles.across() % tiles.down() * 4;
                int ox = tile % tiles.across() * 4;
                int rows = Math.min(4, outH - oy);
                int cols = Math.min(4, outW - ox);
                int pixel = (image * outH + oy) * outW + ox;
                mk.winogradOutput(m, mo + (tile - from) * outC, ms, outC, y, yo + pixel * outC, outW * outC, outC,
                        rows, cols, t.data);
                if (!epilogue.none()) {
                    for (int r = 0; r < rows; r++) {
                        int p = pixel + r * outW;
                        epilogue.apply(p, cols, 0, outC, y, yo + p * outC, outC);
                    }
                }
            }
        }
    }
}
