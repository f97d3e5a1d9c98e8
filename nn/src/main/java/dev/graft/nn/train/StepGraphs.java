package dev.graft.nn.train;

import dev.graft.nn.Module;
import dev.graft.nn.NetworkState;
import dev.graft.tensor.CapturedStep;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.Update;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/**
 * Runs training steps on a device that can record them: the first of its kind op by op, the second in a row (or the fourth)
 * recorded, all others by one launch each. Steps are of one kind when their batches have the same shapes and types. When the
 * network changes under a recorded step (layers frozen or unfrozen, weights put in from outside), that step is forgotten and
 * begins anew.
 */
final class StepGraphs implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(StepGraphs.class.getName());
    /** Each holds the memory of a whole step. */
    private static final int KEPT = 4;
    /** Steps of a kind, never two in a row, before one is recorded: that of an epoch's last batch is hardly worth it. */
    private static final int OFTEN = 3;
    /** Kinds that are remembered; beyond, the one used longest ago begins anew. */
    private static final int KNOWN = 32;
    /** More recordings than this, and no more than half as many replays: shapes change too often. */
    private static final int TOO_MANY = 24;

    private final StepWork work;
    private final Device device;
    private final NetworkState network;
    /** By the batches' shapes, the one used longest ago first. */
    private final LinkedHashMap<List<TensorSpec>, Kind> kinds = new LinkedHashMap<>(16, 0.75f, true);
    private Kind last;
    private boolean refused;
    private int recordings;
    private long replays;

    StepGraphs(StepWork work, Device device, Module model) {
        this.work = work;
        this.device = device;
        this.network = new NetworkState(model);
    }

    /** What is known of the steps of one kind. */
    private static final class Kind {
        private long[] seen;
        private int times;
        private Recorded recorded;

        /** Values that the step itself changes; before it is recorded, what steps of other kinds change as well. */
        boolean mayChange(Tensor t) {
            return recorded == null || recorded.graph.writes(t);
        }

        void forget() {
            seen = null;
            times = 0;
            if (recorded != null) {
                recorded.close();
                recorded = null;
            }
        }
    }

    /** A recorded step, the tensors that it reads its batches from, and what it leaves. */
    private record Recorded(CapturedStep graph, List<TrainingBatch> inputs, StepWork.Done done) implements AutoCloseable {
        @Override
        public void close() {
            graph.close();
            inputs.forEach(b -> {
                b.input().close();
                b.target().close();
            });
            done.report().close();
            done.changes().close();
        }
    }

    /** A step on {@code batches}, its changes included. */
    StepWork.Done run(List<TrainingBatch> batches, double[] factors) {
        if (refused || !Context.current().interceptors().stream().allMatch(Interceptor::allowsCapture)) {
            return eager(batches, factors);
        }
        Kind kind = kind(batches);
        if (kind.seen != null && !network.unchanged(kind.seen, kind::mayChange)) {
            kind.forget();
        }
        if (kind.recorded != null) {
            last = kind;
            return replay(kind.recorded, batches, factors);
        }
        boolean again = kind == last;
        last = kind;
        if (kind.seen != null && (again || kind.times >= OFTEN)) {
            return record(kind, batches, factors);
        }
        StepWork.Done done = eager(batches, factors);
        kind.seen = network.now();
        kind.times++;
        return done;
    }

    private Kind kind(List<TrainingBatch> batches) {
        List<TensorSpec> key = new ArrayList<>();
        batches.forEach(b -> {
            key.add(b.input().spec());
            key.add(b.target().spec());
        });
        if (kinds.size() >= KNOWN && !kinds.containsKey(key)) {
            kinds.pollFirstEntry().getValue().forget();
        }
        return kinds.computeIfAbsent(key, k -> new Kind());
    }

    private StepWork.Done eager(List<TrainingBatch> batches, double[] factors) {
        StepWork.Done done = work.run(batches.iterator(), batches.size() > 1);
        done.changes().run(factors);
        return done;
    }

    private StepWork.Done record(Kind kind, List<TrainingBatch> batches, double[] factors) {
        if (recordings > TOO_MANY && replays < recordings / 2) {
            return refuse("the shapes of the batches change too often", batches, factors);
        }
        makeRoom();
        Backends.of(device).trim();             // what steps run op by op have used, the graph takes for itself
        List<TrainingBatch> inputs = Scope.persistent(() -> batches.stream()
                .map(b -> new TrainingBatch(b.input().copy(), b.target().copy(), b.indices())).toList());
        StepWork.Done[] out = new StepWork.Done[1];
        boolean[] changed = new boolean[1];
        try {
            CapturedStep graph = CapturedStep.record(device, () -> {
                try (Scope s = Scope.open("captured step")) {
                    StepWork.Done d = work.run(inputs.iterator(), inputs.size() > 1);
                    out[0] = new StepWork.Done(d.report().retain(), d.parts(), d.changes().retained());
                    d.changes().run(factors);
                    changed[0] = true;
                }
            });
            kind.recorded = new Recorded(graph, inputs, out[0]);
            kind.seen = network.now();
            recordings++;
            LOG.log(Level.DEBUG, "a training step is recorded: {0} launches become one", graph.launches());
            return out[0];
        } catch (GraftException e) {
            inputs.forEach(b -> {
                b.input().close();
                b.target().close();
            });
            if (out[0] != null) {
                if (changed[0]) {
                    out[0].changes().undo();        // on the device nothing has changed
                }
                out[0].report().close();
                out[0].changes().close();
            }
            return refuse(e.getMessage(), batches, factors);
        }
    }

    /** From here on steps run op by op. */
    private StepWork.Done refuse(String why, List<TrainingBatch> batches, double[] factors) {
        LOG.log(Level.INFO, "training steps run op by op: {0}", why);
        refused = true;
        close();
        return eager(batches, factors);
    }

    private StepWork.Done replay(Recorded r, List<TrainingBatch> batches, double[] factors) {
        for (int i = 0; i < batches.size(); i++) {
            Dispatcher.update(new Update.Assign(), r.inputs().get(i).input(), batches.get(i).input());
            Dispatcher.update(new Update.Assign(), r.inputs().get(i).target(), batches.get(i).target());
        }
        r.graph().replay(Context.current().random(), () -> r.done().changes().run(factors));
        replays++;
        return r.done();
    }

    /** Before another step is recorded. */
    private void makeRoom() {
        List<Kind> recorded = kinds.values().stream().filter(k -> k.recorded != null).toList();
        if (recorded.size() >= KEPT) {
            recorded.getFirst().forget();
        }
    }

    @Override
    public void close() {
        kinds.values().forEach(Kind::forget);
        kinds.clear();
    }
}
