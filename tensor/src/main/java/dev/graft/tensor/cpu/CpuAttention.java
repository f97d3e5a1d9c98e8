package dev.graft.tensor.cpu;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;

/** {@link AttentionOp} on float32, and on float16 and bfloat16 by way of it. */
final class CpuAttention {
    private final TiledAttention attention;

    CpuAttention(TiledAttention attention) {
        this.attention = attention;
    }

    /** False when this is for the reference backend. */
    boolean run(AttentionOp op, Tensor[] in, Tensor[] out) {
        boolean forward = op instanceof AttentionOp.Attention;
        Tensor q = in[forward ? 0 : 1];
        Tensor k = in[forward ? 1 : 2];
        if (!Widened.fits(q) || q.size() == 0 || k.size() == 0) {
            return false;
        }
        Tensor mask = switch (op) {
            case AttentionOp.Attention a -> in.length == 4 ? in[3] : null;
            case AttentionOp.AttentionBackward a -> a.mask() ? in[6] : null;
        };
        var problem = new TiledAttention.Problem(q.dim(0), q.dim(1), k.dim(1), q.dim(2), q.dim(3),
                op.scale(), op.causal(), mask == null ? null : mask.host().bytes(),
                mask == null ? 0 : Math.toIntExact(mask.offset()));
        try (Widened w = new Widened(in, out)) {
            if (forward) {
                attention.forward(problem, w.in(0), w.in(1), w.in(2), w.out(0), w.out(1));
            } else {
                attention.backward(problem, w.in(0), w.in(1), w.in(2), w.in(3), w.in(4), w.in(5), w.out(0), w.out(1),
                        w.out(2));
            }
            w.store();
        }
        return true;
    }
}
