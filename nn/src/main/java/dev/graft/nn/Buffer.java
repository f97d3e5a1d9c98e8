package dev.graft.nn;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.function.Supplier;

/** A tensor that belongs to a module and is saved with it but has no gradient: running statistics, fixed tables. */
public final class Buffer {
    private final Supplier<Tensor> initial;
    private Tensor value;

    Buffer(Supplier<Tensor> initial) {
        this.initial = initial;
    }

    public synchronized Tensor value() {
        if (value == null) {
            value = Scope.persistent(initial);
        }
        return value;
    }

    /** Puts {@code t} in place of the values; shape and dtype must be the same. */
    public synchronized void assign(Tensor t) {
        if (!t.spec().equals(value().spec())) {
            throw new GraftException("buffer: " + t.spec() + " does not fit " + value.spec());
        }
        value.close();
        value = t;
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
