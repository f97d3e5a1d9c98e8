package dev.graft.autograd;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.ReduceFn;
import java.util.stream.IntStream;

/**
 * The gradient of a normalisation's gradient. The backward op is written out in primitives from x itself (mean and
 * deviation included), and that formula is differentiated by a tape of its own.
 */
final class Normalization {
    private Normalization() {}

    /** Node inputs: dy, x, gamma, mean, deviation; its outputs: dx, dgamma, dbeta. */
    static Tensor[] doubleBackward(NormOp op, Node n, Tensor[] g) {
        Tensor[] in = {n.in(0), n.in(1), n.in(2)};
        Tensor[] d = Tape.vjp(t -> backward(op, t[0], t[1], t[2]), in, g);
        return new Tensor[] {d[0], d[1], d[2], null, null};
    }

    /** Node inputs: dy, x, y, gamma, mean, deviation [, beta]; y and beta only tell where the activation passed. */
    static Tensor[] doubleBackward(NormOp.BatchNormActivationBackward op, Node n, Tensor[] g) {
        Tensor y = n.in(2);
        Tensor[] in = {n.in(0), n.in(1), n.in(3)};
        Tensor[] d = Tape.vjp(t -> {
            Tensor passed = FusedGradients.passed(op.activation(), t[0], y);
            Tensor[] b = backward(op, passed, t[1], t[2]);
            return op.residual() ? new Tensor[] {b[0], b[1], b[2], passed} : b;
        }, in, g);
        Tensor[] all = new Tensor[n.inputs()];
        all[0] = d[0];
        all[1] = d[1];
        all[3] = d[2];
        return all;
    }

    /** The formula of the backward ops: dx, dgamma, dbeta. */
    private static Tensor[] backward(NormOp op, Tensor dy, Tensor x, Tensor gamma) {
        int last = x.rank() - 1;
        int[] rows = IntStream.range(0, last).toArray();
        return switch (op) {
            case NormOp.LayerNormBackward l -> backward(l.eps(), new int[] {last}, rows, dy, x, gamma);
            case NormOp.BatchNormBackward b -> backward(b.eps(), rows, rows, dy, x, gamma);
            case NormOp.BatchNormActivationBackward b -> backward(b.eps(), rows, rows, dy, x, gamma);
            case NormOp.GroupNormBackward g -> {
                int c = x.dim(-1);
                Shape grouped = Shape.of(x.dim(0), (int) x.shape().count(1, last), g.groups(), c / g.groups());
                Tensor[] d = backward(g.eps(), new int[] {1, 3}, new int[] {0, 1}, dy.reshape(grouped), x.reshape(grouped),
                        gamma.reshape(g.groups(), c / g.groups()));
                yield new Tensor[] {d[0].reshape(x.shape()), d[1].reshape(c), d[2].reshape(c)};
            }
            case NormOp.BatchNorm b -> throw new IllegalArgumentException(b.name() + " is no gradient");
            case NormOp.BatchNormActivation b -> throw new IllegalArgumentException(b.name() + " is no gradient");
            case NormOp.LayerNorm l -> throw new IllegalArgumentException(l.name() + " is no gradient");
            case NormOp.GroupNorm g -> throw new IllegalArgumentException(g.name() + " is no gradient");
        };
    }

    /**
     * 16-bit x and dy may meet a float32 gamma.
     *
     * @param over the axes of x that share a mean
     * @param rows the axes that x has and gamma has not
     */
    private static Tensor[] backward(double eps, int[] over, int[] rows, Tensor narrowDy, Tensor narrowX, Tensor gamma) {
        Tensor dy = narrowDy.cast(gamma.dtype());
        Tensor x = narrowX.cast(gamma.dtype());
        Tensor centred = x.sub(x.reduce(ReduceFn.MEAN, true, over));
        Tensor inv = centred.square().reduce(ReduceFn.MEAN, true, over).add(eps).rsqrt();
        Tensor hat = centred.mul(inv);
        Tensor dhat = dy.mul(gamma);
        Tensor dx = inv.mul(dhat.sub(dhat.reduce(ReduceFn.MEAN, true, over))
                .sub(hat.mul(dhat.mul(hat).reduce(ReduceFn.MEAN, true, over)))).cast(narrowX.dtype());
        Tensor dgamma = dy.mul(hat);
        return rows.length == 0 ? new Tensor[] {dx, dgamma, dy}
                : new Tensor[] {dx, dgamma.sum(rows), dy.sum(rows)};
    }
}
