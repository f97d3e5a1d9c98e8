package dev.graft.autograd;

import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Op;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): a segment's inner values are not kept for backward but
 * computed a second time there, with the same random numbers. Costs one more forward pass of the segment, saves its
 * activations. Batch norm inside a segment would update its running statistics twice; {@code nn} takes care of that.
 */
public final class Checkpoint {
    private static final ScopedValue<Boolean> RECOMPUTING = ScopedValue.newInstance();

    private Checkpoint() {}

    /** Whether the current call is the second computation of a segment: side effects must not be repeated. */
    public static boolean isRecomputing() {
        return RECOMPUTING.isBound();
    }

    /**
     * segment(x), remembered by its input only. The leaves that the segment uses get their gradients as usual. When no
     * tape records, or several do (second derivatives), the segment simply runs.
     *
     * @throws GraftException when the segment computes with what the tape has recorded or watches outside of it, leaves and
     *                        x excepted: that would get no gradient
     */
    public static Tensor run(UnaryOperator<Tensor> segment, Tensor x) {
        Context context = Context.current();
        List<Interceptor> recorders = context.interceptors().stream().filter(Tape.Recorder.class::isInstance).toList();
        if (recorders.size() != 1) {
            return segment.apply(x);
        }
        Tape tape = ((Tape.Recorder) recorders.getFirst()).tape();
        RandomStream replay = context.random().fork();
        Probe probe = new Probe(tape, x);
        Tensor y = first(segment, x, probe);
        if (!probe.met || y.id() == x.id()) {
            return y;
        }
        Node.Rule rule = (n, dy) -> {
            Tensor in = n.in(0);
            List<Interceptor> now = new ArrayList<>(context.interceptors());
            now.removeIf(i -> !(i instanceof Autocast));
            now.addAll(Context.current().interceptors());
            Context again = new Context(context.training(), replay.fork(), now,
                    context.path(), context.numerics(), context.cpu());
            Map<Long, Tensor> all = again.call(() -> ScopedValue.where(RECOMPUTING, true)
                    .call(() -> recompute(segment, in, dy[0])));
            Tensor dx = all.remove(in.id());
            tape.extra(all);
            return new Tensor[] {dx};
        };
        boolean[] needs = {tape.tracks(x)};
        tape.add(new Node("checkpoint", context.path(), rule, new Tensor[] {x}, needs, new Tensor[] {y}, 1),
                new Tensor[] {y});
        return y;
    }

    private static Tensor first(UnaryOperator<Tensor> segment, Tensor x, Probe probe) {
        try (Scope s = Scope.open("checkpointed segment")) {
            Tensor y = Tape.noGrad(() -> Context.current().with(probe).call(() -> segment.apply(x)));
            return s.keep(y);
        }
    }

    /** Notes whether a segment reads a tracked tensor: one that is frozen, on frozen input, has nothing to compute twice. */
    static final class Probe implements Interceptor {
        private final Tape tape;
        private final long input;
        private boolean met;

        Probe(Tape tape, Tensor x) {
            this.tape = tape;
            this.input = x.id();
        }

        /** Asked of weights as well that autocast has kept in its type: no op reads those, only what was made of them. */
        @Override
        public boolean needsPrimitives(Tensor[] in) {
            for (Tensor t : in) {
                met |= wantsGradient(t);
            }
            return false;
        }

        @Override
        public Tensor[] intercept(Op op, Tensor[] in, Next next) {
            Tensor[] out = next.run(op, in);
            for (Tensor t : in) {
                met |= wantsGradient(t);
                if (wantsGradient(t) && !t.requiresGrad() && t.id() != input && out[0].dtype().isFloat()) {
                    throw new GraftException("checkpoint: the segment reads " + t.spec() + ", which was recorded outside of"
                            + " it and would get no gradient: compute it within the segment, make it its input, or detach"
                            + " it");
                }
            }
            return out;
        }

        private boolean wantsGradient(Tensor t) {
            return tape.tracks(t) && t.dtype().isFloat();
        }
    }

    private static Map<Long, Tensor> recompute(UnaryOperator<Tensor> segment, Tensor x, Tensor dy) {
        try (Tape inner = new Tape()) {
            inner.watch(x);
            Tensor y = inner.record(() -> segment.apply(x));
            return new HashMap<>(inner.backward(y, dy).byId());
        }
    }
}
