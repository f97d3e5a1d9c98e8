package dev.graft.tensor;

import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import java.util.List;
import java.util.function.Supplier;

/**
 * The way of every op: checks, interceptors, shape rule, memory, backend. Interceptors see the op before its shape rule
 * has run, so that they may change its inputs (autocast).
 */
public final class Dispatcher {
    private static final Tensor[] NONE = {};

    private Dispatcher() {}

    /** Runs an op with one output. */
    public static Tensor one(Op op, Tensor... in) {
        return run(op, in)[0];
    }

    public static Tensor[] run(Op op, Tensor... in) {
        Context context = Context.current();
        for (Tensor t : in) {
            t.checkOpen();
        }
        List<Interceptor> chain = context.interceptors();
        if (op instanceof FusedOp fused && takesApart(chain, fused, in)) {
            if (!(chain.getFirst() instanceof Autocast)) {
                infer(op, in, context);     // with an error that names the whole; autocast's inputs may differ in type
            }
            return fused.compose(in);
        }
        return chain.isEmpty() ? execute(op, in, context) : next(chain, 0, op, in, context);
    }

    private static boolean takesApart(List<Interceptor> chain, FusedOp op, Tensor[] in) {
        for (Interceptor i : chain) {
            if (i.takesApart(op, in)) {
                return true;
            }
        }
        return false;
    }

    private static Tensor[] next(List<Interceptor> chain, int i, Op op, Tensor[] in, Context context) {
        return i == chain.size() ? execute(op, in, context)
                : chain.get(i).intercept(op, in, (o, x) -> next(chain, i + 1, o, x, context));
    }

    private static TensorSpec[] infer(Op op, Tensor[] in, Context context) {
        TensorSpec[] specs = new TensorSpec[in.length];
        for (int i = 0; i < in.length; i++) {
            specs[i] = in[i].spec();
        }
        try {
            return op.infer(specs);
        } catch (GraftException e) {
            throw new GraftException(label(op.name(), context) + ": " + e.getMessage(), e.getCause());
        }
    }

    private static String label(String name, Context context) {
        return context.path().isEmpty() ? name : name + " in " + context.path();
    }

    private static Tensor[] execute(Op op, Tensor[] in, Context context) {
        TensorSpec[] specs = infer(op, in, context);
        if (op instanceof LayoutOp view) {
            Tensor v = view(view, in[0], specs[0]);
            if (v != null) {
                return new Tensor[] {v};
            }
        }
        Backend backend = Backends.of(device(op, in, context));
        if (op instanceof FusedOp fused && !backend.supports(fused)) {
            return fused.compose(in);
        }
        String label = label(op.name(), context);
        Tensor[] out = new Tensor[specs.length];
        boolean done = false;
        try {
            for (int i = 0; i < out.length; i++) {
                out[i] = Tensor.in(backend.allocate(specs[i].dtype(), specs[i].shape().size(), label), specs[i]);
            }
            backend.run(op, in, out);
            CapturedStep.ran(in, out);
            done = true;
        } catch (GraftException e) {
            String m = e.getMessage();
            throw m.startsWith(op.name()) || m.startsWith("out of memory") ? e
                    : new GraftException(label + ": " + m, e.getCause());
        } finally {
            if (!done) {
                close(out);
            }
        }
        return out;
    }

    private static void close(Tensor[] out) {
        for (Tensor t : out) {
            if (t != null) {
                t.close();
            }
        }
    }

    private static Tensor view(LayoutOp op, Tensor x, TensorSpec out) {
        return switch (op) {
            case LayoutOp.Reshape r -> x.view(out.shape(), 0);
            case LayoutOp.Slice s when s.isRows(x.shape()) ->
                    x.view(out.shape(), s.begin()[0] * x.shape().count(1, x.rank()));
            case LayoutOp.BroadcastTo b when out.shape().size() == x.size() -> x.view(out.shape(), 0);
            case LayoutOp.Slice s -> null;
            case LayoutOp.BroadcastTo b -> null;
            case LayoutOp.Permute p -> null;
            case LayoutOp.Concat c -> null;
            case LayoutOp.Pad p -> null;
        };
    }

    private static Device device(Op op, Tensor[] in, Context context) {
        if (op instanceof CreateOp c) {
            return c.device();
        }
        Device d = in[0].device();
        for (Tensor t : in) {
            if (!t.device().equals(d)) {
                throw new GraftException(label(op.name(), context) + ": inputs lie on " + d + " and " + t.device()
                        + ": move one of them with to(device)");
            }
        }
        return d;
    }

    /** Changes {@code target} in place; see {@link Update}. */
    public static void update(Update update, Tensor target, Tensor... in) {
        check(update, target, in);
        change(update.name(), target.device(), List.of(new Change(update, target, in)),
                () -> Backends.of(target.device()).update(update, target, in));
    }

    /** {@link #updateAll(List, Tensor, double)} without clipping. */
    public static void updateAll(List<Change> changes, Tensor scale) {
        updateAll(changes, scale, Change.NO_LIMIT);
    }

    /**
     * A step's updates at once, all on one device; see {@link Backend#updateAll}. For a GPU these are a few launches instead
     * of one for every tensor.
     *
     * @param scale what every gradient (the first input) is multiplied by before, a float32 scalar on that device; null for
     *              1, and where it is NaN or infinite nothing changes
     * @param limit every element of a scaled gradient is clipped to [−limit, limit], NaN stays NaN; {@link
     *              Change#NO_LIMIT} for none
     */
    public static void updateAll(List<Change> changes, Tensor scale, double limit) {
        if (!(limit > 0)) {
            throw new GraftException("the gradients' limit is " + limit + ": a number above 0 is needed");
        }
        if (changes.isEmpty()) {
            return;
        }
        Device device = changes.getFirst().target().device();
        for (Change c : changes) {
            check(c.update(), c.target(), c.in());
            if (!c.target().device().equals(device)) {
                throw new GraftException(c.update().name() + ": one call's targets lie on " + device + " and "
                        + c.target().device() + ": update each device by itself");
            }
        }
        if (scale != null) {
            scale.checkOpen();
            if (scale.dtype() != DType.F32 || scale.size() != 1 || !scale.device().equals(device)) {
                throw new GraftException("the gradients' scale is " + scale.spec() + " on " + scale.device()
                        + ": one float32 value on " + device + " is needed");
            }
        }
        change("updates", device, changes, () -> Backends.of(device).updateAll(changes, scale, limit));
    }

    /**
     * What {@code get} gives: the next data that {@code device} is to work on, such as a batch of images. That is no op, but
     * a profiler tells how long it took.
     */
    public static <T> T waiting(Device device, Supplier<T> get) {
        Supplier<T> r = get;
        for (Interceptor i : Context.current().interceptors().reversed()) {
            Supplier<T> inner = r;
            r = () -> i.waiting(device, inner);
        }
        return r.get();
    }

    private static void change(String name, Device device, List<Change> changes, Runnable change) {
        try {
            changing(name, device, change);
        } catch (Throwable failure) {       // perhaps done in part: nothing made of the values before may be used any more
            for (Change c : changes) {
                try {
                    written(c);
                } catch (RuntimeException closed) {
                    failure.addSuppressed(closed);
                }
            }
            throw failure;
        }
        changes.forEach(Dispatcher::written);
    }

    private static void changing(String name, Device device, Runnable change) {
        Runnable r = change;
        for (Interceptor i : Context.current().interceptors().reversed()) {
            Runnable inner = r;
            r = () -> i.update(name, device, inner);
        }
        r.run();
    }

    private static void check(Update update, Tensor target, Tensor[] in) {
        target.checkOpen();
        if (in.length != update.inputs()) {
            throw new GraftException(label(update.name(), Context.current()) + ": takes " + update.inputs()
                    + " inputs beside the target, got " + in.length);
        }
        for (Tensor t : in) {
            t.checkOpen();
            if (!t.spec().equals(target.spec()) || !t.device().equals(target.device())) {
                throw new GraftException(label(update.name(), Context.current()) + ": " + t.spec() + " on " + t.device()
                        + " does not fit the target, " + target.spec() + " on " + target.device());
            }
        }
    }

    private static void written(Change c) {
        Tensor[] in = c.in();
        CapturedStep.ran(in, NONE);
        written(c.target());
        for (Tensor t : in) {
            if (!(c.update() instanceof Update.Assign || c.update() instanceof Update.Axpby) && t != in[0]) {
                written(t);
            }
        }
    }

    private static void written(Tensor t) {
        t.storage().written();
        CapturedStep.wrote(t);
    }
}
