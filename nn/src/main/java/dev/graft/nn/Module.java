package dev.graft.nn;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.backend.Backends;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * A layer or a network: a function of a tensor with parameters, buffers and child modules. Subclasses register these in
 * their constructors and implement {@link #forward}; callers use {@link #call}. Paths are PyTorch's, such as
 * {@code layer3.0.bn1.weight}, so weights of torchvision and timm load by name.
 *
 * <p>A module holds no mode and no precision: training is a property of the call ({@link Context}). A frozen module runs
 * as in evaluation whatever the call says, its children included: dropout is off and batch norm keeps its statistics.
 */
public abstract class Module implements AutoCloseable {
    /** How often any module was given a child, a parameter or a buffer: while it stays, no network has other layers. */
    private static final AtomicLong STRUCTURE = new AtomicLong();

    private final Map<String, Module> children = new LinkedHashMap<>();
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final Map<String, Buffer> buffers = new LinkedHashMap<>();
    private String name = "";
    private boolean frozen;
    private Device device = Device.CPU;

    /** The function itself: [N, ...] to [N, ...]. Values it makes are freed when the call returns, but for its result. */
    protected abstract Tensor forward(Tensor x);

    /** Runs this module on {@code x}. */
    public final Tensor call(Tensor x) {
        return within(() -> forward(x));
    }

    /** Runs {@code body} as part of this module: its path in messages, its frozen state, its intermediates freed. */
    protected final Tensor within(Supplier<Tensor> body) {
        Context c = Context.current();
        String path = name.isEmpty() || c.path().isEmpty() ? c.path() + name : c.path() + "." + name;
        Context inner = c.withPath(path);
        return (frozen && c.training() ? inner.withTraining(false) : inner).call(() -> {
            try (Scope scope = Scope.open(path.isEmpty() ? "model" : path)) {
                return scope.keep(body.get());
            }
        });
    }

    /** Registers {@code child} under {@code name} and returns it. */
    protected final <M extends Module> M child(String name, M child) {
        Module m = child;
        if (!m.name.isEmpty() && !m.name.equals(name)) {
            throw new GraftException("module: a " + child.getClass().getSimpleName() + " named " + m.name
                    + " cannot become " + name + " as well: build a second one");
        }
        m.name = name;
        children.put(name, child);
        STRUCTURE.incrementAndGet();
        return child;
    }

    protected final Parameter parameter(String name, Parameter.Kind kind, Init init, int... dims) {
        Parameter p = new Parameter(Shape.of(dims), kind, init);
        parameters.put(name, p);
        STRUCTURE.incrementAndGet();
        return p;
    }

    /** Registers values that are saved with the module but not learned by gradients, such as running statistics. */
    protected final Buffer buffer(String name, Supplier<Tensor> initial) {
        Buffer b = new Buffer(initial);
        buffers.put(name, b);
        STRUCTURE.incrementAndGet();
        return b;
    }

    /** The parameter that {@link #quantize} may store in fewer bits, because {@link #forward} can read it so; or null. */
    String quantizable() {
        return null;
    }

    /** The buffer {@code <name>_scale} [rows] where parameter {@code p} of that name lies, made if there is none. */
    final Buffer addScale(String name, Parameter p) {
        String scale = name + Quantization.SCALE;
        if (!buffers.containsKey(scale)) {
            Shape rows = Shape.of(p.shape().dim(0));
            buffer(scale, () -> Tensor.fill(new TensorSpec(DType.F32, rows), 1, Device.CPU)).to(p.device());
        }
        return buffers.get(scale);
    }

    final void removeScale(String name) {
        Buffer b = buffers.remove(name + Quantization.SCALE);
        if (b != null) {
            b.close();
            STRUCTURE.incrementAndGet();
        }
    }

    /**
     * Stores the frozen weights of all linear layers within, those of attention included, as {@code type}: bfloat16 is half
     * of float32, int8 a quarter (symmetric, one float32 scale for every output; activations stay float32). Where few rows
     * are multiplied at a time, as in predicting for one text, reading the weights is most of the work and becomes faster,
     * though by less than the bytes become fewer. Gradients pass through such layers. Weights that are being trained,
     * convolutions and embeddings stay as they are; float32 undoes it, but for what rounding took.
     *
     * <pre>{@code
     * model.freeze(ParamSelector.ALL);
     * System.out.println(model.quantize(DType.I8));
     * }</pre>
     *
     * @param type bfloat16, int8, or float32 to go back
     * @return what was stored how
     * @throws GraftException when no linear weight within is frozen, for another type, or when a weight is NaN or infinite
     *                        and has no int8 value; all weights are as they were then
     */
    public final Quantization quantize(DType type) {
        return Quantization.apply(this, type);
    }

    /** Grows when layers are built or replaced, of any network. */
    static long structure() {
        return STRUCTURE.get();
    }

    public final Map<String, Module> children() {
        return Collections.unmodifiableMap(children);
    }

    /** The descendant at {@code path}, such as {@code layer1.0.conv1}; this module for the empty path. */
    public final Module at(String path) {
        Module m = this;
        for (String step : path.isEmpty() ? new String[0] : path.split("\\.")) {
            Module next = m.children.get(step);
            if (next == null) {
                throw new GraftException("module: there is no '" + path + "': '" + step + "' is none of "
                        + m.children.keySet());
            }
            m = next;
        }
        return m;
    }

    /** Puts {@code replacement} where the module at {@code path} is: how a head is replaced. */
    public final void replace(String path, Module replacement) {
        int dot = path.lastIndexOf('.');
        Module parent = at(dot < 0 ? "" : path.substring(0, dot));
        String last = path.substring(dot + 1);
        Module old = at(path);
        parent.child(last, replacement).to(old.device());
        parent.replaced(last, old, replacement);
    }

    /** Called after a child was replaced; a module that keeps its children in fields takes the new one over. */
    protected void replaced(String name, Module old, Module replacement) {}

    /**
     * All parameters with their paths, in the order of registration.
     *
     * @throws GraftException when one layer is at two places: it has two names, and would be trained twice in a step
     */
    public final Map<String, Parameter> parameters() {
        Map<String, Parameter> all = new LinkedHashMap<>();
        Map<Parameter, String> places = new IdentityHashMap<>();
        visit((path, m) -> m.parameters.forEach((n, p) -> {
            String here = join(path, n);
            String there = places.putIfAbsent(p, here);
            if (there != null) {
                throw new GraftException("module: " + there + " and " + here + " are one parameter, at two places: build a"
                        + " second layer for one of them, or have one layer and call it twice");
            }
            all.put(here, p);
        }));
        return all;
    }

    /** All buffers with their paths. */
    public final Map<String, Buffer> buffers() {
        Map<String, Buffer> all = new LinkedHashMap<>();
        visit((path, m) -> m.buffers.forEach((n, b) -> all.put(join(path, n), b)));
        return all;
    }

    /** All modules with their paths, this one first with the empty path. */
    public final Map<String, Module> modules() {
        Map<String, Module> all = new LinkedHashMap<>();
        visit(all::put);
        return all;
    }

    private void visit(BiConsumer<String, Module> visitor) {
        visit("", visitor);
    }

    private void visit(String path, BiConsumer<String, Module> visitor) {
        visitor.accept(path, this);
        children.forEach((n, c) -> c.visit(join(path, n), visitor));
    }

    private static String join(String path, String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    /** Number of learnable values, frozen ones included. */
    public final long parameterCount() {
        return parameters().values().stream().mapToLong(Parameter::size).sum();
    }

    /** New random values for every parameter, by {@code seed} and path. */
    public final Module initialize(long seed) {
        modules().values().stream().filter(m -> m.quantizable() != null).forEach(m -> m.removeScale(m.quantizable()));
        parameters().forEach((path, p) -> p.initialize(seed, path));
        buffers().values().forEach(Buffer::reset);
        return this;
    }

    /** Where this module computes: where its first parameter lies. */
    public final Device device() {
        return parameters().values().stream().findFirst().map(Parameter::device).orElse(device);
    }

    /**
     * Moves parameters and buffers to {@code target}; what is made or loaded later goes there too. What is trainable and
     * frozen stays so. Optimizers follow in their next step.
     *
     * @return this
     * @throws GraftException when there is no such device; nothing has moved then
     */
    public Module to(Device target) {
        Backends.of(target);
        modules().values().forEach(m -> {
            m.parameters.values().forEach(p -> p.to(target));
            m.buffers.values().forEach(b -> b.to(target));
            if (!m.device.equals(target)) {
                m.release();
            }
            m.device = target;
        });
        return this;
    }

    public final boolean frozen() {
        return frozen;
    }

    /**
     * Freezes what {@code selector} selects and nothing else: no gradient, no optimizer state, no penalty, batch norm with
     * fixed statistics, dropout and stochastic depth off. Gradients still pass through to trainable layers below. Whatever
     * was frozen or made trainable before is forgotten.
     */
    public final void freeze(ParamSelector selector) {
        freeze(selector, ParamSelector.NONE);
    }

    /**
     * Freezes what {@code selector} selects and nothing else; besides, batch norms that {@code fixedStatistics} selects
     * keep their running statistics while their scale and shift may learn.
     */
    public final void freeze(ParamSelector selector, ParamSelector fixedStatistics) {
        parameters().forEach((path, p) -> {
            if (p.dtype() != DType.F32 && !selector.matches(path)) {
                throw new GraftException("freeze: " + path + " is stored as " + p.dtype() + " and cannot become trainable:"
                        + " call quantize(DType.F32) on the model first, or keep it frozen");
            }
        });
        parameters().forEach((path, p) -> p.trainable(!selector.matches(path)));
        modules().forEach((path, m) -> m.frozen = m.becomesFrozen(!path.isEmpty() && selector.matches(path))
                || m instanceof BatchNorm2d && fixedStatistics.matches(path));
    }

    /**
     * By its parameters, where it has any: one that is selected with an exception inside must not run the exception as in
     * evaluation.
     */
    private boolean becomesFrozen(boolean selected) {
        Map<String, Parameter> mine = parameters();
        return mine.isEmpty() ? selected : mine.values().stream().noneMatch(Parameter::trainable);
    }

    /** Frees what a layer has derived from its parameters. */
    void release() {}

    /** Frees parameters and buffers. */
    @Override
    public final void close() {
        modules().values().forEach(m -> {
            m.release();
            m.parameters.values().forEach(Parameter::close);
            m.buffers.values().forEach(Buffer::close);
        });
    }

    /** What the printed summary says of this module besides its class, such as {@code 64 to 128, 3x3}. */
    protected String describe() {
        return "";
    }

    /** The tree of modules, one a line. */
    @Override
    public String toString() {
        StringBuilder s = new StringBuilder();
        print(s, "");
        return s.toString();
    }

    private void print(StringBuilder s, String indent) {
        s.append(getClass().getSimpleName());
        if (!describe().isEmpty()) {
            s.append('(').append(describe()).append(')');
        }
        children.forEach((n, c) -> {
            s.append('\n').append(indent).append("  ").append(n).append(": ");
            c.print(s, indent + "  ");
        });
    }
}
