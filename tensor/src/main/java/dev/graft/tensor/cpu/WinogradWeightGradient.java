package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * The weight gradient of a 3x3 convolution in the space of Winograd F(4x4,3x3): the adjoint of {@link Winograd}. With
 * V = B'dB of the input tiles and Y = A dy A' of the tiles of the output gradient, position e of the transformed weights
 * has the gradient sum over tiles of Y[e]' V[e]: a matrix product with a quarter of the multiplications of the direct
 * sum. G' . G brings the 36 positions back to 9 taps. A task owns some output channels and a panel of input channels: its 36
 * sums stay in the cache until they are brought back.
 */
final class WinogradWeightGradient {
    private static final int DEPTH = 160;
    private static final int ROWS = 64;
    private static final int FEW_WEIGHTS = 64 * 64;
    private static final int PARTS = 8;
    private static final int BLOCK = 48;    // tiles whose transforms stay in L2, for 64 channels, beside their sums
    private static final long SPACE_FLOATS = 6L << 20;
    private static final long MOST_WEIGHTS = 16L << 20; // their sums are kept while rounds of tiles go by
    /** What transforming a value, and bringing a sum back, cost in multiply-adds. */
    private static final int VALUE = 24, SUM = 16;

    private final MicroKernels mk;
    private final ConvGeometry g;
    private final WinogradTiles tiles;
    private final int c, o;
    private final float[] x, dy, dw;
    private final int xo, dyo, dwo;

    private WinogradWeightGradient(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw,
            int dwo) {
        this.mk = mk;
        this.g = g;
        c = g.inC();
        o = g.outC();
        this.x = x;
        this.xo = xo;
        this.dy = dy;
        this.dyo = dyo;
        this.dw = dw;
        this.dwo = dwo;
        tiles = new WinogradTiles(g.batch(), g.outH(), g.outW());
    }

    /** Whether this is possible and faster than the direct sum. */
    static boolean pays(ConvGeometry g) {
        // With 16 channels the transforms cost more than the products they save.
        return Winograd.possible(g) && Math.min(g.inC(), g.outC()) >= 32 && 36L * g.inC() * g.outC() < MOST_WEIGHTS
                && Winograd.cost(g.batch(), g.outH(), g.outW(), g.inC(), g.outC(), VALUE, VALUE, SUM)
                < Winograd.direct(g.batch(), g.outH(), g.outW(), g.inC(), g.outC());
    }

    static void run(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw, int dwo) {
        new WinogradWeightGradient(mk, g, x, xo, dy, dyo, dw, dwo).run();
    }

    /** Few channels: every task transforms some tiles in its cache and sums them for itself. */
    private void parts() {
        int count = tiles.count();
        int parts = Math.clamp(count / BLOCK, 1, PARTS);
        int width = Panels.tileWidth(mk);
        int panels = Panels.tileCount(mk, c);
        int plane = o * width + 16;
        int size = 36 * plane * panels;
        try (Scratch sums = Scratch.take((long) parts * size)) {
            WorkerPool.shared().run(parts, part -> {
                int begin = (int) ((long) count * part / parts);
                int end = (int) ((long) count * (part + 1) / parts);
                int per = Winograd.round(end - begin, BLOCK);
                int vs = Winograd.stride(per, c);
                int ys = Winograd.stride(per, o);
                try (Scratch v = Scratch.take(36L * vs + mk.lanes()); Scratch y = Scratch.take(36L * ys)) {
                    for (int from = begin; from < end; from += per) {
                        int to = Math.min(end, from + per);
                        transform(from, to, v.data, Alignment.FIRST, vs, y.data, 0, ys);
                        for (int j = 0; j < panels; j++) {
                            for (int e = 0; e < 36; e++) {
                                multiply(e, begin, from, to, 0, o, j * width, v.data, vs, y.data, ys, sums.data,
                                        Alignment.FIRST + part * size + (j * 36 + e) * plane);
                            }
                        }
                    }
                }
            });
            int chunk = Math.max(1, 1024 / c);
            WorkerPool.shared().ranges(o, chunk, (a, b) -> {
                for (int j = 0; j < panels; j++) {
                    for (int e = 0; e < 36; e++) {
                        int at = Alignment.FIRST + (j * 36 + e) * plane + a * width;
                        for (int part = 1; part < parts; part++) {
                            add((b - a) * width, sums.data, at + part * size, sums.data, at);
                        }
                    }
                    back(a, b - a, j * width, sums.data, Alignment.FIRST + j * 36 * plane + a * width, plane);
                }
            });
        }
    }

    private static void add(int n, float[] x, int xo, float[] to, int at) {
        for (int i = 0; i < n; i++) {
            to[at + i] += x[xo + i];
        }
    }

    private void run() {
        int count = tiles.count();
        if (c * o <= FEW_WEIGHTS) {
            parts();
            return;
        }
        int per = Winograd.round(count, SPACE_FLOATS / 36 / (c + o));
        boolean once = per >= count;
        int vs = Winograd.stride(per, c);
        int ys = Winograd.stride(per, o);
        int panels = Panels.tileCount(mk, c);
        int blocks = (o + ROWS - 1) / ROWS;
        int width = Panels.tileWidth(mk);
        int plane = ROWS * width + 16;
        // A row of V ends inside a vector when the channels do: what lies behind it only reaches columns nobody reads.
        try (Scratch v = Scratch.take(36L * vs + mk.lanes()); Scratch y = Scratch.take(36L * ys);
                Scratch sums = Scratch.take(once ? 1 : 36L * plane * panels * blocks)) {
            WorkerPool pool = WorkerPool.shared();
            for (int from = 0; from < count; from += per) {
                int first = from;
                int to = Math.min(count, from + per);
                pool.ranges(to - from, 4, (a, b) ->
                        transform(first + a, first + b, v.data, Alignment.FIRST + a * c, vs, y.data,
                                a * o, ys));
                pool.run(panels * blocks, task -> {
                    int row = task / panels * ROWS;
                    int rows = Math.min(ROWS, o - row);
                    int column = task % panels * width;
                    try (Scratch own = Scratch.take(once ? 36L * plane : 1)) {
                        float[] u = once ? own.data : sums.data;
                        int at = Alignment.FIRST + (once ? 0 : 36 * plane * task);
                        for (int e = 0; e < 36; e++) {
                            multiply(e, 0, first, to, row, rows, column, v.data, vs, y.data, ys, u, at + e * plane);
                        }
                        if (to == count) {
                            back(row, rows, column, u, at, plane);
                        }
                    }
                });
            }
        }
    }

    private void transform(int from, int to, float[] v, int vo, int vs, float[] y, int yo, int ys) {
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            tiles.visit(from, to, x, xo, g.inH(), g.inW(), c, 2, g.padTop(), g.padLeft(),
                    (tile, rows, cols, d, at, rs, cs) ->
                            mk.winogradInput(rows, cols, d, at, rs, cs, c, v, vo + (tile - from) * c, vs, t.data));
            tiles.visit(from, to, dy, dyo, g.outH(), g.outW(), o, 0, 0, 0, (tile, rows, cols, d, at, rs, cs) ->
                    mk.winogradOutputGradient(rows, cols, d, at, rs, cs, o, y, yo + (tile - from) * o, ys, t.data));
        }
    }

    /** Adds the tiles from..to to the sums of position e, which hold those from {@code begin} on. */
    private void multiply(int e, int begin, int from, int to, int row, int rows, int column, float[] v, int vs, float[] y,
            int ys, float[] u, int at) {
        int first = Math.max(from, tiles.first(e));
        int n = Math.min(to, tiles.end(e)) - first;
        int width = Panels.tileWidth(mk);
        int vectors = Panels.tileWidth(mk, c, column / width) / mk.lanes();
        boolean begun = Math.max(begin, tiles.first(e)) < Math.min(from, tiles.end(e));
        if (n <= 0 && from == begin) { // the sum may stay empty
            Arrays.fill(u, at, at + rows * width, 0f);
        }
        for (int k = 0; k < n; k += DEPTH) {
            int q = first - from + k;
            mk.tiles(rows, vectors, Math.min(DEPTH, n - k), y, e * ys + q * o + row, 1, o,
                    v, Alignment.FIRST + e * vs + q * c + column, c, u, at, width, begun || k > 0);
        }
    }

    private void back(int row, int rows, int column, float[] u, int at, int plane) {
        int width = Panels.tileWidth(mk);
        int columns = Math.min(width, c - column);
        try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
            for (int i = 0; i < rows; i++) {
                int to = dwo + (row + i) * 9 * c + column;
                mk.winogradWeightGradient(u, at + i * width, plane, columns, dw, to, c, t.data);
            }
        }
    }
}
