package dev.graft.autograd;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ReduceFn;
import java.util.stream.IntStream;

/**
 * The gradient of a normalisation's gradient. The backward op is written out in primitives from x itself (mean and
 * deviation included), and that formula is differentiated by a tape of its own.
 */
final class Normalization {
    private Normalization() {}

    /**
     * Node inputs: dy, x, gamma, mean, deviation; its outputs: dx, dgamma, dbeta.
     *
     * @param perChannel batch norm (statistics over all axes but the last), else layer norm (over the last axis)
     */
    static Tensor[] doubleBackward(double eps, boolean perChannel, Node n, Tensor[] g) {
        Tensor[] in = {n.in(0), n.in(1), n.in(2)};
        Tensor[] d = Tape.vjp(t -> backward(eps, perChannel, t[0], t[1], t[2]), in, g);
        return new Tensor[] {d[0], d[1], d[2], null, null};
    }

    /** The formula of {@code BatchNormBackward} and {@code LayerNormBackward}; 16-bit x and dy may meet a float32 gamma. */
    static Tensor[] backward(double eps, boolean perChannel, Tensor narrowDy, Tensor narrowX, Tensor gamma) {
        Tensor dy = narrowDy.cast(gamma.dtype());
        Tensor x = narrowX.cast(gamma.dtype());
        int[] rows = IntStream.range(0, x.rank() - 1).toArray();
        int[] over = perChannel ? rows : new int[] {x.rank() - 1};
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
