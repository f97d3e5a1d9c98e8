package dev.graft.tensor;

import dev.graft.tensor.backend.Backend;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * What holds for the ops of one call: training mode, random numbers, recording, the module path for messages, and for
 * tests another backend. It is bound to the call and its callees, not stored in modules, so a loaded model is immutable in
 * inference and can be shared between threads.
 *
 * <pre>{@code
 * Context.training(seed, step).call(() -> model.call(x));
 * }</pre>
 *
 * @param training     whether dropout drops and batch norm uses the batch's statistics
 * @param random       the step's random numbers
 * @param interceptors outermost first
 * @param path         path of the running module, empty outside of modules
 * @param numerics     how exactly devices compute
 * @param cpu          the CPU backend to use instead of the default, or null
 */
public record Context(boolean training, RandomStream random, List<Interceptor> interceptors, String path, Numerics numerics,
                      Backend cpu) {
    private static final ScopedValue<Context> CURRENT = ScopedValue.newInstance();
    private static final Context UNBOUND = new Context(false, RandomStream.of(0, 0), List.of(), "", Numerics.DEFAULT,
            null);

    /**
     * The context of this call. When none was bound: inference, and random numbers of one stream that the whole process
     * shares, so that two calls differ; bind a context for numbers that can be repeated.
     */
    public static Context current() {
        return CURRENT.orElse(UNBOUND);
    }

    /** Evaluation mode, nothing recorded, seed 0. */
    public static Context inference() {
        Context c = current();
        return new Context(false, RandomStream.of(0, 0), List.of(), "", c.numerics, c.cpu);
    }

    /** Training mode for step {@code step} of a run with {@code seed}. Recording is the tape's matter. */
    public static Context training(long seed, long step) {
        Context c = current();
        return new Context(true, RandomStream.of(seed, step), List.of(), "", c.numerics, c.cpu);
    }

    public Context withTraining(boolean on) {
        return new Context(on, random, interceptors, path, numerics, cpu);
    }

    public Context withRandom(RandomStream r) {
        return new Context(training, r, interceptors, path, numerics, cpu);
    }

    /** Adds {@code i} nearest to the backend. */
    public Context with(Interceptor i) {
        List<Interceptor> l = new ArrayList<>(interceptors);
        l.add(i);
        return new Context(training, random, List.copyOf(l), path, numerics, cpu);
    }

    /** Adds {@code i} before all others. */
    public Context withOutermost(Interceptor i) {
        List<Interceptor> l = new ArrayList<>(interceptors);
        l.addFirst(i);
        return new Context(training, random, List.copyOf(l), path, numerics, cpu);
    }

    public Context withoutInterceptors() {
        return new Context(training, random, List.of(), path, numerics, cpu);
    }

    public Context without(Class<? extends Interceptor> kind) {
        return new Context(training, random, interceptors.stream().filter(i -> !kind.isInstance(i)).toList(), path, numerics,
                cpu);
    }

    public Context withPath(String p) {
        return new Context(training, random, interceptors, p, numerics, cpu);
    }

    public Context withNumerics(Numerics n) {
        return new Context(training, random, interceptors, path, n, cpu);
    }

    public Context withCpu(Backend backend) {
        return new Context(training, random, interceptors, path, numerics, backend);
    }

    public <T> T call(Supplier<T> body) {
        return ScopedValue.where(CURRENT, this).call(body::get);
    }

    public void run(Runnable body) {
        ScopedValue.where(CURRENT, this).run(body);
    }
}
