package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.HostStorage;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.MatMul;

/**
 * Matrix products, convolutions and what is fused to them, on float32. Float16 and bfloat16 are widened first and the result
 * is rounded once; fused ops are composed for them.
 */
final class CpuProducts {
    private final MicroKernels kernels;

    CpuProducts(MicroKernels kernels) {
        this.kernels = kernels;
    }

    /** Runs a fused op; other dtypes are composed from primitives. */
    void fused(FusedOp op, Tensor[] in, Tensor[] out) {
        if (!runsWhole(op, in) || op instanceof FusedOp.InvertedResidual r && !fits(r, in)) {
            try (Scope s = Scope.open("composed " + op.name())) {
                Tensor[] y = op.compose(in);
                for (int i = 0; i < y.length; i++) {
                    System.arraycopy(y[i].host().array(), Math.toIntExact(y[i].offset()), out[i].host().array(),
                            Math.toIntExact(out[i].offset()), Math.toIntExact(out[i].size()));
                }
            }
            return;
        }
        switch (op) {
            case FusedOp.Projections p -> projections(p, in, out);
            case FusedOp.ProjectionsBackward p -> projectionsBackward(p, in, out);
            default -> fused(op, in, out[0]);
        }
    }

    /** False where ops are composed of others. */
    static boolean runsWhole(FusedOp op, Tensor[] in) {
        return F32.all(in) && in.length > 1 && in[0].size() > 0 && in[1].size() > 0 && in[in.length - 1].size() > 0;
    }

    private void projections(FusedOp.Projections op, Tensor[] in, Tensor[] out) {
        int n = in[1].dim(0) / op.parts();
        int k = in[1].dim(1);
        F32 x = F32.of(in[0]);
        F32 bias = F32.of(in[2]);
        for (int i = 0; i < out.length; i++) {
            F32 w = F32.of(in[1]);
            F32 y = F32.of(out[i]);
            multiply(true, y.size() / n, n, k, x, new Weight(new F32(w.array(), w.at() + i * n * k, n * k), in[1].host()), y,
                    Epilogue.bias(bias.array(), bias.at() + i * n));
        }
    }

    private void projectionsBackward(FusedOp.ProjectionsBackward op, Tensor[] in, Tensor[] out) {
        int parts = op.parts();
        int o = in[0].dim(-1);
        int k = in[parts].dim(-1);
        int m = Math.toIntExact(in[0].shape().count(0, in[0].rank() - 1));
        F32 w = F32.of(in[parts]);                  // x, where w is not given
        F32 x = F32.of(in[in.length - 1]);
        for (int i = 0; i < parts; i++) {
            F32 dy = F32.of(in[i]);
            if (op.input()) {
                F32 dx = F32.of(out[0]);
                Gemm.multiply(kernels, false, false, m, k, o, dy.array(), dy.at(), o, w.array(), w.at() + i * o * k, k,
                        dx.array(), dx.at(), k, i > 0, Epilogue.NONE);
            }
            if (op.weight()) {
                F32 dw = F32.of(out[out.length - 1]);
                Gemm.multiply(kernels, true, false, o, k, m, dy.array(), dy.at(), o, x.array(), x.at(), k, dw.array(),
                        dw.at() + i * o * k, k, false, Epilogue.NONE);
            }
        }
    }

    private void fused(FusedOp op, Tensor[] in, Tensor out) {
        F32 x = F32.of(in[0]);
        F32 bias = F32.of(in[2]);
        F32 y = F32.of(out);
        Epilogue end = Epilogue.bias(bias.array(), bias.at());
        switch (op) {
            case FusedOp.ConvBiasActivation c -> {
                end = end.activation(activation(c.activation()));
                if (in.length == 4) {
                    F32 residual = F32.of(in[3]);
                    end = end.residual(residual.array(), residual.at(), out.dim(3));
                }
                if (!end.activation().clamps() && c.params().groups() > 1) {
                    // depthwise kernels bound their sums in registers and know no other function
                    forward(geometry(c.params(), in[0].shape(), in[1].shape()), x, Weight.of(in[1]), y,
                            end.activation(Epilogue.Activation.NONE));
                    activate(end.activation(), y, out.dim(3));
                    return;
                }
                forward(geometry(c.params(), in[0].shape(), in[1].shape()), x, Weight.of(in[1]), y, end);
            }
            case FusedOp.LinearBiasActivation l -> {
                int n = in[1].dim(0);
                int k = in[1].dim(1);
                if (in.length == 4) {
                    F32 residual = F32.of(in[3]);
                    end = end.residual(residual.array(), residual.at(), n);
                }
                multiply(true, y.size() / n, n, k, x, Weight.of(in[1]), y, end.activation(activation(l.activation())));
            }
            case FusedOp.SumOfSquares s -> throw new IllegalStateException(); // composed above
            case FusedOp.InvertedResidual r -> {
                ConvGeometry g = depthwise(r, in);
                Epilogue.Activation then = activation(r.activation());
                F32 residual = in.length == 8 ? F32.of(in[7]) : null;
                Epilogue last = bias(in[6]);
                InvertedResidual.run(kernels, g, product(g.batch(), g.inH(), g.inW(), in[1], bias(in[2]).activation(then)),
                        packed(g, in[3]).data, bias(in[4]).activation(then),
                        product(g.batch(), g.outH(), g.outW(), in[5], residual == null ? last
                                : last.residual(residual.array(), residual.at(), out.dim(3))),
                        x.array(), x.at(), y.array(), y.at());
            }
            case FusedOp.Projections p -> throw new IllegalArgumentException(op.name());
            case FusedOp.ProjectionsBackward p -> throw new IllegalArgumentException(op.name());
        }
    }

    private static void activate(Epilogue.Activation f, F32 y, int columns) {
        Epilogue end = Epilogue.NONE.activation(f);
        WorkerPool.shared().ranges(y.size() / columns, Math.max(1, 16384 / columns), (from, to) ->
                end.apply(from, to - from, 0, columns, y.array(), y.at() + from * columns, columns));
    }

    private boolean fits(FusedOp.InvertedResidual op, Tensor[] in) {
        return InvertedResidual.fits(kernels, depthwise(op, in));
    }

    private static ConvGeometry depthwise(FusedOp.InvertedResidual op, Tensor[] in) {
        return geometry(op.params(), in[0].shape().with(3, in[1].dim(0)), in[3].shape());
    }

    private static Epilogue bias(Tensor t) {
        F32 b = F32.of(t);
        return Epilogue.bias(b.array(), b.at());
    }

    private InvertedResidual.Product product(int batch, int h, int w, Tensor weight, Epilogue then) {
        ConvGeometry g = ConvGeometry.of(batch, h, w, weight.dim(3), weight.dim(0), 1, 1, 1, 0);
        return new InvertedResidual.Product(packed(g, weight), then);
    }

    /**
     * An operand that may stay the same from call to call.
     *
     * @param home where what is packed from it can be kept, null for widened values, which are gone after the call
     */
    private record Weight(F32 values, HostStorage home) {
        static Weight of(Tensor t) {
            return new Weight(F32.of(t), t.host());
        }

        static Weight of(Tensor t, F32 values) {
            return new Weight(values, t.dtype() == DType.F32 ? t.host() : null);
        }

        PackedWeights kept(MicroKernels kernels, ConvGeometry g, boolean backward) {
            return home == null ? null : Convolution.kept(kernels, g, backward, home, values.at());
        }
    }

    /** Packed weights of a convolution, kept if they may be. */
    private PackedWeights packed(ConvGeometry g, Tensor weight) {
        Weight w = Weight.of(weight);
        PackedWeights kept = w.kept(kernels, g, false);
        return kept != null ? kept : Convolution.packForward(g, w.values().array(), w.values().at());
    }

    private void forward(ConvGeometry g, F32 x, Weight weight, F32 y, Epilogue end) {
        F32 w = weight.values();
        PackedWeights kept = weight.kept(kernels, g, false);
        if (kept != null) {
            Convolution.forward(g, x.array(), x.at(), kept, y.array(), y.at(), end);
        } else {
            Convolution.forward(kernels, g, x.array(), x.at(), w.array(), w.at(), y.array(), y.at(), end);
        }
    }

    private void backwardData(ConvGeometry g, F32 dy, Weight weight, F32 dx) {
        F32 w = weight.values();
        PackedWeights kept = weight.kept(kernels, g, true);
        if (kept != null) {
            Convolution.backwardData(g, dy.array(), dy.at(), kept, dx.array(), dx.at());
        } else {
            Convolution.backwardData(kernels, g, dy.array(), dy.at(), w.array(), w.at(), dx.array(), dx.at());
        }
    }

    /** What packed panels depend on beside the weights' values. */
    private record PanelsKey(MicroKernels kernels, boolean trans, int at, int n, int k) {}

    /** y[m][n] = end(x[m][k] * op(weight)) with one dense weight, whose panels are kept while it stays the same. */
    private void multiply(boolean trans, int m, int n, int k, F32 x, Weight weight, F32 y, Epilogue end) {
        F32 w = weight.values();
        int ld = trans ? k : n;
        float[] kept = weight.home() == null || !Gemm.packs(kernels, trans, m, n, k) ? null : PackedCache.get(weight.home(),
                new PanelsKey(kernels, trans, w.at(), n, k), Alignment.FIRST + Panels.size(kernels, k, n),
                to -> Gemm.packAll(kernels, trans, n, k, w.array(), w.at(), ld, to));
        if (kept != null) {
            Gemm.multiplyKept(kernels, m, n, k, x.array(), x.at(), k, kept, y.array(), y.at(), n, end);
        } else {
            Gemm.multiply(kernels, false, trans, m, n, k, x.array(), x.at(), k, w.array(), w.at(), ld, y.array(), y.at(), n,
                    false, end);
        }
    }

    private static Epilogue.Activation activation(FusedOp.Activation a) {
        return switch (a) {
            case NONE -> Epilogue.Activation.NONE;
            case RELU -> Epilogue.Activation.RELU;
            case RELU6 -> Epilogue.Activation.RELU6;
            case GELU -> Epilogue.Activation.GELU;
            case GELU_TANH -> Epilogue.Activation.GELU_TANH;
        };
    }

    private static ConvGeometry geometry(ConvParams p, Shape x, Shape w) {
        return new ConvGeometry(x.dim(0), x.dim(1), x.dim(2), x.dim(3), w.dim(0), w.dim(1), w.dim(2), p.strideH(),
                p.strideW(), p.padTop(), p.padBottom(), p.padLeft(), p.padRight(), p.dilationH(), p.dilationW(), p.groups());
    }

    /** False when this is for the reference backend. */
    boolean conv(ConvOp op, Tensor a, Tensor b, Tensor out) {
        if (!Widened.fits(a) || !Widened.fits(b) || a.size() == 0 || b.size() == 0) {
            return false;
        }
        try (Widened w = new Widened(new Tensor[] {a, b}, new Tensor[] {out})) {
            F32 x = w.in(0);
            F32 y = w.in(1);
            F32 z = w.out(0);
            switch (op) {
                case ConvOp.Conv2d c -> forward(geometry(c.params(), a.shape(), b.shape()), x, Weight.of(b, y), z,
                        Epilogue.NONE);
                case ConvOp.Conv2dBackwardInput c -> backwardData(geometry(c.params(), out.shape(), b.shape()), x,
                        Weight.of(b, y), z);
                case ConvOp.Conv2dBackwardWeight c -> Convolution.backwardWeights(kernels,
                        geometry(c.params(), a.shape(), out.shape()), x.array(), x.at(), y.array(), y.at(), z.array(),
                        z.at());
            }
            w.store();
        }
        return true;
    }

    /** False when this is for the reference backend. */
    boolean matmul(MatMul op, Tensor a, Tensor b, Tensor out) {
        if (!Widened.fits(a) || !Widened.fits(b)) {
            return false;
        }
        try (Widened w = new Widened(new Tensor[] {a, b}, new Tensor[] {out})) {
            matmul(op, a.shape(), b.shape(), out.shape(), w.in(0), Weight.of(b, w.in(1)), w.out(0));
            w.store();
        }
        return true;
    }

    private void matmul(MatMul op, Shape a, Shape b, Shape out, F32 x, Weight weight, F32 z) {
        F32 y = weight.values();
        int m = out.dim(-2);
        int n = out.dim(-1);
        int k = a.dim(op.transA() ? -2 : -1);
        int lda = Math.max(1, a.dim(-1));
        int ldb = Math.max(1, b.dim(-1));
        Shape batch = out.range(0, out.rank() - 2);
        int count = (int) batch.size();
        boolean eachA = a.count(0, a.rank() - 2) == count;
        boolean eachB = b.count(0, b.rank() - 2) == count;
        boolean oneA = a.count(0, a.rank() - 2) == 1;
        boolean oneB = b.count(0, b.rank() - 2) == 1;
        if (!op.transA() && eachA && oneB && count > 0 && (long) count * m <= Integer.MAX_VALUE) {
            multiply(op.transB(), count * m, n, k, x, weight, z, Epilogue.NONE);
        } else if ((eachA || oneA) && (eachB || oneB)) {
            Gemm.batched(kernels, op.transA(), op.transB(), count, m, n, k, x.array(), x.at(), lda, eachA ? m * k : 0,
                    y.array(), y.at(), ldb, eachB ? k * n : 0, z.array(), z.at(), n, m * n, false);
        } else {
            int[] ia = places(a, batch);
            int[] ib = places(b, batch);
            for (int i = 0; i < count; i++) {
                Gemm.multiply(kernels, op.transA(), op.transB(), m, n, k, x.array(), x.at() + ia[i] * m * k, lda,
                        y.array(), y.at() + ib[i] * k * n, ldb, z.array(), z.at() + i * m * n, n, false, Epilogue.NONE);
            }
        }
    }

    /** For every matrix of the broadcast batch, which matrix of an operand it reads. */
    private static int[] places(Shape s, Shape batch) {
        int[] place = new int[(int) batch.size()];
        int rank = s.rank() - 2;
        for (int i = 0; i < place.length; i++) {
            int rest = i;
            int step = 1;
            for (int k = 1; k <= rank; k++) {
                int d = s.dim(rank - k);
                place[i] += d == 1 ? 0 : rest % batch.dim(-k) * step;
                step *= d;
                rest /= batch.dim(-k);
            }
        }
        return place;
    }
}
