package dev.graft.tensor;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Weights in a low precision, made once. What no tape tracks is kept until its values change, the least used going first
 * when there is too much of it; what a tape tracks is kept within the recording, which must see the cast.
 */
final class WeightCasts implements AutoCloseable {
    private final DType low;
    private final long limit;
    private final Map<Long, Kept> lasting = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<Long, Tracked> tracked = new HashMap<>();
    private long bytes;

    /**
     * @param of        the weight's memory
     * @param version   of the weight that it was made of
     * @param trainable whether the weight is a leaf of tapes: it will change
     */
    private record Kept(Tensor cast, Storage of, int version, boolean trainable) {}

    /** @param chain the interceptors that saw the cast: only under the same ones is it the same value */
    private record Tracked(Tensor cast, int version, List<Interceptor> chain) {}

    WeightCasts(DType low, long limit) {
        this.low = low;
        this.limit = limit;
    }

    /** {@code t} by {@code cast}, or as it was cast before. What a scope will close is no weight and is not kept. */
    Tensor of(Tensor t, UnaryOperator<Tensor> cast) {
        if (t.owner() != null) {
            return cast.apply(t);
        }
        List<Interceptor> chain = Context.current().interceptors();
        Tensor[] one = {t};
        return chain.stream().anyMatch(i -> i.needsPrimitives(one)) ? tracked(t, cast, chain) : lasting(t, cast);
    }

    // casts run outside of the lock: a device may be locked by a step that is being recorded and asks for a weight here

    private Tensor tracked(Tensor t, UnaryOperator<Tensor> cast, List<Interceptor> chain) {
        int version = t.storage().version();
        synchronized (this) {
            Tracked k = tracked.get(t.id());
            if (k != null && k.version == version && k.chain.equals(chain)) {
                return Scope.adopt(k.cast.retain());        // another thread may put its own in its place
            }
        }
        Tensor c = cast.apply(t);
        if (!CapturedStep.isRecording()) {
            Tensor kept = c.retain();
            synchronized (this) {
                Tracked old = tracked.put(t.id(), new Tracked(kept, version, chain));
                if (old != null) {
                    old.cast.close();
                }
            }
        }
        return c;
    }

    private Tensor lasting(Tensor t, UnaryOperator<Tensor> cast) {
        int version = t.storage().version();
        synchronized (this) {
            Kept k = lasting.get(t.id());
            if (k != null && k.version == version && !CapturedStep.mayChange(t)) {
                return Scope.adopt(k.cast.retain());
            }
        }
        long size = t.size() * low.bytes();
        if (size > limit || CapturedStep.isRecording()) {       // what a recorded step makes belongs to it
            return cast.apply(t);
        }
        Tensor c = Scope.persistent(() -> cast.apply(t));
        Tensor mine = Scope.adopt(c.retain());
        keep(t.id(), new Kept(c, t.storage(), version, t.requiresGrad()), size);
        return mine;
    }

    private synchronized void keep(long id, Kept k, long size) {
        if (lasting.containsKey(id)) {
            drop(id);
        }
        // of weights that were replaced since, nobody will ask again
        List.copyOf(lasting.entrySet()).stream().filter(e -> e.getValue().of.isFree()).forEach(e -> drop(e.getKey()));
        while (bytes + size > limit) {
            drop(lasting.keySet().iterator().next());
        }
        lasting.put(id, k);
        bytes += size;
    }

    private void drop(long id) {
        Kept k = lasting.remove(id);
        bytes -= k.cast.size() * low.bytes();
        k.cast.close();
    }

    synchronized long bytes() {
        return bytes;
    }

    synchronized void endEvaluation() {
        List.copyOf(lasting.entrySet()).stream().filter(e -> e.getValue().trainable).forEach(e -> drop(e.getKey()));
    }

    synchronized void endStep() {
        tracked.values().forEach(k -> k.cast.close());
        tracked.clear();
    }

    @Override
    public synchronized void close() {
        endStep();
        new ArrayList<>(lasting.keySet()).forEach(this::drop);
    }
}
