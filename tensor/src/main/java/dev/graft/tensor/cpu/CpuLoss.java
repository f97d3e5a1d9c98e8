package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LossOp;

/** {@link LossOp} on float32, and on float16 and bfloat16 by way of it. */
final class CpuLoss {
    private final CrossEntropy crossEntropy;

    CpuLoss(CrossEntropy crossEntropy) {
        this.crossEntropy = crossEntropy;
    }

    /** False when this is for the reference backend. */
    boolean run(LossOp op, Tensor[] in, Tensor[] out) {
        Tensor logits = op instanceof LossOp.CrossEntropy ? in[0] : in[1];
        if (!Widened.fits(logits)) {
            return false;
        }
        int classes = logits.dim(1);
        try (Widened w = new Widened(in, out)) {
            switch (op) {
                case LossOp.CrossEntropy c ->
                        crossEntropy.forward(c, w.in(0), targets(in[1], c, logits), w.out(0), w.out(1), classes);
                case LossOp.CrossEntropyBackward c ->
                        crossEntropy.backward(c, w.in(0), w.in(1), targets(in[2], c, logits), w.in(3), w.out(0), classes);
            }
            w.store();
        }
        return true;
    }

    /** The class of each row; -1 where it is to be ignored. */
    private static int[] targets(Tensor t, LossOp op, Tensor logits) {
        int at = Math.toIntExact(t.offset());
        int[] target = new int[Math.toIntExact(t.size())];
        boolean wide = t.dtype() == DType.I64;
        for (int i = 0; i < target.length; i++) {
            long v = wide ? t.host().longs()[at + i] : t.host().ints()[at + i];
            if (v != op.ignoreIndex() && (v < 0 || v >= logits.dim(1))) {
                throw new GraftException("target " + v + " is none of the " + logits.dim(1) + " classes of logits "
                        + logits.shape());
            }
            target[i] = v == op.ignoreIndex() ? -1 : (int) v;
        }
        return target;
    }
}
