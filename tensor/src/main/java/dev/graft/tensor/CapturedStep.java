package dev.graft.tensor;

import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.StepGraph;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;

/**
 * A step that a device has recorded, with what it reads and writes of tensors made before it: the ones it reads stay in
 * memory while it is open, and the ones it writes count as written by every replay.
 *
 * <pre>{@code
 * step.run();                                            // once op by op: all that is made on first use exists then
 * try (var captured = CapturedStep.record(device, step)) {
 *     input.write(next);                                 // tensors keep their places: new values go into the old ones
 *     captured.replay(RandomStream.of(seed, 2), rates);
 * }
 * }</pre>
 */
public final class CapturedStep implements AutoCloseable {
    private static final ScopedValue<CapturedStep> RECORDING = ScopedValue.newInstance();

    private final Map<Storage, Tensor> read = new IdentityHashMap<>();
    private final Set<Storage> written = Collections.newSetFromMap(new IdentityHashMap<>());
    private Set<Storage> made = Collections.newSetFromMap(new IdentityHashMap<>());
    private final boolean training = Context.current().training();
    private StepGraph graph;

    private CapturedStep() {}

    /**
     * Runs {@code step} and records its work. It must have run before, and may not read values back. Tensors that it hands
     * out of its scopes stay where they are and have new values after each replay.
     *
     * @throws GraftException when it cannot be recorded; it has had no effect on the device then
     */
    public static CapturedStep record(Device device, Runnable step) {
        CapturedStep c = new CapturedStep();
        boolean done = false;
        try {
            c.graph = ScopedValue.where(RECORDING, c).call(() -> Backends.of(device).capture(step));
            done = true;
            return c;
        } finally {
            c.made = null;
            if (!done) {
                c.close();
            }
        }
    }

    /** Whether the current call is being recorded: what it makes must not be kept for calls outside of the step. */
    public static boolean isRecording() {
        return RECORDING.isBound();
    }

    /**
     * Whether the call is being recorded as part of a training step, which may change {@code t}: what was made of its values
     * before would stay as it is in replays, and is to be made anew.
     */
    public static boolean mayChange(Tensor t) {
        return RECORDING.isBound() && RECORDING.get().training && t.requiresGrad();
    }

    /** For the dispatcher: an op has run. */
    static void ran(Tensor[] in, Tensor[] out) {
        if (RECORDING.isBound()) {
            CapturedStep c = RECORDING.get();
            for (Tensor t : in) {
                if (!c.made.contains(t.storage()) && !c.read.containsKey(t.storage())) {
                    c.read.put(t.storage(), t.retain());
                }
            }
            for (Tensor t : out) {
                c.made.add(t.storage());
            }
        }
    }

    /** For the dispatcher: a tensor was changed in place. */
    static void wrote(Tensor t) {
        if (RECORDING.isBound()) {
            RECORDING.get().written.add(t.storage());
        }
    }

    /** Whether the step changes {@code t} in place. */
    public boolean writes(Tensor t) {
        return written.contains(t.storage());
    }

    /**
     * Does the step again with the values that the tensors it reads have now.
     *
     * @param random  the numbers of this step, of the seed it was recorded with
     * @param updates the step's calls of {@link Dispatcher#updateAll} once more, for their rates and counts
     */
    public void replay(RandomStream random, Runnable updates) {
        graph.replay(random, updates);
        written.forEach(Storage::written);
    }

    /** How many launches one replay saves. */
    public int launches() {
        return graph.launches();
    }

    @Override
    public void close() {
        if (graph != null) {
            graph.close();
            graph = null;
        }
        read.values().forEach(Tensor::close);
        read.clear();
    }
}
