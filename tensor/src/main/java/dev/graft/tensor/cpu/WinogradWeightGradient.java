package dev.graft.tensor.cpu;

/**
 * The weight gradient of a 3x3 convolution in the space of Winograd F(4x4,3x3): the adjoint of {@link Winograd}. With
 * V = B'dB of the input tiles and Y = A dy A' of the tiles of the output gradient, position e of the transformed weights
 * has the gradient sum over tiles of Y[e]' V[e]: a matrix product with a quarter of the multiplications of the direct
 * sum. G' . G brings the 36 positions back to 9 taps.
 */
final class WinogradWeightGradient {
    private static final int DEPTH = 160;
    private static final long SPACE_FLOATS = 2L << 20; // both sides of the product should stay in the last cache

    private WinogradWeightGradient() {}

    static boolean pays(ConvGeometry g) {
        // With 16 channels the transforms cost more than the products they save.
        return Winograd.pays(g, false, false) && Math.min(g.inC(), g.outC()) >= 32
                && 36L * g.inC() * g.outC() < 16L << 20;
    }

    static void run(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw, int dwo) {
        int c = g.inC();
        int o = g.outC();
        int down = (g.outH() + 3) / 4;
        int across = (g.outW() + 3) / 4;
        WinogradTiles in = new WinogradTiles(g.batch(), g.inH(), g.inW(), c, down, across, 6, g.padTop(), g.padLeft());
        WinogradTiles out = new WinogradTiles(g.batch(), g.outH(), g.outW(), o, down, across, 4, 0, 0);
        int ld = Panels.padded(mk, c);
        int us = o * ld + 16;
        int tiles = in.count();
        int per = Winograd.round(tiles, SPACE_FLOATS / 36 / (c + o));
        int vs = Winograd.stride(per, c);
        int ys = Winograd.stride(per, o);
        // A row of V ends inside a vector when the channels do: what lies behind it only reaches columns nobody reads.
        try (Scratch vSpace = Scratch.take(36L * vs + mk.lanes()); Scratch ySpace = Scratch.take(36L * ys);
                Scratch uSpace = Scratch.take(36L * us)) {
            float[] v = vSpace.data;
            float[] y = ySpace.data;
            float[] u = uSpace.data;
            WorkerPool pool = WorkerPool.shared();
            for (int from = 0; from < tiles; from += per) {
                int first = from;
                int n = Math.min(per, tiles - from);
                pool.ranges(n, 4, (a, b) -> {
                    try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
                        in.visit(first + a, first + b, x, xo, (tile, d, at, rs, cs) ->
                                mk.winogradInput(d, at, rs, cs, c, v, (tile - first) * c, vs, t.data));
                        out.visit(first + a, first + b, dy, dyo, (tile, d, at, rs, cs) ->
                                mk.winogradOutputGradient(d, at, rs, cs, o, y, (tile - first) * o, ys, t.data));
                    }
                });
                int panels = Panels.count(mk, c);
                pool.run(36 * panels, task -> {
                    int e = task / panels;
                    int column = task % panels * Panels.width(mk);
                    int vectors = Math.min(mk.panelVectors(), (ld - column) / mk.lanes());
                    for (int k = 0; k < n; k += DEPTH) {
                        mk.tiles(o, vectors, Math.min(DEPTH, n - k), y, e * ys + k * o, 1, o, v, e * vs + k * c + column, c,
                                u, e * us + column, ld, first > 0 || k > 0);
                    }
                });
            }
            pool.ranges(o, Math.max(1, (1 << 11) / c), (a, b) -> {
                try (Scratch t = Scratch.take(MicroKernels.WINOGRAD_SPACE)) {
                    for (int i = a; i < b; i++) {
                        mk.winogradWeightGradient(u, i * ld, us, c, dw, dwo + i * 9 * c, c, t.data);
                    }
                }
            });
        }
    }
}
