package dev.graft.autograd;

import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.PrimitiveOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Records the differentiable ops of a call and walks them backwards.
 *
 * <pre>{@code
 * Tensor w = Tensor.of(new float[] {3}).requiresGrad(true);
 * try (var tape = new Tape()) {
 *     Tensor loss = tape.record(() -> w.square().sum());
 *     Tensor dw = tape.backward(loss).of(w);      // 6
 * }
 * }</pre>
 *
 * Only what depends on a leaf (a tensor with {@link Tensor#requiresGrad()} or one given to {@link #watch}) is recorded,
 * and only the values that a rule will read are kept, until backward has passed them. Tapes nest: when backward runs
 * inside the recording of another tape, that one records it, which gives second derivatives. A tape serves one thread and
 * one backward pass.
 */
public final class Tape implements AutoCloseable {
    private final List<Node> nodes = new ArrayList<>();
    private final Set<Long> tracked = new HashSet<>();
    private final Set<Long> watched = new HashSet<>();
    private final Map<Long, Tensor> extra = new HashMap<>();
    private final Map<Long, Node> remade = new HashMap<>();
    private final Map<Long, Storage> leaves = new HashMap<>();
    private final Recorder recorder = new Recorder(this);
    private boolean used;
    private boolean leavesUnknown;

    /** Takes gradients by leaves from a backward pass that is under way: see {@link #backward(Tensor, Receiver)}. */
    @FunctionalInterface
    public interface Receiver {
        /**
         * The gradient by the leaf of this {@link Tensor#id()} is complete, and what is left of the pass does not read the
         * leaf's values, which may be changed.
         *
         * @param gradient closed by the tape when true is returned: who keeps it has to {@link Tensor#retain() retain} it
         * @return true if the gradient has been taken; false to find it in {@link Gradients}
         */
        boolean take(long leaf, Tensor gradient);
    }

    /** Stands in the dispatch chain while a tape records. */
    static final class Recorder implements Interceptor {
        private final Tape tape;

        Recorder(Tape tape) {
            this.tape = tape;
        }

        Tape tape() {
            return tape;
        }

        @Override
        public boolean needsPrimitives(Tensor[] inputs) {
            if (tape.used) {
                return false;   // backward was called within record: its ops are no part of the recording
            }
            for (Tensor t : inputs) {
                if (tape.tracks(t)) {
                    return true;
                }
            }
            return false;
        }

        @Override
        public boolean takesApart(FusedOp op, Tensor[] inputs) {
            return needsPrimitives(inputs) && !FusedGradients.has(op, inputs);
        }

        @Override
        public boolean allowsCapture() {
            return true;
        }

        @Override
        public Tensor[] intercept(Op op, Tensor[] in, Next next) {
            Tensor[] out = next.run(op, in);
            if (op instanceof PrimitiveOp primitive && needsPrimitives(in)) {
                tape.add(primitive, in, out);
            } else if (op instanceof FusedOp fused && needsPrimitives(in)) {
                tape.add(fused, in, out);
            }
            return out;
        }
    }

    /**
     * Asks for the gradient by {@code t}: a tensor made before recording, which becomes a leaf, or one made by a recorded op
     * (as PyTorch's {@code retain_grad}).
     */
    public Tensor watch(Tensor t) {
        tracked.add(t.id());
        watched.add(t.id());
        return t;
    }

    boolean tracks(Tensor t) {
        return t.requiresGrad() || tracked.contains(t.id());
    }

    /** Runs {@code body} with this tape recording. May be called several times before backward. */
    public <T> T record(Supplier<T> body) {
        if (used) {
            throw new GraftException("tape: it has been through backward: use a new one for every step");
        }
        return Context.current().with(recorder).call(body);
    }

    /** Runs {@code body} with no tape recording, as PyTorch's {@code no_grad}. */
    public static <T> T noGrad(Supplier<T> body) {
        Context c = Context.current();
        return c.interceptors().isEmpty() ? body.get()
                : c.without(Recorder.class).without(Checkpoint.Probe.class).call(body);
    }

    /** Whether any tape records the current call. */
    public static boolean isRecording() {
        return Context.current().interceptors().stream().anyMatch(Recorder.class::isInstance);
    }

    private void add(PrimitiveOp op, Tensor[] in, Tensor[] out) {
        boolean[] needs = new boolean[in.length];
        boolean any = false;
        for (int i = 0; i < in.length; i++) {
            needs[i] = tracks(in[i]) && in[i].dtype().isFloat();
            any |= needs[i];
        }
        if (!any || !out[0].dtype().isFloat()) {
            return;
        }
        for (int i = 0; i < in.length; i++) {
            if (needs[i] && in[i].requiresGrad()) {
                leaves.put(in[i].id(), in[i].storage());
            }
        }
        Node node = new Node(op.name(), Context.current().path(), (n, dy) -> GradientTable.backward(op, n, dy), in,
                needs, out, GradientTable.saves(op, needs));
        track(node, out);
        Node before = in.length == 1 ? remade.get(in[0].id()) : null;
        if (op instanceof ElementwiseOp.Unary u && (u.fn() == UnaryFn.GELU || u.fn() == UnaryFn.GELU_TANH)) {
            node.remake(out[0], () -> Dispatcher.one(op, node.in(0)));      // its rule reads the input in any case
            remade.put(out[0].id(), node);
        } else if (op instanceof LayoutOp.Reshape && before != null && before.makes(in[0])) {
            node.remake(out[0], () -> Dispatcher.one(op, before.again()));  // as a product does with its rows
            remade.put(out[0].id(), node);
        } else {
            remakeInputs(node, in);
        }
    }

    /**
     * The activations between the two layers of a transformer's feed-forward part are the largest tensors of a step: their
     * input is kept for their own gradient, so that the layer behind need not keep their output too.
     */
    private void remakeInputs(Node node, Tensor[] in) {
        for (int i = 0; i < in.length; i++) {
            Node maker = remade.get(in[i].id());
            if (maker != null) {
                node.remadeBy(maker, i);
            }
        }
    }

    private void add(FusedOp op, Tensor[] in, Tensor[] out) {
        boolean[] needs = new boolean[in.length];
        for (int i = 0; i < in.length; i++) {
            needs[i] = tracks(in[i]);
        }
        for (int i = 0; i < in.length; i++) {
            if (needs[i] && in[i].requiresGrad()) {
                leaves.put(in[i].id(), in[i].storage());
            }
        }
        Node node = new Node(op.name(), Context.current().path(), (n, dy) -> FusedGradients.backward(op, n, dy), in, needs,
                out, FusedGradients.saves(op, needs));
        track(node, out);
        remakeInputs(node, in);
    }

    /** Records a computation with a rule of its own, which may also return gradients of other leaves by {@link #extra}. */
    void add(Node node, Tensor[] out) {
        leavesUnknown = true;
        track(node, out);
    }

    private void track(Node node, Tensor[] out) {
        nodes.add(node);
        for (Tensor t : out) {
            if (t.dtype().isFloat()) {
                tracked.add(t.id());
            }
        }
    }

    /** Gradients of {@code loss}, a single value, by all leaves. */
    public Gradients backward(Tensor loss) {
        single(loss);
        return backward(loss, loss.onesLike());
    }

    /**
     * Gradients of {@code loss}, a single value, by all leaves but those whose gradients {@code receiver} takes while the
     * pass is under way: they are never in memory all at once.
     */
    public Gradients backward(Tensor loss, Receiver receiver) {
        single(loss);
        return backward(new Tensor[] {loss}, new Tensor[] {loss.onesLike()}, receiver);
    }

    private static void single(Tensor loss) {
        if (loss.size() != 1) {
            throw new GraftException("backward: the loss has shape " + loss.shape() + ", a single value is needed: reduce"
                    + " it by mean() or sum(), or give a seed");
        }
    }

    /** Gradients of the sum of {@code output · seed} by all leaves; seed has the output's shape. */
    public Gradients backward(Tensor output, Tensor seed) {
        return backward(new Tensor[] {output}, new Tensor[] {seed});
    }

    Gradients backward(Tensor[] outputs, Tensor[] seeds) {
        return backward(outputs, seeds, null);
    }

    private Gradients backward(Tensor[] outputs, Tensor[] seeds, Receiver receiver) {
        if (used) {
            throw new GraftException("backward: this tape has been used: record again on a new one");
        }
        used = true;
        Map<Long, Tensor> grads = new HashMap<>();
        try {
            // rules compute in the types of the forward pass
            Context.current().without(Autocast.class).run(() -> walk(outputs, seeds, grads, receiver));
        } catch (RuntimeException | Error e) {
            grads.values().forEach(Tensor::close);   // these handles belong to no scope
            throw e;
        }
        grads.values().forEach(Scope::adopt);
        return new Gradients(grads);
    }

    private void walk(Tensor[] outputs, Tensor[] seeds, Map<Long, Tensor> grads, Receiver receiver) {
        for (int i = 0; i < outputs.length; i++) {
            if (!tracks(outputs[i])) {
                throw new GraftException("backward: the output " + outputs[i].spec()
                        + " depends on no tracked tensor: nothing in it requires a gradient, or it was not recorded");
            }
            if (!seeds[i].spec().equals(outputs[i].spec())) {
                throw new GraftException("backward: seed " + seeds[i].spec() + " does not fit output " + outputs[i].spec());
            }
            accumulate(grads, outputs[i].id(), seeds[i]);
        }
        Map<Integer, List<Long>> complete = receiver == null ? Map.of() : complete();
        for (int i = nodes.size() - 1; i >= 0; i--) {
            Node n = nodes.get(i);
            step(n, grads);
            n.close();
            nodes.set(i, null);
            for (long leaf : complete.getOrDefault(i, List.of())) {
                Tensor g = grads.get(leaf);
                if (g != null && receiver.take(leaf, g)) {
                    grads.remove(leaf);
                    g.close();
                }
            }
        }
        nodes.clear();
    }

    /**
     * For places among the nodes, the leaves whose gradients are complete when backward has passed there: all nodes that use
     * a leaf lie behind, and so do those that saved its values without wanting its gradient. Where it is not known what a
     * node uses, or another tape records this pass, nothing is complete before the end.
     */
    private Map<Integer, List<Long>> complete() {
        boolean last = leavesUnknown || Context.current().interceptors().stream()
                .anyMatch(r -> r instanceof Recorder other && !other.tape.used);
        Map<Long, Integer> first = new HashMap<>();
        Map<Storage, Integer> read = new IdentityHashMap<>();
        Set<Long> made = new HashSet<>();
        for (int i = nodes.size() - 1; i >= 0; i--) {
            Node n = nodes.get(i);
            for (int k = 0; k < n.inputs(); k++) {
                first.put(n.inputId(k), i);
            }
            for (int k = 0; k < n.outputs(); k++) {
                made.add(n.outputId(k));
            }
            for (Storage s : n.savedStorages()) {
                read.put(s, i);
            }
        }
        Map<Integer, List<Long>> at = new HashMap<>();
        leaves.forEach((leaf, storage) -> {
            if (!made.contains(leaf)) {
                int i = last ? 0 : Math.min(first.get(leaf), read.getOrDefault(storage, Integer.MAX_VALUE));
                at.computeIfAbsent(i, k -> new ArrayList<>()).add(leaf);
            }
        });
        return at;
    }

    private void step(Node n, Map<Long, Tensor> grads) {
        Tensor[] dy = new Tensor[n.outputs()];
        boolean any = false;
        for (int k = 0; k < dy.length; k++) {
            long id = n.outputId(k);
            dy[k] = grads.remove(id);
            if (dy[k] != null && watched.contains(id)) {
                grads.put(id, dy[k].retain());
            }
            any |= dy[k] != null;
        }
        if (!any) {
            return;
        }
        try (Scope scope = Scope.open("backward")) {
            Tensor[] dx = Context.current().withPath(n.path()).call(() -> n.backward(dy));
            for (int k = 0; k < n.inputs(); k++) {
                if (n.needs(k) && dx[k] != null) {
                    accumulate(grads, n.inputId(k), dx[k]);
                }
            }
            extra.forEach((id, g) -> accumulate(grads, id, g));
        } finally {
            extra.clear();
            for (Tensor t : dy) {
                if (t != null) {
                    t.close();
                }
            }
        }
    }

    /** For rules that recompute: gradients of leaves that were no inputs of their node. */
    void extra(Map<Long, Tensor> gradients) {
        extra.putAll(gradients);
    }

    private static void accumulate(Map<Long, Tensor> grads, long id, Tensor g) {
        Tensor old = grads.get(id);
        if (old == null) {
            grads.put(id, g.retain());
        } else {
            try (Scope s = Scope.open("backward"); Tensor before = old) {
                grads.put(id, before.add(g).retain());
            }
        }
    }

    /**
     * The vector-Jacobian product of {@code f} at {@code in}: gradients of Σ f(in)·dy by each input, null where the output
     * does not depend on it. Differentiable itself when an outer tape records.
     */
    public static Tensor[] vjp(Function<Tensor[], Tensor[]> f, Tensor[] in, Tensor[] dy) {
        try (Tape tape = new Tape()) {
            for (Tensor t : in) {
                if (t.dtype().isFloat()) {
                    tape.watch(t);
                }
            }
            Tensor[] out = tape.record(() -> f.apply(in));
            List<Tensor> ys = new ArrayList<>();
            List<Tensor> seeds = new ArrayList<>();
            for (int i = 0; i < out.length; i++) {
                if (dy[i] != null && tape.tracks(out[i])) {
                    ys.add(out[i]);
                    seeds.add(dy[i]);
                }
            }
            Gradients g = tape.backward(ys.toArray(new Tensor[0]), seeds.toArray(new Tensor[0]));
            Tensor[] dx = new Tensor[in.length];
            for (int i = 0; i < dx.length; i++) {
                dx[i] = g.find(in[i]);
            }
            return dx;
        }
    }

    /** How many ops are recorded and not yet walked by backward; a frozen layer adds none. */
    public int size() {
        return nodes.size();
    }

    @Override
    public void close() {
        used = true;
        for (Node n : nodes) {
            if (n != null) {
                n.close();
            }
        }
        nodes.clear();
        leaves.clear();
        remade.clear();
        tracked.clear();
        watched.clear();
    }
}
