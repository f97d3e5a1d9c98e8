package dev.graft.nn;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A learnable tensor of a module. Its values are made on first use (by its initialiser) unless they are loaded before, so
 * building a pretrained network costs no random numbers. It lives outside of every scope, until its module is closed.
 */
public final class Parameter {
    private static final AtomicLong CREATED = new AtomicLong();

    /** What a parameter is for: decides weight decay, and how another framework's layout is turned into ours. */
    public enum Kind {
        /** [O, kH, kW, I/groups]; PyTorch stores [O, I/groups, kH, kW]. */
        CONV_WEIGHT,
        /** [O, 1, k, I/groups]; PyTorch stores [O, I/groups, k]. */
        CONV1D_WEIGHT,
        /** [I, kH, kW, O/groups]; PyTorch stores [I, O/groups, kH, kW]. */
        CONV_TRANSPOSE_WEIGHT,
        /** [O, I], as PyTorch. */
        LINEAR_WEIGHT,
        /** [V, D]. */
        EMBEDDING,
        /** Scale of a normalisation, [C]. */
        NORM_WEIGHT,
        /** Any additive term, the shift of a normalisation included. */
        BIAS,
        /** Anything else, in PyTorch's layout. */
        OTHER
    }

    private final TensorSpec spec;
    private final Kind kind;
    private final Init init;
    private Tensor value;
    private boolean trainable = true;
    private long seed;
    private long stream;
    private Device device = Device.CPU;
    private boolean closed;

    Parameter(Shape shape, Kind kind, Init init) {
        this.spec = new TensorSpec(DType.F32, shape);
        this.kind = kind;
        this.init = init;
        this.stream = CREATED.incrementAndGet();
    }

    /** The values, made now if this is their first use. */
    public synchronized Tensor value() {
        if (closed) {
            throw new GraftException("parameter: the module it belongs to is closed, its " + spec
                    + " values are gone: close a network only after its last use");
        }
        if (value == null) {
            set(moved(Scope.persistent(() -> init.make(spec.shape(), seed, stream)), device));
        }
        return value;
    }

    private void set(Tensor t) {
        if (value != null) {
            value.close();
        }
        value = t.requiresGrad(trainable && t.dtype().isFloat());
    }

    /** {@code t}, a handle that belongs to no scope, as one on {@code to}. */
    static Tensor moved(Tensor t, Device to) {
        if (t.device().equals(to)) {
            return t;
        }
        try (t) {
            return Scope.persistent(() -> t.to(to));
        }
    }

    /** Where its values lie, or will once they are made. */
    public synchronized Device device() {
        return device;
    }

    synchronized void to(Device target) {
        device = target;
        if (value != null && !value.device().equals(target)) {
            set(Scope.persistent(() -> value.to(target)));
        }
    }

    /**
     * Puts {@code t} in place of the values; it must have their shape. One on another device is copied to the parameter's.
     * The parameter closes it, now or later.
     */
    public synchronized void assign(Tensor t) {
        if (!t.shape().equals(spec.shape())) {
            throw new GraftException("parameter: " + t.spec() + " does not fit shape " + spec.shape());
        }
        set(moved(t, device));
    }

    /** Random values by {@code seed} and the parameter's path, independent of the order of construction. */
    synchronized void initialize(long seed, String path) {
        this.seed = seed;
        long h = 1125899906842597L;
        for (int i = 0; i < path.length(); i++) {
            h = 31 * h + path.charAt(i);
        }
        this.stream = h;
        if (value != null) {
            value.close();
            value = null;
        }
    }

    public Shape shape() {
        return spec.shape();
    }

    public long size() {
        return spec.shape().size();
    }

    public Kind kind() {
        return kind;
    }

    /** Whether it has a gradient and is changed by optimizers. */
    public boolean trainable() {
        return trainable;
    }

    public synchronized Parameter trainable(boolean on) {
        trainable = on;
        if (value != null) {
            value.requiresGrad(on && value.dtype().isFloat());
        }
        return this;
    }

    /** Whether weight decay applies by default: not to biases and scales of normalisations. */
    public boolean decays() {
        return kind != Kind.BIAS && kind != Kind.NORM_WEIGHT;
    }

    synchronized void close() {
        closed = true;
        if (value != null) {
            value.close();
            value = null;
        }
    }
}
