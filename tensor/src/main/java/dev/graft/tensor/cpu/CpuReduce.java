package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ReduceOp;

/** {@link ReduceOp} on float32. */
final class CpuReduce {
    private final Reduction reduction;
    private final Softmax softmax;

    CpuReduce(Reduction reduction, Softmax softmax) {
        this.reduction = reduction;
        this.softmax = softmax;
    }

    void sumOfSquares(Tensor in, Tensor out) {
        F32 x = F32.of(in);
        F32 y = F32.of(out);
        y.array()[y.at()] = reduction.sumOfSquares(x.array(), x.at(), x.size());
    }

    /** False when this is for the reference backend. */
    boolean run(ReduceOp op, Tensor[] in, Tensor out) {
        if (!F32.all(in)) {
            return false;
        }
        F32 x = F32.of(in[0]);
        Shape s = in[0].shape();
        switch (op) {
            case ReduceOp.Reduce r -> {
                F32 y = F32.of(out);
                reduction.reduce(r.fn(), x.array(), x.at(), s, r.axes(), y.array(), y.at());
            }
            case ReduceOp.ArgReduce a -> {
                int axis = s.axis(a.axis());
                reduction.argReduce(a.largest(), x.array(), x.at(), (int) s.count(0, axis), s.dim(axis),
                        (int) s.count(axis + 1, s.rank()), out.host().longs(), Math.toIntExact(out.offset()));
            }
            case ReduceOp.Softmax m -> {
                F32 y = F32.of(out);
                softmax.forward(m.log(), x.array(), x.at(), y.array(), y.at(), x.size() / s.dim(-1), s.dim(-1));
            }
            case ReduceOp.SoftmaxBackward m -> {
                F32 y = F32.of(in[1]);
                F32 dx = F32.of(out);
                softmax.backward(m.log(), x.array(), x.at(), y.array(), y.at(), dx.array(), dx.at(), x.size() / s.dim(-1),
                        s.dim(-1));
            }
        }
        return true;
    }
}
