package dev.graft.autograd;

import static dev.graft.tensor.Dispatcher.one;

import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.ConvOp.Conv2d;
import dev.graft.tensor.op.ElementwiseOp.UnaryBackward;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.FusedOp.ConvBiasActivation;
import dev.graft.tensor.op.FusedOp.LinearBiasActivation;
import dev.graft.tensor.op.FusedOp.Projections;
import dev.graft.tensor.op.FusedOp.ProjectionsBackward;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.UnaryFn;

/** The derivatives of fused ops that tapes record whole, where the backend runs them in one; all others are taken apart. */
final class FusedGradients {
    private FusedGradients() {}

    static boolean has(FusedOp op, Tensor[] in) {
        return (op instanceof LinearBiasActivation l && l.activation().clamps()
                        || op instanceof ConvBiasActivation c && c.activation().clamps() || op instanceof Projections)
                && Backends.of(in[0].device()).runsWhole(op, in)
                && Context.current().interceptors().stream().noneMatch(Autocast.class::isInstance);
    }

    /** The inputs and outputs that the rule reads, as bits: the result tells where the activation passed. */
    static int saves(FusedOp op, boolean[] needs) {
        return (needs[0] ? GradientTable.X1 : 0) | (needs[1] ? GradientTable.X0 : 0)
                | (activation(op) == Activation.NONE ? 0 : GradientTable.Y0);
    }

    private static Activation activation(FusedOp op) {
        return switch (op) {
            case LinearBiasActivation l -> l.activation();
            case ConvBiasActivation c -> c.activation();
            default -> Activation.NONE;
        };
    }

    static Tensor[] backward(FusedOp op, Node n, Tensor[] dy) {
        if (op instanceof Projections p) {
            return projections(p, n, dy);
        }
        Tensor sum = activation(op) == Activation.NONE ? dy[0] : passed(activation(op), dy[0], n.out(0));
        if (sum != dy[0]) {     // one image less while the gradients by x and w are made
            dy[0].close();
            dy[0] = null;
        }
        Tensor[] d = op instanceof ConvBiasActivation c ? conv(c, n, sum) : linear(n, sum);
        if (n.inputs() == 3) {
            return d;
        }
        return new Tensor[] {d[0], d[1], d[2], n.needs(3) ? sum : null};
    }

    /** The gradient by what {@code activation} got, known by its result {@code y}: dy where that passed. */
    static Tensor passed(Activation activation, Tensor dy, Tensor y) {
        return switch (activation) {
            case NONE -> dy;
            case RELU -> one(new UnaryBackward(UnaryFn.RELU, 0), dy, y);
            case RELU6 -> one(new UnaryBackward(UnaryFn.RELU6, 0), dy, y);
            case GELU, GELU_TANH -> throw new IllegalArgumentException(activation + " is not known by its result");
        };
    }

    /** y = x · wᵀ + b: dx = dy · w, dw = dyᵀ · x, db = Σ dy over the rows. */
    private static Tensor[] linear(Node n, Tensor dy) {
        return new Tensor[] {
            n.needs(0) ? dy.matmul(n.in(1)) : null,
            n.needs(1) ? one(new MatMul(true, false), rows(dy), rows(n.in(0))) : null,
            n.needs(2) ? rows(dy).sum(0) : null};
    }

    /** Of the sum of a convolution and its bias, which is added to every pixel. */
    private static Tensor[] conv(ConvBiasActivation op, Node n, Tensor dy) {
        Tensor[] d = GradientTable.backward(new Conv2d(op.params()), n, new Tensor[] {dy});
        return new Tensor[] {d[0], d[1], n.needs(2) ? rows(dy).sum(0) : null};
    }

    private static Tensor[] projections(Projections op, Node n, Tensor[] dys) {
        int parts = op.parts();
        Tensor[] in = new Tensor[parts + (n.needs(0) ? 1 : 0) + (n.needs(1) ? 1 : 0)];
        Tensor[] sums = new Tensor[parts];
        for (int i = 0; i < parts; i++) {
            in[i] = dys[i] != null ? dys[i] : Tensor.fill(n.outputSpec(i), 0, given(dys).device());
            sums[i] = n.needs(2) ? rows(in[i]).sum(0) : null;
        }
        Tensor[] d = new Tensor[] {null, null, n.needs(2) ? Tensor.concat(0, sums) : null};
        if (!n.needs(0) && !n.needs(1)) {
            return d;
        }
        if (n.needs(0)) {
            in[parts] = n.in(1);
        }
        if (n.needs(1)) {
            in[in.length - 1] = n.in(0);
        }
        Tensor[] got = Dispatcher.run(new ProjectionsBackward(parts, n.needs(0), n.needs(1)), in);
        d[0] = n.needs(0) ? got[0] : null;
        d[1] = n.needs(1) ? got[got.length - 1] : null;
        return d;
    }

    private static Tensor given(Tensor[] dys) {
        for (Tensor t : dys) {
            if (t != null) {
                return t;
            }
        }
        throw new IllegalArgumentException("no gradient");
    }

    private static Tensor rows(Tensor t) {
        return t.reshape(Math.toIntExact(t.shape().count(0, t.rank() - 1)), t.dim(-1));
    }
}
