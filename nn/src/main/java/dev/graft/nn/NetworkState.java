package dev.graft.nn;

import dev.graft.tensor.Tensor;
import java.util.List;
import java.util.function.Predicate;

/** Notices that a network is another than a moment ago: other tensors, other values, something frozen or unfrozen. */
public final class NetworkState {
    private final List<Module> modules;
    private final List<Parameter> parameters;
    private final List<Buffer> buffers;

    /** The network must keep its layers: a replaced head is not noticed. */
    public NetworkState(Module model) {
        modules = List.copyOf(model.modules().values());
        parameters = List.copyOf(model.parameters().values());
        buffers = List.copyOf(model.buffers().values());
    }

    /** How it is now. */
    public long[] now() {
        long[] s = new long[modules.size() + 3 * parameters.size() + 2 * buffers.size()];
        int i = 0;
        for (Module m : modules) {
            s[i++] = m.frozen() ? 1 : 0;
        }
        for (Parameter p : parameters) {
            s[i++] = p.trainable() ? 1 : 0;
            s[i++] = p.value().id();
            s[i++] = p.value().storage().version();
        }
        for (Buffer b : buffers) {
            s[i++] = b.value().id();
            s[i++] = b.value().storage().version();
        }
        return s;
    }

    /** Whether it is as it was at {@code before}, apart from the values of what {@code mayChange}. */
    public boolean unchanged(long[] before, Predicate<Tensor> mayChange) {
        int i = 0;
        for (Module m : modules) {
            if (before[i++] != (m.frozen() ? 1 : 0)) {
                return false;
            }
        }
        for (Parameter p : parameters) {
            if (before[i++] != (p.trainable() ? 1 : 0) || !same(before, i, p.value(), mayChange)) {
                return false;
            }
            i += 2;
        }
        for (Buffer b : buffers) {
            if (!same(before, i, b.value(), mayChange)) {
                return false;
            }
            i += 2;
        }
        return true;
    }

    private static boolean same(long[] before, int i, Tensor t, Predicate<Tensor> mayChange) {
        return before[i] == t.id() && (before[i + 1] == t.storage().version() || mayChange.test(t));
    }
}
