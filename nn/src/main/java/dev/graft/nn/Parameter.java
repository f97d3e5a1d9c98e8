package dev.graft.nn;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.StoredLinearOp;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

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
    private DType stored = DType.F32;
    private Buffer scale;
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

    /** The values, made now if this is their first use; of a quantised parameter as they are stored. */
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
     * A quantised parameter stays so: float32 values are stored as the ones before were. The parameter closes {@code t}, now
     * or later.
     */
    public synchronized void assign(Tensor t) {
        fits(t);
        if (narrows(t)) {
            try (t) {
                put(Quantization.narrow(t, stored));
            }
            return;
        }
        set(moved(t, device));
    }

    /**
     * Whether {@link #assign} would take {@code t}; changes nothing. For callers that assign many, to all or none.
     *
     * @throws GraftException when it would not: for another shape, int8 without a scale, or NaN and infinite values that
     *                        are to be stored as int8
     */
    public synchronized void check(Tensor t) {
        fits(t);
        if (narrows(t) && stored == DType.I8) {
            Quantization.checkFinite(t);
        }
    }

    private void fits(Tensor t) {
        if (!t.shape().equals(spec.shape())) {
            throw new GraftException("parameter: " + t.spec() + " does not fit shape " + spec.shape());
        }
        if (t.dtype().isInteger() && t.dtype() != stored) {
            throw new GraftException("parameter: " + t.spec() + " values come without their scale: widen them to float32,"
                    + " or call quantize(DType.I8) on the model first");
        }
    }

    private boolean narrows(Tensor t) {
        return stored != DType.F32 && t.dtype() != stored && t.dtype().isFloat();
    }

    /** What the values are stored as: float32, or what {@link Module#quantize} chose. */
    public synchronized DType dtype() {
        return stored;
    }

    /** The factors [O] of int8 values, one a row; null unless they are int8. */
    public synchronized Buffer scale() {
        return scale;
    }

    /** Stores the values as {@code type} from now on; {@code factors} takes those of int8. */
    synchronized void store(DType type, Supplier<Buffer> factors) {
        try (Scope s = Scope.open("quantize")) {
            Tensor[] narrow = Quantization.narrow(widened(), type);      // may refuse; nothing has changed then
            stored = type;
            scale = factors.get();
            put(narrow);
        }
    }

    private void put(Tensor[] narrow) {
        set(moved(narrow[0], device));
        if (scale != null) {
            scale.assign(narrow[1]);
        }
    }

    /** The values as float32, in the scope that is open: another handle of them, or a widened copy. */
    public Tensor widened() {
        Tensor t = value();
        return switch (dtype()) {
            case I8 -> {
                try (Tensor q = t.cast(DType.F32); Tensor factors = scale.value().reshape(t.dim(0), 1)) {
                    yield q.mul(factors);
                }
            }
            case F32 -> Scope.adopt(t.retain());
            default -> t.cast(DType.F32);
        };
    }

    /** x · wᵀ + bias with rows {@code from} to {@code to} of a quantised parameter; bias may be null. */
    Tensor product(Tensor x, int from, int to, Tensor bias) {
        Tensor w = value().slice(0, from, to);
        StoredLinearOp op = new StoredLinearOp.StoredLinear(bias != null);
        if (scale == null) {
            return bias == null ? Dispatcher.one(op, x, w) : Dispatcher.one(op, x, w, bias);
        }
        Tensor s = scale.value().slice(0, from, to);
        return bias == null ? Dispatcher.one(op, x, w, s) : Dispatcher.one(op, x, w, s, bias);
    }

    /** Random values by {@code seed} and the parameter's path, independent of the order of construction. */
    synchronized void initialize(long seed, String path) {
        this.seed = seed;
        long h = 1125899906842597L;
        for (int i = 0; i < path.length(); i++) {
            h = 31 * h + path.charAt(i);
        }
        this.stream = h;
        stored = DType.F32;
        scale = null;
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

    /** @throws GraftException for a quantised parameter that is to be trained */
    public synchronized Parameter trainable(boolean on) {
        if (on && stored != DType.F32) {
            throw new GraftException("parameter: " + spec.shape() + " values are stored as " + stored
                    + " and cannot be trained: call quantize(DType.F32) on the model first, or leave them frozen");
        }
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
