package dev.graft.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Step-scoped memory: closing a scope closes every tensor that was made in it on this thread, except what was kept.
 *
 * <pre>{@code
 * try (var step = Scope.open()) {
 *     Tensor y = x.matmul(w).relu();
 *     return step.keep(y.sum());     // now belongs to the scope around this one, or to the caller
 * }
 * }</pre>
 *
 * Without an open scope a tensor lives until it is closed or garbage collected. Scopes close in the reverse order of
 * their opening.
 */
public final class Scope implements AutoCloseable {
    private static final ThreadLocal<Scope> CURRENT = new ThreadLocal<>();

    private final Scope parent;
    private final String name;
    private final boolean collecting;
    private final List<Tensor> tensors = new ArrayList<>();
    private boolean closed;

    private Scope(Scope parent, String name, boolean collecting) {
        this.parent = parent;
        this.name = name;
        this.collecting = collecting;
    }

    public static Scope open() {
        return open("scope");
    }

    /** @param name what the error says when a tensor of this scope is used later */
    public static Scope open(String name) {
        return push(new Scope(CURRENT.get(), name, true));
    }

    /** Runs {@code make} so that what it allocates belongs to no scope: for parameters and optimizer state. */
    public static <T> T persistent(Supplier<T> make) {
        try (Scope s = push(new Scope(CURRENT.get(), "persistent", false))) {
            return make.get();
        }
    }

    private static Scope push(Scope s) {
        CURRENT.set(s);
        return s;
    }

    static void register(Tensor t) {
        Scope s = CURRENT.get();
        if (s != null && s.collecting) {
            t.owner(s);
            s.tensors.add(t);
        }
    }

    /** Makes {@code t}, a handle that belongs to no scope, a tensor of the scope open now; the caller's if none is. */
    public static Tensor adopt(Tensor t) {
        if (t.owner() == null) {
            register(t);
        }
        return t;
    }

    /** Hands {@code t} to the scope around this one; with none around it, to the caller. */
    public Tensor keep(Tensor t) {
        if (t.owner() == this) {
            Scope to = parent;
            if (to != null && to.collecting) {
                t.owner(to);
                to.tensors.add(t);
            } else {
                t.owner(null);
            }
        }
        return t;
    }

    /** Closes {@code t} now when it belongs to the scope open on this thread; what others own stays open. */
    public static void drop(Tensor t) {
        if (t.owner() != null && t.owner() == CURRENT.get()) {
            t.close();
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        if (CURRENT.get() != this) {
            throw new GraftException("scope '" + name + "' was closed out of order or on another thread:"
                    + " open scopes in try-with-resources");
        }
        closed = true;
        if (parent == null) {
            CURRENT.remove();
        } else {
            CURRENT.set(parent);
        }
        for (Tensor t : tensors) {
            if (t.owner() == this) {
                t.closeBy(name);
            }
        }
        tensors.clear();
    }
}
