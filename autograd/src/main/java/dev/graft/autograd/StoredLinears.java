package dev.graft.autograd;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.StoredLinearOp;
import dev.graft.tensor.op.StoredLinearOp.StoredLinear;
import dev.graft.tensor.op.StoredLinearOp.StoredLinearBackward;

/** Gradients through a linear layer with a stored weight: by x and by the bias; weight and scale have none. */
final class StoredLinears {
    private StoredLinears() {}

    /** Node inputs: x, weight, the scale of an int8 weight, the bias if any. */
    static Tensor[] backward(StoredLinear op, Node n, Tensor dy) {
        Tensor[] dx = new Tensor[n.inputs()];
        int bias = dx.length - 1;
        dx[0] = n.needs(0) ? product(new StoredLinearBackward(), n, dy) : null;
        if (op.bias() && n.needs(bias)) {
            dx[bias] = GradientTable.sumTo(dy, n.shape(bias)).cast(n.inputSpec(bias).dtype());
        }
        return dx;
    }

    /** Node inputs: dy, weight, the scale of an int8 weight. */
    static Tensor[] doubleBackward(Node n, Tensor g) {
        Tensor[] d = new Tensor[n.inputs()];
        d[0] = product(new StoredLinear(false), n, g);
        return d;
    }

    private static Tensor product(StoredLinearOp op, Node n, Tensor x) {
        return n.inputSpec(1).dtype() == DType.I8 ? Dispatcher.one(op, x, n.in(1), n.in(2)) : Dispatcher.one(op, x, n.in(1));
    }
}
