package dev.graft.autograd;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp.Attention;
import dev.graft.tensor.op.AttentionOp.AttentionBackward;
import java.util.Arrays;

/** Attention's gradient, and the gradient of that by tapes over attention in primitives. */
final class Attentions {
    private Attentions() {}

    /** Node inputs: q, k, v and the mask if any; its outputs: o, log-sum-exp. */
    static Tensor[] backward(Attention op, Node n, Tensor dy) {
        boolean mask = n.inputs() == 4;
        AttentionBackward back = new AttentionBackward(op.scale(), op.causal(), mask);
        Tensor[] in = {dy, n.in(0), n.in(1), n.in(2), n.out(0), n.out(1)};
        return mask ? Arrays.copyOf(Dispatcher.run(back, with(in, n.in(3))), 4) : Dispatcher.run(back, in);
    }

    /** Node inputs: do, q, k, v, o, log-sum-exp and the mask if any; its outputs: dq, dk, dv. */
    static Tensor[] doubleBackward(AttentionBackward op, Node n, Tensor[] g) {
        Attention forward = new Attention(op.scale(), op.causal());
        Tensor[] mask = op.mask() ? new Tensor[] {n.in(6)} : new Tensor[0];
        Tensor[] in = {n.in(0), n.in(1), n.in(2), n.in(3)};
        Tensor[] d = Tape.vjp(t -> Tape.vjp(x -> new Tensor[] {forward.compose(with(x, mask))},
                new Tensor[] {t[1], t[2], t[3]}, new Tensor[] {t[0]}), in, g);
        return Arrays.copyOf(d, n.inputs());
    }

    private static Tensor[] with(Tensor[] in, Tensor... more) {
        Tensor[] all = Arrays.copyOf(in, in.length + more.length);
        System.arraycopy(more, 0, all, in.length, more.length);
        return all;
    }
}
