package dev.graft.nn;

import dev.graft.autograd.Tape;
import dev.graft.tensor.CapturedStep;
import dev.graft.tensor.Context;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.Update;
import java.lang.System.Logger.Level;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A network's forward pass in inference, recorded for each shape of input on devices that can, and replayed by one launch:
 * what is small then costs a launch instead of hundreds. Elsewhere, and while a tape records, the network simply runs. Its
 * weights may change between calls; what was recorded is then recorded anew.
 *
 * <p>Several threads may call it, one after the other.
 */
public final class CapturedForward implements UnaryOperator<Tensor>, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(CapturedForward.class.getName());
    /** Recorded shapes; each holds the memory of a pass. */
    private static final int KEPT = 4;
    /** Calls of one kind that run op by op before one is recorded: recording costs about as much as three of them. */
    private static final int FIRST = 2;

    private final UnaryOperator<Tensor> forward;
    private final Module model;
    private final LinkedHashMap<Kind, Pass> passes = new LinkedHashMap<>(16, 0.75f, true);
    private NetworkState network;
    private long[] state;
    private boolean on;

    private record Kind(TensorSpec input, Numerics numerics, List<Interceptor> interceptors) {}

    private static final class Pass {
        private int calls;
        private CapturedStep graph;
        private RandomStream random;
        private Tensor input;
        private Tensor output;

        void close() {
            if (graph != null) {
                graph.close();
            }
            if (input != null) {
                input.close();
            }
            if (output != null) {
                output.close();
            }
        }
    }

    /** Of {@code model}; recorded unless property {@code graft.graphs} is false. */
    public CapturedForward(Module model) {
        this(model, model::call, !"false".equals(System.getProperty("graft.graphs")));
    }

    /**
     * @param model   whose parameters and buffers {@code forward} reads, and no others
     * @param forward depends on nothing else but its argument
     * @param on      false to run always op by op
     */
    public CapturedForward(Module model, UnaryOperator<Tensor> forward, boolean on) {
        this.model = model;
        this.forward = forward;
        this.on = on;
    }

    /** The network's output for {@code x}, a tensor of the open scope. */
    @Override
    public Tensor apply(Tensor x) {
        Context c = Context.current();
        if (!on || c.training() || CapturedStep.isRecording() || Tape.isRecording() || !Backends.of(x.device()).captures()
                || !c.interceptors().stream().allMatch(Interceptor::allowsCapture)) {
            return forward.apply(x);
        }
        synchronized (this) {
            return replayed(x, new Kind(x.spec(), c.numerics(), c.interceptors()));
        }
    }

    private Tensor replayed(Tensor x, Kind kind) {
        if (network == null) {
            Tensor y = forward.apply(x);        // makes what is made on first use
            network = new NetworkState(model);
            state = network.now();
            return y;
        }
        if (!network.unchanged(state, t -> false)) {
            forget();
            state = network.now();
        }
        Pass p = passes.computeIfAbsent(kind, k -> new Pass());
        if (p.graph == null && p.calls++ < FIRST) {
            makeRoom();
            return forward.apply(x);
        }
        try {
            if (p.graph == null) {
                record(p, x);
            } else {
                Dispatcher.update(new Update.Assign(), p.input, x);
                p.graph.replay(p.random.fork(), () -> { });
            }
            return p.output.copy();
        } catch (GraftException e) {
            if (p.graph != null) {
                throw e;
            }
            LOG.log(Level.INFO, "forward passes run op by op: {0}", e.getMessage());
            forget();
            on = false;
            return forward.apply(x);
        }
    }

    private void record(Pass p, Tensor x) {
        p.input = Scope.persistent(x::copy);
        p.random = Context.current().random().fork();
        p.graph = CapturedStep.record(x.device(), () -> {
            try (Scope s = Scope.open("captured forward")) {
                p.output = forward.apply(p.input).retain();
            }
        });
    }

    private void makeRoom() {
        while (passes.size() > KEPT) {
            passes.pollFirstEntry().getValue().close();
        }
    }

    private void forget() {
        passes.values().forEach(Pass::close);
        passes.clear();
    }

    /** Frees what was recorded; the network stays. */
    @Override
    public synchronized void close() {
        forget();
    }
}
