package dev.graft.tensor;

import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.ResizeOp;
import dev.graft.tensor.op.UnaryFn;
import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

/**
 * A dense, row-major array of numbers on a device. Ops return new tensors; {@link #reshape} and slices along the first
 * axis are views of the same memory. A tensor belongs to the {@link Scope} that was open when it was made and is closed
 * with it; use after close is an error that names the scope.
 */
public final class Tensor implements AutoCloseable {
    private static final AtomicLong IDS = new AtomicLong();

    private final long id;
    private final TensorSpec spec;
    private final Storage storage;
    private final long offset;
    private Scope owner;
    private boolean requiresGrad;
    private String closedBy;

    /** For the dispatcher and backends: a new tensor over {@code storage}, whose first handle it becomes. */
    Tensor(TensorSpec spec, Storage storage, long offset) {
        this(IDS.incrementAndGet(), spec, storage, offset);
        Scope.register(this);
    }

    private Tensor(long id, TensorSpec spec, Storage storage, long offset) {
        this.id = id;
        this.spec = spec;
        this.storage = storage;
        this.offset = offset;
    }

    // ------------------------------------------------------------------ making

    public static Tensor of(float[] values, int... dims) {
        return copyOf(DType.F32, values, values.length, Shape.of(dims));
    }

    public static Tensor of(double[] values, int... dims) {
        return copyOf(DType.F64, values, values.length, Shape.of(dims));
    }

    public static Tensor of(int[] values, int... dims) {
        return copyOf(DType.I32, values, values.length, Shape.of(dims));
    }

    public static Tensor of(long[] values, int... dims) {
        return copyOf(DType.I64, values, values.length, Shape.of(dims));
    }

    public static Tensor of(boolean[] values, int... dims) {
        byte[] b = new byte[values.length];
        for (int i = 0; i < b.length; i++) {
            b[i] = (byte) (values[i] ? 1 : 0);
        }
        return copyOf(DType.BOOL, b, b.length, Shape.of(dims));
    }

    public static Tensor scalar(float value) {
        return of(new float[] {value});
    }

    /**
     * Takes over {@code array} without copying it; the caller must not change it afterwards.
     *
     * @param array an array of the dtype's carrier, see {@link HostStorage}
     */
    public static Tensor from(DType dtype, Object array, Shape shape) {
        check(dtype, array, Array.getLength(array), shape);
        return new Tensor(new TensorSpec(dtype, shape), HostAllocator.wrap(dtype, array, "data"), 0);
    }

    /**
     * The first {@code count} values of {@code array} in memory of the engine's own, where vectors begin at cache lines.
     *
     * @param array an array of the dtype's carrier, see {@link HostStorage}
     */
    public static Tensor copyOf(DType dtype, Object array, int count, Shape shape) {
        check(dtype, array, count, shape);
        if (count > Array.getLength(array)) {
            throw new GraftException("tensor: " + count + " values were asked for of an array of " + Array.getLength(array));
        }
        HostStorage storage = HostStorage.allocate(dtype, count, "data");
        System.arraycopy(array, 0, storage.array(), Math.toIntExact(storage.first()), count);
        return new Tensor(new TensorSpec(dtype, shape), storage, storage.first());
    }

    private static void check(DType dtype, Object array, int n, Shape shape) {
        if (array.getClass().getComponentType() != HostAllocator.carrier(dtype)) {
            throw new GraftException("tensor: a " + array.getClass().getSimpleName() + " cannot hold " + dtype);
        }
        if (n != shape.size()) {
            throw new GraftException("tensor: " + n + " values do not fill shape " + shape + " of " + shape.size());
        }
    }

    public static Tensor zeros(int... dims) {
        return full(0, dims);
    }

    public static Tensor ones(int... dims) {
        return full(1, dims);
    }

    public static Tensor full(double value, int... dims) {
        return fill(new TensorSpec(DType.F32, Shape.of(dims)), value, Device.CPU);
    }

    public static Tensor fill(TensorSpec spec, double value, Device device) {
        return Dispatcher.one(new CreateOp.Fill(spec, value, device));
    }

    /** 0, 1, ... count-1 as {@code dtype}. */
    public static Tensor arange(DType dtype, int count) {
        return Dispatcher.one(new CreateOp.Arange(new TensorSpec(dtype, Shape.of(count)), 0, 1, Device.CPU));
    }

    /** float32, uniform in [low, high), from the context's random numbers. */
    public static Tensor uniform(double low, double high, int... dims) {
        return random(new TensorSpec(DType.F32, Shape.of(dims)), CreateOp.Distribution.UNIFORM, low, high, Device.CPU);
    }

    /** float32, normal with mean 0 and deviation 1, from the context's random numbers. */
    public static Tensor randn(int... dims) {
        return random(new TensorSpec(DType.F32, Shape.of(dims)), CreateOp.Distribution.NORMAL, 0, 1, Device.CPU);
    }

    public static Tensor random(TensorSpec spec, CreateOp.Distribution distribution, double a, double b, Device device) {
        RandomStream r = Context.current().random();
        return Dispatcher.one(new CreateOp.Random(spec, distribution, a, b, r.seed(), r.next(), device));
    }

    public Tensor zerosLike() {
        return fill(spec, 0, device());
    }

    public Tensor onesLike() {
        return fill(spec, 1, device());
    }

    // ------------------------------------------------------------------ what it is

    /** The value's identity: handles of the same value share it, views do not. */
    public long id() {
        return id;
    }

    public TensorSpec spec() {
        return spec;
    }

    public Shape shape() {
        return spec.shape();
    }

    public DType dtype() {
        return spec.dtype();
    }

    public Device device() {
        return storage.device();
    }

    public int rank() {
        return spec.rank();
    }

    public int dim(int axis) {
        return spec.dim(axis);
    }

    public long size() {
        return spec.shape().size();
    }

    /** Whether a tape that is recording tracks this tensor as a leaf. */
    public boolean requiresGrad() {
        return requiresGrad;
    }

    public Tensor requiresGrad(boolean on) {
        if (on && !dtype().isFloat()) {
            throw new GraftException("a tensor of " + dtype() + " has no gradient: only floating-point tensors do");
        }
        requiresGrad = on;
        return this;
    }

    /** For backends: the memory. */
    public Storage storage() {
        checkOpen();
        return storage;
    }

    /** For backends: where this tensor begins in its storage, in elements. */
    public long offset() {
        return offset;
    }

    /** For backends on the CPU. */
    public HostStorage host() {
        if (storage() instanceof HostStorage h) {
            return h;
        }
        throw new GraftException("a tensor on " + device() + " was read as if it lay on the CPU: copy it with to(cpu)");
    }

    // ------------------------------------------------------------------ lifetime

    /** Another handle of the same value, in no scope; the memory stays until it is closed too. */
    public Tensor retain() {
        checkOpen();
        storage.retain();
        Tensor t = new Tensor(id, spec, storage, offset);
        t.requiresGrad = requiresGrad;
        return t;
    }

    /** The same memory under a new identity, unknown to any tape. */
    public Tensor detach() {
        return view(shape(), 0);
    }

    /** All of what was allocated. */
    static Tensor in(Storage storage, TensorSpec spec) {
        return new Tensor(spec, storage, storage.first());
    }

    Tensor view(Shape shape, long from) {
        checkOpen();
        storage.retain();
        return new Tensor(new TensorSpec(dtype(), shape), storage, offset + from);
    }

    @Override
    public void close() {
        closeBy("close()");
    }

    void closeBy(String who) {
        if (closedBy == null) {
            closedBy = who;
            storage.release();
        }
    }

    public boolean isClosed() {
        return closedBy != null;
    }

    void checkOpen() {
        if (closedBy != null) {
            throw new GraftException("tensor " + spec + " was used after " + closedBy
                    + " closed it: keep it with Scope.keep, or copy its values first");
        }
    }

    Scope owner() {
        return owner;
    }

    void owner(Scope s) {
        owner = s;
    }

    // ------------------------------------------------------------------ reading

    /** The elements as a new array of the dtype's carrier. */
    public Object toArray() {
        Object a = Array.newInstance(HostAllocator.carrier(dtype()), Math.toIntExact(size()));
        Backends.of(device()).read(this, a);
        return a;
    }

    public float[] toFloats() {
        return (float[]) (dtype() == DType.F32 ? toArray() : readAs(DType.F32));
    }

    public double[] toDoubles() {
        return (double[]) (dtype() == DType.F64 ? toArray() : readAs(DType.F64));
    }

    public int[] toInts() {
        return (int[]) (dtype() == DType.I32 ? toArray() : readAs(DType.I32));
    }

    public long[] toLongs() {
        return (long[]) (dtype() == DType.I64 ? toArray() : readAs(DType.I64));
    }

    private Object readAs(DType d) {
        try (Tensor t = cast(d)) {
            return t.toArray();
        }
    }

    /** The only element. */
    public double item() {
        if (size() != 1) {
            throw new GraftException("item: shape " + shape() + " has " + size() + " elements, one is needed");
        }
        return toDoubles()[0];
    }

    /** One element, converted to double; for tests and messages, not for loops. */
    public double get(int... index) {
        long at = 0;
        long[] strides = shape().strides();
        if (index.length != strides.length) {
            throw new GraftException("get: " + index.length + " indices for shape " + shape());
        }
        for (int i = 0; i < index.length; i++) {
            if (index[i] < 0 || index[i] >= dim(i)) {
                throw new GraftException("get: index " + index[i] + " is outside axis " + i + " of " + shape());
            }
            at += index[i] * strides[i];
        }
        try (Tensor one = view(Shape.SCALAR, at)) {
            return one.item();
        }
    }

    /** A copy on {@code to}, unknown to any tape; this tensor itself when it is there already. */
    public Tensor to(Device to) {
        if (to.equals(device())) {
            return this;
        }
        Tensor t = in(Backends.of(to).allocateUpload(dtype(), size(), "copy to " + to), spec);
        boolean here = storage instanceof HostStorage;
        Backends.of(to).write(here ? host().array() : toArray(), here ? Math.toIntExact(offset) : 0, t);
        return t;
    }

    /** A copy in memory of its own, unknown to any tape, as {@link #detach}: no gradient passes through it. */
    public Tensor copy() {
        Tensor t = in(Backends.of(device()).allocate(dtype(), size(), "copy"), spec);
        Dispatcher.update(new dev.graft.tensor.op.Update.Assign(), t, this);
        return t;
    }

    /** Overwrites the elements in place from an array of the dtype's carrier; the array may be longer than needed. */
    public Tensor write(Object array) {
        checkOpen();
        if (array.getClass().getComponentType() != HostAllocator.carrier(dtype()) || Array.getLength(array) < size()) {
            throw new GraftException("write: a " + array.getClass().getSimpleName() + " of " + Array.getLength(array)
                    + " does not fill " + spec);
        }
        Backends.of(device()).write(array, 0, this);
        storage.written();
        return this;
    }

    // ------------------------------------------------------------------ elementwise

    public Tensor unary(UnaryFn fn) {
        return unary(fn, 0);
    }

    public Tensor unary(UnaryFn fn, double a) {
        return Dispatcher.one(new ElementwiseOp.Unary(fn, a), this);
    }

    public Tensor neg() { return unary(UnaryFn.NEG); }

    public Tensor abs() { return unary(UnaryFn.ABS); }

    public Tensor sign() { return unary(UnaryFn.SIGN); }

    public Tensor square() { return unary(UnaryFn.SQUARE); }

    public Tensor sqrt() { return unary(UnaryFn.SQRT); }

    public Tensor rsqrt() { return unary(UnaryFn.RSQRT); }

    public Tensor reciprocal() { return unary(UnaryFn.RECIPROCAL); }

    public Tensor exp() { return unary(UnaryFn.EXP); }

    public Tensor log() { return unary(UnaryFn.LOG); }

    public Tensor log1p() { return unary(UnaryFn.LOG1P); }

    public Tensor sin() { return unary(UnaryFn.SIN); }

    public Tensor cos() { return unary(UnaryFn.COS); }

    public Tensor tanh() { return unary(UnaryFn.TANH); }

    public Tensor sigmoid() { return unary(UnaryFn.SIGMOID); }

    public Tensor erf() { return unary(UnaryFn.ERF); }

    public Tensor relu() { return unary(UnaryFn.RELU); }

    public Tensor relu6() { return unary(UnaryFn.RELU6); }

    public Tensor leakyRelu(double slope) { return unary(UnaryFn.LEAKY_RELU, slope); }

    public Tensor elu(double alpha) { return unary(UnaryFn.ELU, alpha); }

    public Tensor selu() { return unary(UnaryFn.SELU); }

    public Tensor silu() { return unary(UnaryFn.SILU); }

    public Tensor gelu() { return unary(UnaryFn.GELU); }

    public Tensor geluTanh() { return unary(UnaryFn.GELU_TANH); }

    public Tensor softplus() { return unary(UnaryFn.SOFTPLUS); }

    public Tensor mish() { return unary(UnaryFn.MISH); }

    public Tensor hardSwish() { return unary(UnaryFn.HARD_SWISH); }

    public Tensor hardSigmoid() { return unary(UnaryFn.HARD_SIGMOID); }

    public Tensor binary(BinaryFn fn, Tensor other) {
        return Dispatcher.one(new ElementwiseOp.Binary(fn), this, other);
    }

    public Tensor binary(BinaryFn fn, double value) {
        return Dispatcher.one(new ElementwiseOp.BinaryScalar(fn, value), this);
    }

    public Tensor add(Tensor o) { return binary(BinaryFn.ADD, o); }

    public Tensor add(double v) { return binary(BinaryFn.ADD, v); }

    public Tensor sub(Tensor o) { return binary(BinaryFn.SUB, o); }

    public Tensor sub(double v) { return binary(BinaryFn.SUB, v); }

    public Tensor mul(Tensor o) { return binary(BinaryFn.MUL, o); }

    public Tensor mul(double v) { return binary(BinaryFn.MUL, v); }

    public Tensor div(Tensor o) { return binary(BinaryFn.DIV, o); }

    public Tensor div(double v) { return binary(BinaryFn.DIV, v); }

    public Tensor pow(Tensor o) { return binary(BinaryFn.POW, o); }

    public Tensor pow(double v) { return binary(BinaryFn.POW, v); }

    public Tensor maximum(Tensor o) { return binary(BinaryFn.MAXIMUM, o); }

    public Tensor maximum(double v) { return binary(BinaryFn.MAXIMUM, v); }

    public Tensor minimum(Tensor o) { return binary(BinaryFn.MINIMUM, o); }

    public Tensor minimum(double v) { return binary(BinaryFn.MINIMUM, v); }

    public Tensor eq(Tensor o) { return binary(BinaryFn.EQ, o); }

    public Tensor eq(double v) { return binary(BinaryFn.EQ, v); }

    public Tensor ne(Tensor o) { return binary(BinaryFn.NE, o); }

    public Tensor ne(double v) { return binary(BinaryFn.NE, v); }

    public Tensor lt(Tensor o) { return binary(BinaryFn.LT, o); }

    public Tensor lt(double v) { return binary(BinaryFn.LT, v); }

    public Tensor le(Tensor o) { return binary(BinaryFn.LE, o); }

    public Tensor le(double v) { return binary(BinaryFn.LE, v); }

    public Tensor gt(Tensor o) { return binary(BinaryFn.GT, o); }

    public Tensor gt(double v) { return binary(BinaryFn.GT, v); }

    public Tensor ge(Tensor o) { return binary(BinaryFn.GE, o); }

    public Tensor ge(double v) { return binary(BinaryFn.GE, v); }

    public Tensor and(Tensor o) { return binary(BinaryFn.AND, o); }

    public Tensor or(Tensor o) { return binary(BinaryFn.OR, o); }

    /** Values below {@code low} become {@code low}, above {@code high} become {@code high}. */
    public Tensor clamp(double low, double high) {
        return maximum(low).minimum(high);
    }

    /** This tensor, a bool condition, picks from {@code x} where true and from {@code y} where false. */
    public Tensor where(Tensor x, Tensor y) {
        return Dispatcher.one(new ElementwiseOp.Where(), this, x, y);
    }

    /**
     * Each element set to 0 with probability {@code p}, else divided by 1 − p; by the context's random numbers.
     *
     * @param p from 0 to below 1
     */
    public Tensor dropout(double p) {
        RandomStream r = Context.current().random();
        return Dispatcher.one(new ElementwiseOp.Dropout(p, r.seed(), r.next()), this);
    }

    /** The same values as another dtype; this tensor itself when it has that dtype. */
    public Tensor cast(DType to) {
        return to == dtype() ? this : Dispatcher.one(new ElementwiseOp.Cast(to), this);
    }

    // ------------------------------------------------------------------ reductions

    /** Reduces over {@code axes}, all of them when none is named. */
    public Tensor reduce(ReduceFn fn, boolean keepDims, int... axes) {
        int[] a = axes.length == 0 ? IntStream.range(0, rank()).toArray()
                : Arrays.stream(axes).map(shape()::axis).sorted().distinct().toArray();
        return Dispatcher.one(new ReduceOp.Reduce(fn, a, keepDims), this);
    }

    public Tensor sum(int... axes) { return reduce(ReduceFn.SUM, false, axes); }

    public Tensor mean(int... axes) { return reduce(ReduceFn.MEAN, false, axes); }

    public Tensor max(int... axes) { return reduce(ReduceFn.MAX, false, axes); }

    public Tensor min(int... axes) { return reduce(ReduceFn.MIN, false, axes); }

    /** Index of the largest element along {@code axis}, int64. */
    public Tensor argmax(int axis) {
        return Dispatcher.one(new ReduceOp.ArgReduce(true, shape().axis(axis), false), this);
    }

    public Tensor argmin(int axis) {
        return Dispatcher.one(new ReduceOp.ArgReduce(false, shape().axis(axis), false), this);
    }

    /** Softmax over the last axis. */
    public Tensor softmax() {
        return Dispatcher.one(new ReduceOp.Softmax(false), this);
    }

    /** Logarithm of the softmax over the last axis. */
    public Tensor logSoftmax() {
        return Dispatcher.one(new ReduceOp.Softmax(true), this);
    }

    // ------------------------------------------------------------------ layout

    /** The same elements under another shape; one size may be -1 and is computed. */
    public Tensor reshape(int... dims) {
        int[] d = dims.clone();
        long known = 1;
        int open = -1;
        for (int i = 0; i < d.length; i++) {
            if (d[i] == -1 && open < 0) {
                open = i;
            } else {
                known *= d[i];
            }
        }
        if (open >= 0) {
            if (known <= 0 || size() % known != 0) {
                throw new GraftException("reshape: " + shape() + " to " + Arrays.toString(dims) + ": " + size()
                        + " elements are no multiple of " + known);
            }
            d[open] = Math.toIntExact(size() / known);
        }
        return reshape(Shape.of(d));
    }

    public Tensor reshape(Shape to) {
        return Dispatcher.one(new LayoutOp.Reshape(to), this);
    }

    /** Merges the axes from {@code axis} to the last. */
    public Tensor flatten(int axis) {
        int a = shape().axis(axis);
        return reshape(shape().range(0, a).concat(Shape.of(Math.toIntExact(shape().count(a, rank())))));
    }

    /** A new axis of size 1 that will be axis {@code axis} of the result; negative ones count from its end. */
    public Tensor unsqueeze(int axis) {
        int a = axis < 0 ? axis + rank() + 1 : axis;
        if (a < 0 || a > rank()) {
            throw new GraftException("unsqueeze: axis " + axis + " is not from " + (-rank() - 1) + " to " + rank()
                    + " for shape " + shape());
        }
        return reshape(shape().range(0, a).concat(Shape.of(1)).concat(shape().range(a, rank())));
    }

    /** Axis i of the result is axis {@code axes[i]} of this tensor. */
    public Tensor permute(int... axes) {
        return Dispatcher.one(new LayoutOp.Permute(Arrays.stream(axes).map(shape()::axis).toArray()), this);
    }

    /** Swaps the last two axes. */
    public Tensor transpose() {
        int[] a = IntStream.range(0, rank()).toArray();
        a[shape().axis(-1)] = rank() - 2;
        a[shape().axis(-2)] = rank() - 1;
        return permute(a);
    }

    public Tensor broadcastTo(Shape to) {
        return to.equals(shape()) ? this : Dispatcher.one(new LayoutOp.BroadcastTo(to), this);
    }

    /** Elements {@code begin} to {@code end} (excluded) of {@code axis}; a view when it is the first axis. */
    public Tensor slice(int axis, int begin, int end) {
        int[] b = new int[rank()];
        int[] e = shape().dims();
        int[] s = new int[rank()];
        Arrays.fill(s, 1);
        b[shape().axis(axis)] = begin;
        e[shape().axis(axis)] = end;
        return slice(b, e, s);
    }

    /** Elements begin, begin + step, ... below end of every axis. */
    public Tensor slice(int[] begin, int[] end, int[] step) {
        return Dispatcher.one(new LayoutOp.Slice(begin.clone(), end.clone(), step.clone()), this);
    }

    /** Row {@code i} of the first axis, without that axis; a view. */
    public Tensor row(int i) {
        return slice(0, i, i + 1).reshape(shape().range(1, rank()));
    }

    public static Tensor concat(int axis, Tensor... tensors) {
        if (tensors.length == 0) {
            throw new GraftException("concat: needs at least one tensor");
        }
        return Dispatcher.one(new LayoutOp.Concat(tensors[0].shape().axis(axis)), tensors);
    }

    /** Joins tensors of one shape along a new axis. */
    public static Tensor stack(int axis, Tensor... tensors) {
        return concat(axis, Arrays.stream(tensors).map(t -> t.unsqueeze(axis)).toArray(Tensor[]::new));
    }

    /** {@code value} around the elements: low[i] before and high[i] after axis i. */
    public Tensor pad(int[] low, int[] high, double value) {
        return Dispatcher.one(new LayoutOp.Pad(low.clone(), high.clone(), new int[rank()], value), this);
    }

    // ------------------------------------------------------------------ indexing

    /** Rows of this table [V, ...] by {@code indices} [I...] (an embedding): [I..., ...]. */
    public Tensor take(Tensor indices) {
        return Dispatcher.one(new IndexOp.Take(), this, indices);
    }

    /** PyTorch's {@code gather}: indices have this shape but in {@code axis}. */
    public Tensor takeAlong(int axis, Tensor indices) {
        return Dispatcher.one(new IndexOp.TakeAlong(shape().axis(axis)), this, indices);
    }

    // ------------------------------------------------------------------ linear algebra and networks

    /** Matrix product over the last two axes, broadcasting those in front: [..., M, K] x [..., K, N]. */
    public Tensor matmul(Tensor b) {
        return matmul(b, false);
    }

    /** x · bᵀ: [..., M, K] x [..., N, K]. */
    public Tensor matmulTransposed(Tensor b) {
        return matmul(b, true);
    }

    private Tensor matmul(Tensor b, boolean transB) {
        if (b.rank() == 2 && rank() != 2 && rank() > 0) {   // one large product instead of many small ones
            int k = dim(-1);
            Tensor rows = reshape(Shape.of(Math.toIntExact(shape().count(0, rank() - 1)), k));
            Tensor y = Dispatcher.one(new MatMul(false, transB), rows, b);
            return y.reshape(shape().with(-1, y.dim(1)));
        }
        return Dispatcher.one(new MatMul(false, transB), this, b);
    }

    /** Convolution of this [N, H, W, C] with weights [O, kH, kW, C/groups]. */
    public Tensor conv2d(Tensor weight, ConvParams params) {
        return Dispatcher.one(new ConvOp.Conv2d(params), this, weight);
    }

    public Tensor maxPool2d(PoolParams params) {
        return Dispatcher.one(new PoolOp.MaxPool2d(params), this);
    }

    public Tensor avgPool2d(PoolParams params, boolean countPadding) {
        return Dispatcher.one(new PoolOp.AvgPool2d(params, countPadding), this);
    }

    /** Averages to [N, outH, outW, C]; 1 x 1 is global average pooling. */
    public Tensor adaptiveAvgPool2d(int outH, int outW) {
        return Dispatcher.one(new PoolOp.AdaptiveAvgPool2d(outH, outW), this);
    }

    public Tensor resize2d(ResizeOp.Mode mode, int outH, int outW, boolean alignCorners) {
        return Dispatcher.one(new ResizeOp.Resize2d(mode, outH, outW, alignCorners), this);
    }

    /** Group norm of this [N, ..., C] with scale and shift [C]; see {@link NormOp.GroupNorm}. */
    public Tensor groupNorm(int groups, Tensor scale, Tensor shift, double eps) {
        return Dispatcher.one(new NormOp.GroupNorm(groups, eps), this, scale, shift);
    }

    /**
     * Loss of each row of these logits [N, C] with class indices [N]; rows whose target is {@code ignoreIndex} have 0. See
     * {@link LossOp.CrossEntropy}.
     */
    public Tensor crossEntropy(Tensor target, double labelSmoothing, long ignoreIndex) {
        return Dispatcher.one(new LossOp.CrossEntropy(labelSmoothing, ignoreIndex), this, target);
    }

    /**
     * Scaled dot-product attention of these queries [B, T, H, D] over keys and values [B, S, H, D], scale 1/sqrt(D); see
     * {@link AttentionOp.Attention}.
     *
     * @param mask   bool [B, S], which keys may be attended; null for all
     * @param causal whether a query attends no key after its own place, counted from the end
     */
    public Tensor attention(Tensor keys, Tensor values, Tensor mask, boolean causal) {
        AttentionOp op = new AttentionOp.Attention(1 / Math.sqrt(dim(-1)), causal);
        return mask == null ? Dispatcher.one(op, this, keys, values) : Dispatcher.one(op, this, keys, values, mask);
    }

    /** Element type, shape and, for small tensors, the values. */
    @Override
    public String toString() {
        if (isClosed()) {
            return spec + " closed by " + closedBy;
        }
        return size() > 32 ? spec + " on " + device() : spec + " " + Arrays.toString(toDoubles());
    }
}
