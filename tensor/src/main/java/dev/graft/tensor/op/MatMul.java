package dev.graft.tensor.op;

import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;

/**
 * Matrix product over the last two axes, the axes in front broadcast. Inputs: a [..., M, K] (or [..., K, M] if transA),
 * b [..., K, N] (or [..., N, K] if transB); output [..., M, N]. Both have rank 2 or more.
 */
public record MatMul(boolean transA, boolean transB) implements PrimitiveOp {
    @Override
    public String name() {
        return "matmul";
    }

    @Override
    public TensorSpec[] infer(TensorSpec[] in) {
        Check.arity(in, 2);
        TensorSpec a = in[0];
        TensorSpec b = in[1];
        String sides = a.shape() + (transA ? "ᵀ" : "") + " x " + b.shape() + (transB ? "ᵀ" : "");
        Check.floats(a, "left side");
        Check.sameType(a, b);
        Check.that(a.rank() >= 2 && b.rank() >= 2, () -> sides + ": both sides need at least two axes");
        int k = a.dim(transA ? -2 : -1);
        int k2 = b.dim(transB ? -1 : -2);
        Check.that(k == k2, () -> sides + ": inner sizes " + k + " and " + k2 + " differ");
        Shape batch = Shape.broadcast(a.shape().range(0, a.rank() - 2), b.shape().range(0, b.rank() - 2));
        Check.that(batch != null, () -> sides + ": the batch axes do not broadcast");
        return Check.out(a.dtype(), batch.concat(Shape.of(a.dim(transA ? -1 : -2), b.dim(transB ? -2 : -1))));
    }
}
