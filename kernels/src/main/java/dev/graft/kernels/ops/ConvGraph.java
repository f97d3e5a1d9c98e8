package dev.graft.kernels.ops;

import static jcuda.jcudnn.cudnnBackendAttributeName.*;
import static jcuda.jcudnn.cudnnBackendAttributeType.*;
import static jcuda.jcudnn.cudnnBackendDescriptorType.*;

import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Cudnn;
import dev.graft.kernels.driver.Cudnn.Descriptor;
import dev.graft.tensor.DType;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import jcuda.jcudnn.cudnnBackendNumericalNote;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnPointwiseMode;

/**
 * One convolution, with what is fused behind it, as an operation graph of cuDNN, and the engines that offer to run it. cuDNN
 * names the axes N, C, H, W whatever their order in memory; the strides say that channels are innermost. It lives as long as
 * somebody holds it: candidates and plans.
 */
final class ConvGraph {
    /** Names of the tensors; a plan gives their addresses in this order. */
    static final long X = 1;
    static final long W = 2;
    static final long Y = 3;
    static final long BIAS = 4;
    static final long RESIDUAL = 5;
    private static final long FIRST_INNER = 10;
    private static final int ALIGNMENT = 16;
    private static final int MOST_CONFIGURATIONS = 64;
    private static final int MOST_NOTES = 32;
    private static final int ROOM = 8 * MOST_CONFIGURATIONS;

    /** An engine with its settings, as the heuristics propose it. */
    record Engine(Descriptor configuration, long number) {}

    private final Cudnn cudnn;
    private final ConvProblem p;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment room = arena.allocate(ROOM, 16);
    private final List<Descriptor> descriptors = new ArrayList<>();
    private final int type;
    private final int compute;
    private Descriptor graph;
    private long inner = FIRST_INNER;
    private int holders = 1;

    ConvGraph(Cudnn cudnn, ConvProblem p) {
        this.cudnn = cudnn;
        this.p = p;
        type = type(p.dtype());
        compute = p.dtype() == DType.F64 ? cudnnDataType.CUDNN_DATA_DOUBLE : cudnnDataType.CUDNN_DATA_FLOAT;
    }

    static int type(DType dtype) {
        return switch (dtype) {
            case F32 -> cudnnDataType.CUDNN_DATA_FLOAT;
            case F64 -> cudnnDataType.CUDNN_DATA_DOUBLE;
            case F16 -> cudnnDataType.CUDNN_DATA_HALF;
            case BF16 -> cudnnDataType.CUDNN_DATA_BFLOAT16;
            default -> throw new IllegalArgumentException(dtype + " is no floating-point type");
        };
    }

    Cudnn cudnn() {
        return cudnn;
    }

    /** The tensors that a plan has to be given. */
    long[] names() {
        return !p.fused() ? new long[] {X, W, Y} : p.residual() ? new long[] {X, W, Y, BIAS, RESIDUAL}
                : new long[] {X, W, Y, BIAS};
    }

    ConvGraph retain() {
        holders++;
        return this;
    }

    void release() {
        if (--holders == 0) {
            for (int i = descriptors.size() - 1; i >= 0; i--) {
                cudnn.destroy(descriptors.get(i));
            }
            arena.close();
        }
    }

    // ------------------------------------------------------------------ the graph

    void build() {
        Descriptor x = tensor(X, type, p.n(), p.c(), p.h(), p.w());
        Descriptor w = tensor(W, type, p.o(), p.c() / p.groups(), p.kH(), p.kW());
        Descriptor y = tensor(Y, type, p.n(), p.o(), p.outH(), p.outW());
        List<Descriptor> operations = new ArrayList<>();
        Descriptor last = p.fused() ? inner() : y;
        operations.add(convolution(x, w, last));
        if (p.residual()) {
            Descriptor sum = inner();
            operations.add(pointwise(cudnnPointwiseMode.CUDNN_POINTWISE_ADD, last,
                    tensor(RESIDUAL, type, p.n(), p.o(), p.outH(), p.outW()), sum));
            last = sum;
        }
        if (p.fused()) {
            boolean activated = p.activation() != FusedOp.Activation.NONE;
            Descriptor sum = activated ? inner() : y;
            operations.add(pointwise(cudnnPointwiseMode.CUDNN_POINTWISE_ADD, last, tensor(BIAS, type, 1, p.o(), 1, 1), sum));
            if (activated) {
                operations.add(pointwise(cudnnPointwiseMode.CUDNN_POINTWISE_RELU_FWD, sum, null, y));
            }
        }
        graph = create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
        cudnn.setHandle(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, room);
        set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, operations.toArray(new Descriptor[0]));
        cudnn.finish(graph);
    }

    private Descriptor convolution(Descriptor x, Descriptor w, Descriptor y) {
        ConvParams q = p.params();
        Descriptor c = create(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
        number(c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, compute);
        number(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                cudnnConvolutionMode.CUDNN_CROSS_CORRELATION);
        longs(c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
        longs(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, q.dilationH(), q.dilationW());
        longs(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, q.strideH(), q.strideW());
        longs(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, q.padTop(), q.padLeft());
        longs(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, q.padBottom(), q.padRight());
        cudnn.finish(c);
        Descriptor o = create(switch (p.direction()) {
            case FORWARD -> CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
            case BACKWARD_INPUT -> CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
            case BACKWARD_WEIGHT -> CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
        });
        switch (p.direction()) {
            case FORWARD -> {
                factors(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, c);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
            }
            case BACKWARD_INPUT -> {
                factors(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, c);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, x);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, y);
            }
            case BACKWARD_WEIGHT -> {
                factors(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, c);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, w);
                set(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, y);
            }
        }
        cudnn.finish(o);
        return o;
    }

    private Descriptor pointwise(int mode, Descriptor x, Descriptor b, Descriptor y) {
        Descriptor m = create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
        number(m, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
        number(m, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, compute);
        if (mode == cudnnPointwiseMode.CUDNN_POINTWISE_RELU_FWD && p.activation() == FusedOp.Activation.RELU6) {
            doubles(m, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0);
            doubles(m, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, 6);
        }
        cudnn.finish(m);
        Descriptor o = create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
        set(o, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, m);
        set(o, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
        if (b != null) {
            set(o, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
        }
        set(o, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
        cudnn.finish(o);
        return o;
    }

    /** y's shape, between two operations and never in memory. */
    private Descriptor inner() {
        return tensor(inner++, compute, p.n(), p.o(), p.outH(), p.outW());
    }

    private Descriptor tensor(long name, int dtype, long n, long c, long h, long w) {
        Descriptor t = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
        number(t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, dtype);
        longs(t, CUDNN_ATTR_TENSOR_DIMENSIONS, n, c, h, w);
        longs(t, CUDNN_ATTR_TENSOR_STRIDES, h * w * c, 1, w * c, c);
        longs(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, name);
        longs(t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, ALIGNMENT);
        if (name >= FIRST_INNER) {
            room.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            cudnn.set(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, room);
        }
        cudnn.finish(t);
        return t;
    }

    // ------------------------------------------------------------------ engines

    /** What cuDNN proposes, best first, without what is less exact than asked for. */
    List<Engine> engines(int mode, boolean tf32, boolean deterministic) {
        Descriptor h = create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
        set(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
        number(h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
        Descriptor[] found = new Descriptor[MOST_CONFIGURATIONS];
        int n;
        try {
            cudnn.finish(h);
            for (int i = 0; i < found.length; i++) {
                found[i] = create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
            }
            n = cudnn.get(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, room, found);
        } catch (CudaException e) {
            if (e.sticky()) {
                throw e;
            }
            return List.of();                      // this mode knows nothing about such graphs
        }
        List<Engine> all = new ArrayList<>();
        for (int i = 0; i < found.length; i++) {
            Engine e = i < n ? inspect(found[i], tf32, deterministic) : null;
            if (e != null) {
                all.add(e);
            } else {
                drop(found[i]);
            }
        }
        drop(h);
        return all;
    }

    /** The engine of a configuration, or null when it must not be used. */
    private Engine inspect(Descriptor configuration, boolean tf32, boolean deterministic) {
        Descriptor engine = create(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        try {
            return fits(engine, configuration, tf32, deterministic);
        } finally {
            drop(engine);
        }
    }

    private Engine fits(Descriptor engine, Descriptor configuration, boolean tf32, boolean deterministic) {
        cudnn.get(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, room, engine);
        int n = cudnn.get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, MOST_NOTES, room);
        for (int i = 0; i < n; i++) {
            int note = room.getAtIndex(ValueLayout.JAVA_INT, i);
            boolean inexact = note == cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS
                    || note == cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_TENSOR_CORE && p.dtype() == DType.F32;
            if (inexact && !tf32 || deterministic
                    && note == cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) {
                return null;
            }
        }
        cudnn.get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, room);
        return new Engine(configuration, room.get(ValueLayout.JAVA_LONG, 0));
    }

    /** A plan of {@code e}; the caller destroys it. */
    Descriptor plan(Engine e) {
        Descriptor plan = cudnn.create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        boolean done = false;
        try {
            cudnn.setHandle(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, room);
            set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, e.configuration());
            cudnn.finish(plan);
            done = true;
        } finally {
            if (!done) {
                cudnn.destroy(plan);
            }
        }
        return plan;
    }

    long workspace(Descriptor plan) {
        cudnn.get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, room);
        return room.get(ValueLayout.JAVA_LONG, 0);
    }

    // ------------------------------------------------------------------ attributes

    private Descriptor create(int kind) {
        Descriptor d = cudnn.create(kind);
        descriptors.add(d);
        return d;
    }

    private void drop(Descriptor d) {
        descriptors.remove(d);
        cudnn.destroy(d);
    }

    private void set(Descriptor d, int attribute, Descriptor... values) {
        cudnn.set(d, attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, room, values);
    }

    private void number(Descriptor d, int attribute, int kind, int value) {
        room.set(ValueLayout.JAVA_INT, 0, value);
        cudnn.set(d, attribute, kind, 1, room);
    }

    private void longs(Descriptor d, int attribute, long... values) {
        MemorySegment.copy(values, 0, room, ValueLayout.JAVA_LONG, 0, values.length);
        cudnn.set(d, attribute, CUDNN_TYPE_INT64, values.length, room);
    }

    private void doubles(Descriptor d, int attribute, double value) {
        room.set(ValueLayout.JAVA_DOUBLE, 0, value);
        cudnn.set(d, attribute, CUDNN_TYPE_DOUBLE, 1, room);
    }

    private void factors(Descriptor d, int alpha, int beta) {
        if (p.dtype() == DType.F64) {
            doubles(d, alpha, 1);
            doubles(d, beta, 0);
        } else {
            room.set(ValueLayout.JAVA_FLOAT, 0, 1f);
            cudnn.set(d, alpha, CUDNN_TYPE_FLOAT, 1, room);
            room.set(ValueLayout.JAVA_FLOAT, 0, 0f);
            cudnn.set(d, beta, CUDNN_TYPE_FLOAT, 1, room);
        }
    }
}
