package dev.graft.nn;

import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.function.Supplier;

/** A tensor that belongs to a module and is saved with it but has no gradient: running statistics, fixed tables. */
public final class Buffer {
    private final Supplier<Tensor> initial;
    private Device device = Device.CPU;
    private Tensor value;

    Buffer(Supplier<Tensor> initial) {
        this.initial = initial;
    }

    public synchronized Tensor value() {
        if (value == null) {
            value = Parameter.moved(Scope.persistent(initial), device);
        }
        return value;
    }

    synchronized void to(Device target) {
        device = target;
        if (value != null && !value.device().equals(target)) {
            Tensor old = value;
            value = Scope.persistent(() -> old.to(target));        // may fail for want of memory: the old one stays then
            old.close();
        }
    }

    /**
     * Puts {@code t} in place of the values; shape and dtype must be the same. One on another device is copied to the
     * buffer's. The buffer closes it, now or later.
     */
    public synchronized void assign(Tensor t) {
        if (!t.spec().equals(value().spec())) {
            throw new GraftException("buffer: " + t.spec() + " does not fit " + value.spec());
        }
        Tensor next = Parameter.moved(t, device);
        value.close();
        value = next;
    }

    synchronized void reset() {
        close();
    }

    synchronized void close() {
        if (value != null) {
            value.close();
            value = null;
        }
    }
}
