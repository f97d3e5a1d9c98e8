package dev.graft.autograd;

import static dev.graft.tensor.Dispatcher.one;

import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.FusedOp.LinearBiasActivation;
import dev.graft.tensor.op.FusedOp.Projections;
import dev.graft.tensor.op.FusedOp.ProjectionsBackward;
import dev.graft.tensor.op.MatMul;

/** The derivatives of fused ops that tapes record whole, where the backend runs them in one; all others are taken apart. */
final class FusedGradients {
    private FusedGradients() {}

    static boolean has(FusedOp op, Tensor[] in) {
        return in.length == 3
                && (op instanceof LinearBiasActivation l && l.activation() == Activation.NONE || op instanceof Projections)
                && Backends.of(in[0].device()).runsWhole(op, in)
                && Context.current().interceptors().stream().noneMatch(Autocast.class::isInstance);
    }

    /** The inputs that the rule reads, as bits; no output. */
    static int saves(boolean[] needs) {
        return (needs[0] ? 1 << 1 : 0) | (needs[1] ? 1 : 0);
    }

    static Tensor[] backward(FusedOp op, Node n, Tensor[] dy) {
        return op instanceof Projections p ? projections(p, n, dy) : linear(n, dy[0]);
    }

    /** y = x · wᵀ + b: dx = dy · w, dw = dyᵀ · x, db = Σ dy over the rows. */
    private static Tensor[] linear(Node n, Tensor dy) {
        return new Tensor[] {
            n.needs(0) ? dy.matmul(n.in(1)) : null,
            n.needs(1) ? one(new MatMul(true, false), rows(dy), rows(n.in(0))) : null,
            n.needs(2) ? rows(dy).sum(0) : null};
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
