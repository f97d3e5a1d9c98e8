package dev.graft.nn;

import dev.graft.tensor.Tensor;
import java.util.List;
import java.util.function.Predicate;

/**
 * Notices that a network is another than a moment ago: other layers, other tensors, other values, something frozen or
 * unfrozen.
 */
public final class NetworkState {
    private final Module model;
    private List<Module> modules;
    private List<Parameter> parameters;
    private List<Buffer> buffers;
    private long structure;
    /** How often the network got other layers. */
    private long rebuilt;

    public NetworkState(Module model) {
        this.model = model;
        look();
    }

    private void look() {
        structure = Module.structure();
        modules = List.copyOf(model.modules().values());
        parameters = List.copyOf(model.parameters().values());
        buffers = List.copyOf(model.buffers().values());
    }

    /** Lists the layers anew if they may be others; modules, parameters and buffers are told apart by identity. */
    private void lookAgain() {
        if (structure != Module.structure()) {
            List<Module> m = modules;
            List<Parameter> p = parameters;
            List<Buffer> b = buffers;
            look();
            rebuilt += m.equals(modules) && p.equals(parameters) && b.equals(buffers) ? 0 : 1;
        }
    }

    /** How it is now. */
    public long[] now() {
        lookAgain();
        long[] s = new long[1 + modules.size() + 3 * parameters.size() + 2 * buffers.size()];
        s[0] = rebuilt;
        int i = 1;
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
        lookAgain();
        if (before[0] != rebuilt) {
            return false;
        }
        int i = 1;
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
