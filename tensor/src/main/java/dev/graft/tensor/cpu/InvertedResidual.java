package dev.graft.tensor.cpu;

/**
 * Expansion, depthwise convolution and projection a band of rows at a time: the expanded image, by far the largest tensor
 * of the three, exists only as a band in the cache of the core that works on it. Rows that two bands need are computed
 * twice.
 */
final class InvertedResidual {
    /** Floats of a band before and after the depthwise convolution, about half of a core's second-level cache. */
    private static final int BAND_FLOATS = 1 << 18;
    /** Pixels of a product whose result gets its bias and activation next. */
    private static final int PIXELS = 144; // some ten register tiles
    /** Images that are small enough make a task together, but so many tasks are left. */
    private static final int TASKS = 8;

    private InvertedResidual() {}

    /** Whether {@link #run} computes this depthwise convolution. */
    static boolean fits(MicroKernels mk, ConvGeometry depthwise) {
        return mk.vectors() && depthwise.depthwise() && SlidingDepthwise.forwardFits(depthwise);
    }

    /** A pointwise convolution: packed weights and what follows. */
    record Product(PackedWeights w, Epilogue then) {
        int in() {
            return w.geometry.inC();
        }

        int out() {
            return w.geometry.outC();
        }

        /** {@code pixels} pixels from a to c; {@code row} is the first one's number for the residual. */
        void run(MicroKernels mk, int row, int pixels, float[] a, int ao, float[] c, int co) {
            int width = Panels.productWidth(mk, in(), out());
            int panels = (out() + width - 1) / width;
            for (int p = 0; p < pixels; p += PIXELS) {
                int n = Math.min(PIXELS, pixels - p);
                Panels.multiply(mk, width, row + p, n, out(), in(), 0, panels, a, ao + p * in(), in(), 1, w.data,
                        Alignment.FIRST, c, co + p * out(), out(), false, then);
            }
        }
    }

    /** @param g that of the depthwise convolution */
    static void run(MicroKernels mk, ConvGeometry g, Product expand, float[] depthwise, Epilogue then, Product project,
            float[] x, int xo, float[] y, int yo) {
        int wide = g.inW() * g.inC();
        int narrow = g.outW() * g.outC();
        int fit = Math.max(2, (int) ((BAND_FLOATS - 2L * wide) / ((long) g.strideH() * wide + narrow))); // rows of results
        int parts = (g.outH() - 1) / fit + 1;
        int per = ((g.outH() - 1) / parts + 2) / 2 * 2; // the depthwise kernel takes rows in pairs
        int bands = (g.outH() - 1) / per + 1;
        int group = bands > 1 ? 1 : Math.clamp(fit / g.outH(), 1, Math.max(1, g.batch() / TASKS));
        SlidingDepthwise.Rows middle = SlidingDepthwise.Rows.of(g, depthwise, then);
        WorkerPool.shared().run((g.batch() + group - 1) / group * bands, task -> {
            int image = task / bands * group;
            int images = Math.min(group, g.batch() - image);
            int from = task % bands * per;
            int to = Math.min(g.outH(), from + per);
            int first = Math.clamp(from * g.strideH() - g.padTop(), 0, g.inH());
            int end = Math.clamp((to - 1) * g.strideH() - g.padTop() + g.kH(), first, g.inH());
            int height = end - first;
            try (Scratch a = Scratch.take((long) images * height * wide);
                    Scratch b = Scratch.take((long) images * (to - from) * narrow)) {
                int pixel = (image * g.inH() + first) * g.inW();
                expand.run(mk, pixel, images * height * g.inW(), x, xo + pixel * expand.in(), a.data, 0);
                for (int i = 0; i < images; i++) {
                    middle.rows(a.data, i * height * wide, first, end, from, to, then, b.data, i * (to - from) * narrow);
                }
                int out = (image * g.outH() + from) * g.outW();
                project.run(mk, out, images * (to - from) * g.outW(), b.data, 0, y, yo + out * project.out());
            }
        });
    }
}
