package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;

/** {@link ElementwiseOp} on float32, and casts between float32 and the other dtypes. */
final class CpuElementwise {
    private final Elementwise kernels;

    CpuElementwise(Elementwise kernels) {
        this.kernels = kernels;
    }

    /** False when this is for the reference backend. */
    boolean run(ElementwiseOp op, Tensor[] in, Tensor out) {
        if (op instanceof ElementwiseOp.Cast) {
            return Casts.run(in[0], out);
        }
        if (op instanceof ElementwiseOp.Dropout d) {
            return dropout(d, in, out);
        }
        if (!F32.all(op instanceof ElementwiseOp.Where ? in[1] : in[0])) {
            return false;
        }
        switch (op) {
            case ElementwiseOp.Unary u -> {
                F32 x = F32.of(in[0]);
                F32 y = F32.of(out);
                kernels.unary(u.fn(), u.a(), x.array(), x.at(), y.array(), y.at(), y.size());
            }
            case ElementwiseOp.UnaryBackward u -> {
                F32 dy = F32.of(in[0]);
                F32 saved = F32.of(in[1]);
                F32 dx = F32.of(out);
                kernels.unaryGrad(u.fn(), u.a(), saved.array(), saved.at(), dy.array(), dy.at(), dx.array(), dx.at(),
                        dx.size());
            }
            case ElementwiseOp.Binary b -> binary(b, in[0], in[1], out);
            case ElementwiseOp.BinaryScalar b -> {
                if (b.fn().isLogical()) {
                    return false;
                }
                F32 x = F32.of(in[0]);
                if (out.dtype() == DType.BOOL) {
                    kernels.compareScalar(b.fn(), x.array(), x.at(), b.value(), out.host().bytes(),
                            (int) out.offset(), x.size());
                } else {
                    F32 z = F32.of(out);
                    kernels.binaryScalar(b.fn(), x.array(), x.at(), b.value(), z.array(), z.at(), z.size());
                }
            }
            case ElementwiseOp.Where w -> {
                F32 x = F32.of(in[1]);
                F32 y = F32.of(in[2]);
                F32 z = F32.of(out);
                kernels.where(in[0].host().bytes(), (int) in[0].offset(), in[0].shape(), x.array(), x.at(), in[1].shape(),
                        y.array(), y.at(), in[2].shape(), z.array(), z.at(), out.shape());
            }
            case ElementwiseOp.Cast c -> {
                return false; // handled above
            }
            case ElementwiseOp.Dropout d -> {
                return false; // handled above
            }
        }
        return true;
    }

    private boolean dropout(ElementwiseOp.Dropout op, Tensor[] in, Tensor out) {
        if (!Widened.fits(out)) {
            return false;
        }
        CreateOp.Random factors = op.factors(out.spec(), out.device());
        try (Widened w = new Widened(in, new Tensor[] {out})) {
            F32 x = w.in(0);
            F32 y = w.out(0);
            kernels.dropout(factors, x.array(), x.at(), y.array(), y.at(), y.size());
            w.store();
        }
        return true;
    }

    private void binary(ElementwiseOp.Binary op, Tensor a, Tensor b, Tensor out) {
        F32 x = F32.of(a);
        F32 y = F32.of(b);
        if (out.dtype() == DType.BOOL) {
            kernels.compare(op.fn(), x.array(), x.at(), a.shape(), y.array(), y.at(), b.shape(), out.host().bytes(),
                    (int) out.offset(), out.shape());
        } else {
            F32 z = F32.of(out);
            kernels.binary(op.fn(), x.array(), x.at(), a.shape(), y.array(), y.at(), b.shape(), z.array(), z.at(),
                    out.shape());
        }
    }
}
