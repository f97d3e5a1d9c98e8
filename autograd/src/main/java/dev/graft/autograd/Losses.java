package dev.graft.autograd;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LossOp.CrossEntropyBackward;

/** The gradient of a loss's gradient, by a tape of its own over the backward op in primitives. */
final class Losses {
    private Losses() {}

    /** Node inputs: dloss, logits, target, log-sum-exp; its output: dlogits. */
    static Tensor[] doubleBackward(CrossEntropyBackward op, Node n, Tensor g) {
        Tensor target = n.in(2);
        Tensor[] d = Tape.vjp(t -> new Tensor[] {backward(op, t[0], t[1], target)}, new Tensor[] {n.in(0), n.in(1)},
                new Tensor[] {g});
        return new Tensor[] {d[0], d[1], null, null};
    }

    private static Tensor backward(CrossEntropyBackward op, Tensor dloss, Tensor logits, Tensor target) {
        int classes = logits.dim(1);
        double s = op.labelSmoothing();
        Tensor counts = target.ne(op.ignoreIndex());
        Tensor zero = Tensor.fill(new TensorSpec(target.dtype(), Shape.SCALAR), 0, target.device());
        Tensor index = counts.where(target, zero).unsqueeze(1);
        Tensor d = dloss.mul(counts.cast(dloss.dtype())).unsqueeze(1);
        Tensor hit = Dispatcher.one(new IndexOp.TakeAlongBackward(1, classes), d.mul(1 - s), index);
        Tensor p = logits.cast(dloss.dtype()).softmax();
        return p.sub(s / classes).mul(d).sub(hit).cast(logits.dtype());
    }
}
