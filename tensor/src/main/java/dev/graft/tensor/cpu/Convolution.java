package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.HostStorage;
import dev.graft.tensor.cpu.PackedWeights.Form;
import java.util.Arrays;

/**
 * Two-dimensional convolution, its data gradient and its weight gradient on contiguous {@code float[]} with offsets:
 * x [N, H, W, C], w [O, kH, kW, C/groups], y [N, Ho, Wo, O]. Results overwrite their target; sums are taken in an order
 * that depends on the geometry only. Any number of threads may call at the same time.
 */
final class Convolution {
    /** Pixels from which on their operands are packed in the cache by the task that sums over them. */
    private static final int LONG = 512;
    /** Rows of a product below which its tiles would be nearly empty. */
    private static final int FEW = 8;

    private Convolution() {}

    /** y = epilogue(conv(x, w)). */
    public static void forward(ConvGeometry g, float[] x, int xo, float[] w, int wo, float[] y, int yo, Epilogue epilogue) {
        forward(CpuFeatures.kernels(), g, x, xo, w, wo, y, yo, epilogue);
    }

    static void forward(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] w, int wo, float[] y, int yo,
            Epilogue epilogue) {
        check("w", w, wo, g.weightSize());
        Form form = form(g, false);
        if (form == Form.WINOGRAD && g.batch() > 0) {
            check("x", x, xo, g.inSize());
            check("y", y, yo, g.outSize());
            new Winograd(mk, g, false, x, xo, y, yo, epilogue).runFresh(g, w, wo);
            return;
        }
        try (Scratch space = Scratch.take(size(mk, g, form, false))) {
            pack(mk, g, form, false, w, wo, space.data);
            forward(g, x, xo, new PackedWeights(g, form, false, mk, space.data), y, yo, epilogue);
        }
    }

    /** y = epilogue(conv(x, w)) with weights from {@link #packForward}. */
    public static void forward(ConvGeometry g, float[] x, int xo, PackedWeights w, float[] y, int yo, Epilogue epilogue) {
        w.checkFits(g, false);
        check("x", x, xo, g.inSize());
        check("y", y, yo, g.outSize());
        if (g.batch() == 0) {
            return;
        }
        MicroKernels mk = w.kernels;
        switch (w.form) {
            case POINTWISE -> Gemm.multiplyPacked(mk, Panels.productWidth(mk, g.inC(), g.outC()),
                    g.batch() * g.inH() * g.inW(), g.outC(), g.inC(), x, xo, g.inC(), 1, w.data, Alignment.FIRST, y, yo,
                    g.outC(), false, epilogue);
            case DIRECT -> DirectConvolution.forward(mk, g, x, xo, w.data, y, yo, epilogue);
            case WINOGRAD -> new Winograd(mk, g, false, x, xo, y, yo, epilogue).run(w.data);
            case DEPTHWISE -> DepthwiseConvolution.forward(mk, g, x, xo, w.data, y, yo, epilogue);
        }
    }

    /** dx = the gradient of the input, from dy [N, Ho, Wo, O]. */
    public static void backwardData(ConvGeometry g, float[] dy, int dyo, float[] w, int wo, float[] dx, int dxo) {
        backwardData(CpuFeatures.kernels(), g, dy, dyo, w, wo, dx, dxo);
    }

    static void backwardData(MicroKernels mk, ConvGeometry g, float[] dy, int dyo, float[] w, int wo, float[] dx, int dxo) {
        check("w", w, wo, g.weightSize());
        Form form = form(g, true);
        if (form == Form.WINOGRAD && g.batch() > 0) {
            check("dy", dy, dyo, g.outSize());
            check("dx", dx, dxo, g.inSize());
            new Winograd(mk, g, true, dy, dyo, dx, dxo, Epilogue.NONE).runFresh(g, w, wo);
            return;
        }
        try (Scratch space = Scratch.take(size(mk, g, form, true))) {
            pack(mk, g, form, true, w, wo, space.data);
            backwardData(g, dy, dyo, new PackedWeights(g, form, true, mk, space.data), dx, dxo);
        }
    }

    /** dx = the gradient of the input, with weights from {@link #packBackwardData}. */
    public static void backwardData(ConvGeometry g, float[] dy, int dyo, PackedWeights w, float[] dx, int dxo) {
        w.checkFits(g, true);
        check("dy", dy, dyo, g.outSize());
        check("dx", dx, dxo, g.inSize());
        if (g.batch() == 0) {
            return;
        }
        MicroKernels mk = w.kernels;
        switch (w.form) {
            case POINTWISE -> Gemm.multiplyPacked(mk, Panels.productWidth(mk, g.outC(), g.inC()),
                    g.batch() * g.inH() * g.inW(), g.inC(), g.outC(), dy, dyo, g.outC(), 1, w.data, Alignment.FIRST, dx, dxo,
                    g.inC(), false, Epilogue.NONE);
            case DIRECT -> DirectConvolution.backwardData(mk, g, dy, dyo, w.data, dx, dxo);
            case WINOGRAD -> new Winograd(mk, g, true, dy, dyo, dx, dxo, Epilogue.NONE).run(w.data);
            case DEPTHWISE -> DepthwiseConvolution.backwardData(mk, g, dy, dyo, w.data, dx, dxo);
        }
    }

    /** dw [O, kH, kW, C/groups] = the gradient of the weights, summed over the batch. */
    public static void backwardWeights(ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw, int dwo) {
        backwardWeights(CpuFeatures.kernels(), g, x, xo, dy, dyo, dw, dwo);
    }

    static void backwardWeights(MicroKernels mk, ConvGeometry g, float[] x, int xo, float[] dy, int dyo, float[] dw,
            int dwo) {
        check("x", x, xo, g.inSize());
        check("dy", dy, dyo, g.outSize());
        check("dw", dw, dwo, g.weightSize());
        if (g.batch() == 0) {
            Arrays.fill(dw, dwo, dwo + g.weightSize(), 0f);
        } else if (g.depthwise()) {
            DepthwiseConvolution.backwardWeights(mk, g, x, xo, dy, dyo, dw, dwo);
        } else if (g.pointwise()) {
            pointwiseWeights(mk, g.outC(), g.inC(), g.batch() * g.inH() * g.inW(), x, xo, dy, dyo, dw, dwo);
        } else if (WinogradWeightGradient.pays(g)) {
            WinogradWeightGradient.run(mk, g, x, xo, dy, dyo, dw, dwo);
        } else {
            DirectConvolution.backwardWeights(mk, g, x, xo, dy, dyo, dw, dwo);
        }
    }

    private static void pointwiseWeights(MicroKernels mk, int m, int n, int pixels, float[] x, int xo, float[] dy, int dyo,
            float[] dw, int dwo) {
        if (pixels < LONG || m < FEW || n < mk.lanes()) {
            Gemm.multiply(mk, true, false, m, n, pixels, dy, dyo, m, x, xo, n, dw, dwo, n, false, Epilogue.NONE);
            return;
        }
        LongProduct.run(mk, m, n, pixels, dy, dyo, 1, m, new LongProduct.Matrix(x, xo, n, 1), dw, dwo, n, false);
    }

    /** Prepares weights that will not change for {@code forward}. */
    public static PackedWeights packForward(ConvGeometry g, float[] w, int wo) {
        return packed(g, false, w, wo);
    }

    /** Prepares weights that will not change for {@code backwardData}. */
    public static PackedWeights packBackwardData(ConvGeometry g, float[] w, int wo) {
        return packed(g, true, w, wo);
    }

    private static PackedWeights packed(ConvGeometry g, boolean backward, float[] w, int wo) {
        check("w", w, wo, g.weightSize());
        MicroKernels mk = CpuFeatures.kernels();
        Form form = form(g, backward);
        float[] data = new float[Math.toIntExact(size(mk, g, form, backward))];
        pack(mk, g, form, backward, w, wo, data);
        return new PackedWeights(g, form, backward, mk, data);
    }

    /**
     * The weights at {@code wo} of {@code w} in the form that the kernels choose for {@code g}, if they are kept (see
     * {@link PackedCache}); null if they are to be packed by the call.
     */
    static PackedWeights kept(MicroKernels mk, ConvGeometry g, boolean backward, HostStorage w, int wo) {
        if (g.batch() == 0) {
            return null;
        }
        Form form = form(g, backward);
        Key key = new Key(mk, form, backward, wo, g.outC(), g.kH(), g.kW(), g.inC(), g.groups(), g.strideH(), g.strideW(),
                g.padTop(), g.padLeft(), g.dilationH(), g.dilationW());
        float[] data = PackedCache.get(w, key, size(mk, g, form, backward),
                to -> pack(mk, g, form, backward, w.floats(), wo, to));
        return data == null ? null : new PackedWeights(g, form, backward, mk, data);
    }

    /** All that packed weights depend on beside the weights' values. */
    private record Key(MicroKernels kernels, Form form, boolean backward, int at, int outC, int kH, int kW, int inC,
            int groups, int strideH, int strideW, int padTop, int padLeft, int dilationH, int dilationW) {
        /** By hand, and {@code hashCode} too: the JVM spins classes for a record's at their first use, 10 ms of a start. */
        @Override
        public boolean equals(Object o) {
            return o instanceof Key k && k.kernels == kernels && k.form == form && k.backward == backward && k.at == at
                    && k.outC == outC && k.kH == kH && k.kW == kW && k.inC == inC && k.groups == groups
                    && k.strideH == strideH && k.strideW == strideW && k.padTop == padTop && k.padLeft == padLeft
                    && k.dilationH == dilationH && k.dilationW == dilationW;
        }

        @Override
        public int hashCode() {
            return ((at * 31 + form.ordinal()) * 31 + outC * 31 + inC) * 31 + kH * 31 + strideH + (backward ? 1 : 0);
        }
    }

    private static Form form(ConvGeometry g, boolean backward) {
        if (g.depthwise()) {
            return Form.DEPTHWISE;
        }
        if (g.pointwise()) {
            return Form.POINTWISE;
        }
        return Winograd.pays(g, backward) ? Form.WINOGRAD : Form.DIRECT;
    }

    private static long size(MicroKernels mk, ConvGeometry g, Form form, boolean backward) {
        int from = backward ? g.outC() : g.inC();
        int to = backward ? g.inC() : g.outC();
        return Alignment.FIRST + switch (form) {
            case POINTWISE -> Panels.size(mk, from, to);
            case DIRECT -> backward ? DirectConvolution.backwardSize(mk, g) : DirectConvolution.forwardSize(mk, g);
            case WINOGRAD -> Winograd.size(mk, g, backward);
            case DEPTHWISE -> (long) g.taps() * g.outC();
        };
    }

    private static void pack(MicroKernels mk, ConvGeometry g, Form form, boolean backward, float[] w, int wo, float[] to) {
        switch (form) {
            case POINTWISE -> {
                if (backward) {
                    Gemm.pack(mk, Panels.productWidth(mk, g.outC(), g.inC()), g.outC(), g.inC(), w, wo, g.inC(), 1, to,
                            Alignment.FIRST);
                } else {
                    Gemm.pack(mk, Panels.productWidth(mk, g.inC(), g.outC()), g.inC(), g.outC(), w, wo, 1, g.inC(), to,
                            Alignment.FIRST);
                }
            }
            case DIRECT -> {
                if (backward) {
                    DirectConvolution.packBackward(mk, g, w, wo, to);
                } else {
                    DirectConvolution.packForward(mk, g, w, wo, to);
                }
            }
            case WINOGRAD -> Winograd.pack(mk, g, backward, w, wo, to);
            case DEPTHWISE -> DepthwiseConvolution.pack(g, backward, w, wo, to);
        }
    }

    private static void check(String name, float[] x, int offset, int size) {
        if (offset < 0 || (long) offset + size > x.length) {
            throw new GraftException("convolution: " + name + " needs " + size + " values from offset " + offset
                    + ", its array has " + x.length);
        }
    }
}
