package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * Convolution of images with so few channels that a row of the window is short, such as a network's first layer: 7x7 with
 * stride 2 over 3 channels. A block of rows is copied with its padding. For the result its windows are joined by whole
 * vectors, and the product sums over all of a window at once; with 3 channels and stride 2 they are read where they lie.
 * For the weight gradient they are not even made: the values of a row of windows, one row of the kernel at a time, and the
 * gradients of the results are read where they lie.
 */
final class StemConvolution {
    private static final int SHORT = 48;
    private static final int MOST = 512;
    private static final int PIXELS = 192;
    private static final int MORE_PIXELS = 900; // of a block whose windows are not copied
    private static final int PARTS = 16;

    private final MicroKernels mk;
    private final ConvGeometry g;
    private final float[] x;
    private final int xo, run, depth, pitch, rows, blocks;

    private StemConvolution(MicroKernels mk, ConvGeometry g, float[] x, int xo, int pixels) {
        this.mk = mk;
        this.g = g;
        this.x = x;
        this.xo = xo;
        run = g.kW() * g.inC();
        depth = g.kH() * run;
        pitch = ((g.outW() - 1) * g.strideW() + g.kW()) * g.inC();
        rows = Math.clamp(pixels / g.outW(), 1, g.outH());
        blocks = (g.outH() + rows - 1) / rows;
    }

    static boolean serves(MicroKernels mk, ConvGeometry g) {
        return g.groups() == 1 && g.dilationW() == 1 && g.kW() * g.inC() < SHORT && g.kH() > 1
                && g.taps() * g.inC() <= MOST && g.outC() % mk.lanes() == 0;
    }

    /** With weights that {@link DirectConvolution} packed. */
    static void forward(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] packed, float[] y, int yo, Epilogue e) {
        boolean inPlace = mk.vectors() && g.outW() >= StemTiles.FEWEST && g.strideW() * g.inC() == 6;
        StemConvolution s = new StemConvolution(mk, g, x, xo, inPlace ? MORE_PIXELS : PIXELS);
        int[] at = s.places();
        WorkerPool.shared().run(g.batch() * s.blocks, block -> {
            if (inPlace) {
                s.forward(block, at, packed, y, yo, e);
            } else {
                s.forward(block, packed, y, yo, e);
            }
        });
    }

    /** Where the values of a window lie in a copy of rows, from its first one. */
    private int[] places() {
        int[] at = new int[depth];
        for (int i = 0; i < depth; i++) {
            at[i] = i / run * g.dilationH() * pitch + i % run;
        }
        return at;
    }

    private void forward(int block, int[] at, float[] packed, float[] y, int yo, Epilogue e) {
        int oy = block % blocks * rows;
        int count = Math.min(g.outH(), oy + rows) - oy;
        try (Scratch image = copy(block)) {
            for (int r = 0; r < count; r++) {
                int first = ((block / blocks * g.outH()) + oy + r) * g.outW();
                int to = yo + first * g.outC();
                for (int column = 0; column < g.outC(); column += Panels.width(mk)) {
                    int vectors = Math.min(Panels.width(mk), g.outC() - column) / mk.lanes();
                    StemTiles.row(vectors, g.outW(), depth, image.data, r * g.strideH() * pitch, at, 0,
                            packed, Alignment.FIRST + column * depth, y, to + column, g.outC(), false);
                }
                e.apply(first, g.outW(), 0, g.outC(), y, to, g.outC());
            }
        }
    }

    private void forward(int block, float[] packed, float[] y, int yo, Epilogue e) {
        int oy = block % blocks * rows;
        int count = Math.min(g.outH(), oy + rows) - oy;
        int pixels = count * g.outW();
        try (Scratch image = copy(block); Scratch windows = Scratch.take((long) pixels * depth + 2 * mk.lanes())) {
            for (int r = 0; r < count; r++) {
                mk.windows(g.outW(), g.kH(), run, image.data, r * g.strideH() * pitch, g.strideW() * g.inC(),
                        g.dilationH() * pitch, windows.data, r * g.outW() * depth);
            }
            int first = (block / blocks * g.outH() + oy) * g.outW();
            int at = yo + first * g.outC();
            Panels.multiply(mk, pixels, g.outC(), depth, 0, Panels.count(mk, g.outC()), windows.data, 0, depth, 1, packed,
                    Alignment.FIRST, y, at, g.outC(), false);
            e.apply(first, pixels, 0, g.outC(), y, at, g.outC());
        }
    }

    static void backwardWeights(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw,
            int dwo) {
        StemConvolution s = new StemConvolution(mk, g, x, xo, PIXELS);
        int size = s.depth * g.outC();
        int all = g.batch() * s.blocks;
        int parts = Math.min(PARTS, all); // each sums for itself; they are added in order
        try (Scratch sums = Scratch.take((long) parts * size)) {
            float[] sum = sums.data;
            WorkerPool.shared().run(parts, p -> {
                Arrays.fill(sum, p * size, (p + 1) * size, 0f);
                for (int block = (int) ((long) all * p / parts); block < (int) (all * (p + 1L) / parts); block++) {
                    s.backwardWeights(block, dy, dyo, sum, p * size);
                }
            });
            for (int p = 1; p < parts; p++) {
                for (int i = 0; i < size; i++) {
                    sum[i] += sum[p * size + i];
                }
            }
            mk.transpose(s.depth, g.outC(), sum, 0, g.outC(), dw, dwo, s.depth);
        }
    }

    private void backwardWeights(int block, float[] dy, int dyo, float[] sum, int at) {
        int oy = block % blocks * rows;
        int end = Math.min(g.outH(), oy + rows);
        int o = g.outC();
        try (Scratch image = copy(block)) {
            for (int r = oy; r < end; r++) {
                int from = dyo + (block / blocks * g.outH() + r) * g.outW() * o;
                for (int ky = 0; ky < g.kH(); ky++) {
                    int a = ((r - oy) * g.strideH() + ky * g.dilationH()) * pitch;
                    for (int j = 0; j < Panels.tileCount(mk, o); j++) {
                        int column = j * Panels.tileWidth(mk);
                        mk.tiles(run, Panels.tileWidth(mk, o, j) / mk.lanes(), g.outW(), image.data, a, 1,
                                g.strideW() * g.inC(), dy, from + column, o, sum, at + ky * run * o + column, o, true);
                    }
                }
            }
        }
    }

    /** The rows of the image that a block of output rows reads, with zeros where there is none. */
    private Scratch copy(int block) {
        int oy = block % blocks * rows;
        int c = g.inC();
        int down = (Math.min(g.outH(), oy + rows) - oy - 1) * g.strideH() + (g.kH() - 1) * g.dilationH() + 1;
        int lo = Math.min(g.padLeft() * c, pitch);
        int hi = Math.max(lo, Math.min(pitch, (g.inW() + g.padLeft()) * c));
        Scratch copy = Scratch.take((long) down * pitch + 2 * mk.lanes());
        float[] to = copy.data;
        for (int r = 0; r < down; r++) {
            int iy = oy * g.strideH() - g.padTop() + r;
            int at = r * pitch;
            if (iy < 0 || iy >= g.inH()) {
                Arrays.fill(to, at, at + pitch, 0f);
                continue;
            }
            Arrays.fill(to, at, at + lo, 0f);
            System.arraycopy(x, xo + (block / blocks * g.inH() + iy) * g.inW() * c, to, at + lo, hi - lo);
            Arrays.fill(to, at + hi, at + pitch, 0f);
        }
        return copy;
    }
}
