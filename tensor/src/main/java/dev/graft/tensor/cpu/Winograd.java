package dev.graft.tensor.cpu;

import java.util.Arrays;

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
    private final int batch, inH, inW, inC, outH, outW, outC, padTop, padLeft;
    private final float[] x, u, y;
    private final int xo, yo;
    private final Epilogue epilogue;
    private final int tilesDown, tilesAcross, size;

    private Winograd(MicroKernels mk, int batch, int inH, int inW, int inC, int outH, int outW, int outC, int padTop,
            int padLeft, float[] x, int xo, float[] u, float[] y, int yo, Epilogue epilogue) {
        this.mk = mk;
        this.batch = batch;
        this.inH = inH;
        this.inW = inW;
        this.inC = inC;
        this.outH = outH;
        this.outW = outW;
        this.outC = outC;
        this.padTop = padTop;
        this.padLeft = padLeft;
        this.x = x;
        this.xo = xo;
        this.u = u;
        this.y = y;
        this.yo = yo;
        this.epilogue = epilogue;
        tilesDown = (outH + 3) / 4;
        tilesAcross = (outW + 3) / 4;
        size = (int) Panels.size(mk, inC, outC);
    }

    /** Whether this is possible and, with the cost of transforming the weights unless they are kept, faster. */
    static boolean pays(ConvGeometry g, boolean backward, boolean keep) {
        if (!ALLOWED || g.kH() != 3 || g.kW() != 3 || g.strideH() != 1 || g.strideW() != 1 || g.dilationH() != 1 || g.dilationW() != 1
                || g.groups() != 1 || g.inC() < 16 || g.outC() < 16) {
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
        int tiles = batch * tilesDown * tilesAcross;
        if (tiles >= FEW_TILES && inC * outC <= SMALL_WEIGHTS) {
            WorkerPool.shared().ranges(tiles, tiles >= 16 * BLOCK ? BLOCK : BLOCK / 2, this::block);
            return;
        }
        int most = Math.clamp(SPACE_FLOATS / 36 / (inC + outC), FEW_TILES, tiles + FEW_TILES);
        int rounds = (tiles + most - 1) / most;
        int per = (tiles + rounds - 1) / rounds;
        for (int from = 0; from < tiles; from += per) {
            positions(from, Math.min(tiles, from + per));
        }
    }

    /** Stride between positions; the extra line keeps the 36 values of a channel from sharing cache sets. */
    private static int stride(int tiles, int channels) {
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
        try (Scratch patch = Scratch.take(36L * inC); Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            for (int tile = from; tile < to; tile++) {
                int image = tile / (tilesDown * tilesAcross);
                int iy = tile / tilesAcross % tilesDown * 4 - padTop;
                int ix = tile % tilesAcross * 4 - padLeft;
                int at = vo + (tile - from) * inC;
                int origin = xo + ((image * inH + iy) * inW + ix) * inC;
                if (iy >= 0 && ix >= 0 && iy + 6 <= inH && ix + 6 <= inW) {
                    mk.winogradInput(x, origin, inW * inC, inC, inC, v, at, vs, t.data);
                } else {
                    int lo = Math.clamp(-ix, 0, 6) * inC;
                    int hi = Math.max(lo, Math.clamp(inW - ix, 0, 6) * inC);
                    for (int r = 0; r < 6; r++) {
                        int row = r * 6 * inC;
                        if (iy + r < 0 || iy + r >= inH || lo == hi) {
                            Arrays.fill(patch.data, row, row + 6 * inC, 0f);
                            continue;
                        }
                        Arrays.fill(patch.data, row, row + lo, 0f);
                        System.arraycopy(x, origin + r * inW * inC + lo, patch.data, row + lo, hi - lo);
                        Arrays.fill(patch.data, row + hi, row + 6 * inC, 0f);
                    }
                    mk.winogradInput(patch.data, 0, 6 * inC, inC, inC, v, at, vs, t.data);
                }
            }
        }
    }

    private void output(int from, int to, float[] m, int mo, int ms) {
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            for (int tile = from; tile < to; tile++) {
                int image = tile / (tilesDown * tilesAcross);
                int oy = tile / tilesAcross % tilesDown * 4;
                int ox = tile % tilesAcross * 4;
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
