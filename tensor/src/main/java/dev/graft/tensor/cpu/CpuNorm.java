package dev.graft.tensor.cpu;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.NormOp;

/** {@link NormOp} on float32, and on float16 and bfloat16 by way of it. */
final class CpuNorm {
    private final BatchNorm batch;
    private final LayerNorm layer;
    private final GroupNorm group;

    CpuNorm(BatchNorm batch, LayerNorm layer, GroupNorm group) {
        this.batch = batch;
        this.layer = layer;
        this.group = group;
    }

    /** False when this is for the reference backend. */
    boolean run(NormOp op, Tensor[] in, Tensor[] out) {
        if (!Widened.fits(in[0]) || in[0].size() == 0) {
            return false;
        }
        int c = in[0].dim(-1);
        int rows = (int) (in[0].size() / c);
        try (Widened w = new Widened(in, out)) {
            switch (op) {
                case NormOp.BatchNorm b -> batch.forward(b.eps(), FusedOp.Activation.NONE, w.in(0), w.in(1), w.in(2), null,
                        w.out(0), w.out(1), w.out(2), rows, c);
                case NormOp.BatchNormActivation b -> batch.forward(b.eps(), b.activation(), w.in(0), w.in(1), w.in(2),
                        in.length == 4 ? w.in(3) : null, w.out(0), w.out(1), w.out(2), rows, c);
                case NormOp.LayerNorm l -> layer.forward(l.eps(), w.in(0), w.in(1), w.in(2), w.out(0), w.out(1), w.out(2),
                        rows, c);
                case NormOp.BatchNormBackward b -> batch.backward(w.in(0), w.in(1), w.in(2), w.in(3), w.in(4), w.out(0),
                        w.out(1), w.out(2), rows, c);
                case NormOp.BatchNormActivationBackward b -> batch.backward(b.activation(), w.in(0), w.in(1), w.in(2),
                        w.in(3), w.in(4), w.in(5), in.length == 7 && F32.all(in[1], in[2]) ? w.in(6) : null, w.out(0),
                        w.out(1), w.out(2), b.residual() ? w.out(3) : null, rows, c);
                case NormOp.LayerNormBackward l -> layer.backward(w.in(0), w.in(1), w.in(2), w.in(3), w.in(4), w.out(0),
                        w.out(1), w.out(2), rows, c);
                case NormOp.GroupNorm g -> group.forward(images(in[0], g.groups()), g.eps(), w.in(0), w.in(1), w.in(2),
                        w.out(0), w.out(1), w.out(2));
                case NormOp.GroupNormBackward g -> group.backward(images(in[1], g.groups()), w.in(0), w.in(1), w.in(2),
                        w.in(3), w.in(4), w.out(0), w.out(1), w.out(2));
            }
            w.store();
        }
        return true;
    }

    private static GroupNorm.Problem images(Tensor x, int groups) {
        return new GroupNorm.Problem(x.dim(0), (int) x.shape().count(1, x.rank() - 1), x.dim(-1), groups);
    }
}
