package dev.graft.kernels.emulator;

import static dev.graft.kernels.emulator.StandInDevice.FLOAT;
import static dev.graft.kernels.emulator.StandInDevice.HALF;
import static dev.graft.kernels.emulator.StandInDevice.assertClose;
import static dev.graft.kernels.emulator.StandInDevice.numbers;
import static dev.graft.kernels.emulator.StandInDevice.ok;
import static jcuda.jcudnn.cudnnBackendAttributeName.*;
import static jcuda.jcudnn.cudnnBackendDescriptorType.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Ptr;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnBackendAttributeType;
import jcuda.jcudnn.cudnnBackendDescriptor;
import jcuda.jcudnn.cudnnBackendNumericalNote;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnPointwiseMode;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The graph API of the stand-in for cuDNN: results against definitions, and how strictly attributes are checked. */
class CudnnGraphStandInTest {
    private static final int DATA_TYPE = cudnnBackendAttributeType.CUDNN_TYPE_DATA_TYPE;
    private static final int INT64 = cudnnBackendAttributeType.CUDNN_TYPE_INT64;
    private static final int DESCRIPTOR = cudnnBackendAttributeType.CUDNN_TYPE_BACKEND_DESCRIPTOR;
    private static final int MODE_A = 3;
    private static final int FALLBACK = 2;

    private static final class Descriptor extends cudnnBackendDescriptor {
        long address() {
            return getNativePointer();
        }
    }

    private static final class Handle extends cudnnHandle {
        long address() {
            return getNativePointer();
        }
    }

    private StandInDevice device;
    private final Handle handle = new Handle();
    private final List<Descriptor> made = new ArrayList<>();

    @BeforeEach
    void open() {
        device = new StandInDevice();
        ok(JCudnn.cudnnCreate(handle));
        ok(JCudnn.cudnnSetStream(handle, new cudaStream_t(device.stream)));
    }

    @AfterEach
    void close() {
        if (device != null) {
            made.forEach(JCudnn::cudnnBackendDestroyDescriptor);
            JCudnn.cudnnDestroy(handle);
            device.close();
        }
    }

    // ------------------------------------------------------------------ attributes

    private Descriptor create(int type) {
        Descriptor d = new Descriptor();
        ok(JCudnn.cudnnBackendCreateDescriptor(type, d));
        made.add(d);
        return d;
    }

    private Descriptor finish(Descriptor d) {
        ok(JCudnn.cudnnBackendFinalize(d));
        return d;
    }

    private int set(Descriptor d, int name, int type, int count, MemorySegment elements) {
        return JCudnn.cudnnBackendSetAttribute(d, name, type, count, Ptr.of(elements));
    }

    private void longs(Descriptor d, int name, long... v) {
        ok(set(d, name, INT64, v.length, device.arena.allocateFrom(ValueLayout.JAVA_LONG, v)));
    }

    private void number(Descriptor d, int name, int type, int v) {
        ok(set(d, name, type, 1, device.arena.allocateFrom(ValueLayout.JAVA_INT, v)));
    }

    private void real(Descriptor d, int name, double v) {
        ok(set(d, name, cudnnBackendAttributeType.CUDNN_TYPE_DOUBLE, 1, device.arena.allocateFrom(ValueLayout.JAVA_DOUBLE,
                v)));
    }

    private void pointer(Descriptor d, int name, int type, long... v) {
        ok(set(d, name, type, v.length, device.arena.allocateFrom(ValueLayout.JAVA_LONG, v)));
    }

    private void link(Descriptor d, int name, Descriptor... v) {
        pointer(d, name, DESCRIPTOR, java.util.Arrays.stream(v).mapToLong(Descriptor::address).toArray());
    }

    /** Dimensions N, C, H, W in channels-last order. */
    private Descriptor tensor(long uid, int type, boolean inner, long n, long c, long h, long w) {
        return finish(strided(uid, type, inner, new long[] {n, c, h, w}, new long[] {h * w * c, 1, w * c, c}));
    }

    private Descriptor strided(long uid, int type, boolean inner, long[] dims, long[] strides) {
        Descriptor t = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
        number(t, CUDNN_ATTR_TENSOR_DATA_TYPE, DATA_TYPE, type);
        longs(t, CUDNN_ATTR_TENSOR_DIMENSIONS, dims);
        longs(t, CUDNN_ATTR_TENSOR_STRIDES, strides);
        longs(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, uid);
        longs(t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
        if (inner) {
            ok(set(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, cudnnBackendAttributeType.CUDNN_TYPE_BOOLEAN, 1,
                    device.arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) 1)));
        }
        return t;
    }

    private Descriptor convolution(NaiveConv v) {
        Descriptor c = create(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
        number(c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, DATA_TYPE, FLOAT);
        number(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, cudnnBackendAttributeType.CUDNN_TYPE_CONVOLUTION_MODE, 1);
        longs(c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
        longs(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, v.dilation(), v.dilation());
        longs(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, v.stride(), v.stride());
        longs(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, v.top(), v.left());
        longs(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, v.bottom(), v.right());
        return finish(c);
    }

    /** A convolution operation; the names are those of alpha, beta, the convolution, and of x, w and y. */
    private Descriptor operation(int type, NaiveConv v, int alpha, int conv, int xName, int wName, int yName, Descriptor x,
            Descriptor w, Descriptor y) {
        Descriptor o = create(type);
        real(o, alpha, 1);
        real(o, alpha + 1, 0);
        link(o, conv, convolution(v));
        link(o, xName, x);
        link(o, wName, w);
        link(o, yName, y);
        return finish(o);
    }

    private Descriptor forward(NaiveConv v, Descriptor x, Descriptor w, Descriptor y) {
        return operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, v,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, x, w, y);
    }

    private Descriptor pointwise(int mode, Descriptor x, Descriptor b, Descriptor y, double upper) {
        Descriptor p = create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
        number(p, CUDNN_ATTR_POINTWISE_MODE, cudnnBackendAttributeType.CUDNN_TYPE_POINTWISE_MODE, mode);
        number(p, CUDNN_ATTR_POINTWISE_MATH_PREC, DATA_TYPE, FLOAT);
        if (upper > 0) {
            real(p, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, upper);
        }
        Descriptor o = create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
        link(o, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, finish(p));
        link(o, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
        if (b != null) {
            link(o, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
        }
        link(o, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
        return finish(o);
    }

    private Descriptor graph(Descriptor... operations) {
        Descriptor g = create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
        pointer(g, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, cudnnBackendAttributeType.CUDNN_TYPE_HANDLE, handle.address());
        link(g, CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
        return finish(g);
    }

    private List<Descriptor> configurations(Descriptor graph, int mode) {
        Descriptor h = create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
        link(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
        number(h, CUDNN_ATTR_ENGINEHEUR_MODE, cudnnBackendAttributeType.CUDNN_TYPE_HEUR_MODE, mode);
        finish(h);
        List<Descriptor> found = new ArrayList<>();
        MemorySegment room = device.arena.allocate(ValueLayout.JAVA_LONG, 8);
        for (int i = 0; i < 8; i++) {
            found.add(create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
            room.setAtIndex(ValueLayout.JAVA_LONG, i, found.get(i).address());
        }
        long[] n = new long[1];
        ok(JCudnn.cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, DESCRIPTOR, 8, n, Ptr.of(room)));
        return found.subList(0, (int) n[0]);
    }

    private long[] numbersOf(Descriptor configuration) {
        Descriptor engine = create(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        MemorySegment room = device.arena.allocate(ValueLayout.JAVA_LONG, 8);
        room.set(ValueLayout.JAVA_LONG, 0, engine.address());
        long[] n = new long[1];
        ok(JCudnn.cudnnBackendGetAttribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, DESCRIPTOR, 1, n, Ptr.of(room)));
        ok(JCudnn.cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                cudnnBackendAttributeType.CUDNN_TYPE_NUMERICAL_NOTE, 8, n, Ptr.of(room)));
        return java.util.stream.LongStream.range(0, n[0]).map(i -> room.getAtIndex(ValueLayout.JAVA_INT, i)).toArray();
    }

    private Descriptor plan(Descriptor configuration) {
        Descriptor p = create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        pointer(p, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, cudnnBackendAttributeType.CUDNN_TYPE_HANDLE, handle.address());
        link(p, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
        return p;
    }

    private long workspace(Descriptor plan) {
        long[] n = new long[1];
        MemorySegment room = device.arena.allocate(ValueLayout.JAVA_LONG);
        ok(JCudnn.cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, INT64, 1, n, Ptr.of(room)));
        return room.get(ValueLayout.JAVA_LONG, 0);
    }

    /** uids 1, 2, ... with these addresses. */
    private Descriptor pack(long workspace, long... addresses) {
        Descriptor p = create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
        longs(p, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, java.util.stream.LongStream.rangeClosed(1, addresses.length).toArray());
        pointer(p, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, cudnnBackendAttributeType.CUDNN_TYPE_VOID_PTR, addresses);
        pointer(p, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, cudnnBackendAttributeType.CUDNN_TYPE_VOID_PTR, workspace);
        return finish(p);
    }

    // ------------------------------------------------------------------ results

    private record Fused(NaiveConv conv, int type, double[] x, double[] w, double[] bias, double[] expected) {}

    /** min(relu(conv(x) + bias), 0.5), padded on one side only. */
    private static Fused fused(int type, int channels) {
        NaiveConv v = new NaiveConv(2, 6, 5, channels, 8, 3, 3, 0, 0, 1, 1, 2, 1, 1);
        double[] x = numbers(type, v.sizeX(), 1);
        double[] w = numbers(type, v.sizeW(), 2);
        double[] bias = numbers(type, v.o(), 3);
        double[] y = v.forward(x, w);
        for (int i = 0; i < y.length; i++) {
            y[i] = Math.min(Math.max(y[i] + bias[i % v.o()], 0), 0.5);
        }
        return new Fused(v, type, x, w, bias, y);
    }

    private Descriptor graph(Fused f) {
        NaiveConv v = f.conv;
        Descriptor x = tensor(1, f.type, false, v.n(), v.c(), v.h(), v.w());
        Descriptor w = tensor(2, f.type, false, v.o(), v.c(), v.kH(), v.kW());
        Descriptor b = tensor(3, f.type, false, 1, v.o(), 1, 1);
        Descriptor y = tensor(4, f.type, false, v.n(), v.o(), v.outH(), v.outW());
        Descriptor product = tensor(10, FLOAT, true, v.n(), v.o(), v.outH(), v.outW());
        Descriptor sum = tensor(11, FLOAT, true, v.n(), v.o(), v.outH(), v.outW());
        Descriptor conv = forward(v, x, w, product);
        Descriptor add = pointwise(cudnnPointwiseMode.CUDNN_POINTWISE_ADD, product, b, sum, 0);
        // the order in which operations are given does not matter
        return graph(pointwise(cudnnPointwiseMode.CUDNN_POINTWISE_RELU_FWD, sum, null, y, 0.5), conv, add);
    }

    @Test
    void convolutionBiasAndActivationRunAsOne() {
        for (int type : new int[] {HALF, FLOAT}) {
            Fused f = fused(type, 8);
            List<Descriptor> found = configurations(graph(f), MODE_A);
            assertThat(found).isNotEmpty();
            Descriptor plan = finish(plan(found.getFirst()));
            long bytes = workspace(plan);
            assertThat(bytes).isPositive();
            long y = device.put(type, new double[f.expected.length]);
            Descriptor pack = pack(device.allocate(bytes), device.put(type, f.x), device.put(type, f.w), device.put(type,
                    f.bias), y);
            ok(JCudnn.cudnnBackendExecute(handle, plan, pack));
            assertClose(device.get(type, y, f.expected.length), f.expected, 3e-3);      // float by TF32
        }
    }

    @Test
    void aPlanMayFailWhereTheHeuristicsHoped() {
        Fused f = fused(HALF, 3);
        Descriptor g = graph(f);
        assertThat(JCudnn.cudnnBackendFinalize(plan(configurations(g, MODE_A).getFirst())) / 1000).isEqualTo(3);
        Descriptor plan = finish(plan(configurations(g, FALLBACK).getFirst()));
        long y = device.put(HALF, new double[f.expected.length]);
        ok(JCudnn.cudnnBackendExecute(handle, plan,
                pack(0, device.put(HALF, f.x), device.put(HALF, f.w), device.put(HALF, f.bias), y)));
        assertClose(device.get(HALF, y, f.expected.length), f.expected, 3e-3);
    }

    @Test
    void gradientsAgreeWithTheirDefinitionsAndAreLabelled() {
        NaiveConv v = new NaiveConv(2, 6, 6, 4, 4, 3, 3, 1, 0, 1, 2, 1, 1, 2);
        Descriptor x = tensor(1, FLOAT, false, v.n(), v.c(), v.h(), v.w());
        Descriptor w = tensor(2, FLOAT, false, v.o(), v.c() / 2, 3, 3);
        Descriptor y = tensor(3, FLOAT, false, v.n(), v.o(), v.outH(), v.outW());
        double[] xs = numbers(FLOAT, v.sizeX(), 1);
        double[] ws = numbers(FLOAT, v.sizeW(), 2);
        double[] dy = numbers(FLOAT, v.sizeY(), 3);
        Descriptor data = graph(operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, v,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, x, w, y));
        Descriptor weights = graph(operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, v,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, x, w, y));
        long dx = device.put(FLOAT, new double[xs.length]);
        Descriptor plan = finish(plan(configurations(data, FALLBACK).getFirst()));
        ok(JCudnn.cudnnBackendExecute(handle, plan, pack(0, dx, device.put(FLOAT, ws), device.put(FLOAT, dy))));
        assertClose(device.get(FLOAT, dx, xs.length), v.backwardData(ws, dy), 1e-5);
        long dw = device.put(FLOAT, new double[ws.length]);
        plan = finish(plan(configurations(weights, FALLBACK).getFirst()));
        ok(JCudnn.cudnnBackendExecute(handle, plan, pack(0, device.put(FLOAT, xs), dw, device.put(FLOAT, dy))));
        assertClose(device.get(FLOAT, dw, ws.length), v.backwardFilter(xs, dy), 1e-5);
        List<long[]> notes = configurations(weights, MODE_A).stream().map(this::numbersOf).toList();
        assertThat(notes).anyMatch(n -> java.util.Arrays.stream(n)
                .anyMatch(e -> e == cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
        assertThat(notes).anyMatch(n -> n.length == 0);
    }

    @Test
    void aRecordedGraphOutlivesItsDescriptors() {
        Fused f = fused(HALF, 8);
        Descriptor plan = finish(plan(configurations(graph(f), MODE_A).getFirst()));
        long y = device.put(HALF, new double[f.expected.length]);
        Descriptor pack = pack(device.allocate(workspace(plan)), device.put(HALF, f.x), device.put(HALF, f.w),
                device.put(HALF, f.bias), y);
        Driver.beginCapture(device.stream);
        ok(JCudnn.cudnnBackendExecute(handle, plan, pack));
        CUgraph graph = Driver.endCapture(device.stream);
        made.forEach(JCudnn::cudnnBackendDestroyDescriptor);
        made.clear();
        assertThat(device.get(HALF, y, 1)).containsExactly(0);
        CUgraphExec exec = Driver.instantiate(graph);
        Driver.launch(exec, device.stream);
        assertClose(device.get(HALF, y, f.expected.length), f.expected, 3e-3);
        Driver.destroy(exec);
        Driver.destroy(graph);
    }

    // ------------------------------------------------------------------ refusals

    @Test
    void attributesAreCheckedStrictly() {
        Descriptor t = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
        MemorySegment room = device.arena.allocate(ValueLayout.JAVA_LONG, 16);
        assertThat(set(t, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, room)).isEqualTo(2000);
        assertThat(set(t, CUDNN_ATTR_TENSOR_DATA_TYPE, INT64, 1, room)).isEqualTo(2010);
        assertThat(set(t, CUDNN_ATTR_TENSOR_DIMENSIONS, INT64, 9, room)).isEqualTo(2000);
        assertThat(JCudnn.cudnnBackendFinalize(t)).isEqualTo(2000);
        Descriptor open = strided(1, FLOAT, false, new long[] {1, 2, 3, 4}, new long[] {24, 12, 4, 1});
        Descriptor o = create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
        room.set(ValueLayout.JAVA_LONG, 0, open.address());
        assertThat(set(o, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, DESCRIPTOR, 1, room)).isEqualTo(2004);
        finish(open);
        assertThat(set(o, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, DESCRIPTOR, 1, room)).isEqualTo(2012);
        assertThat(set(open, CUDNN_ATTR_TENSOR_UNIQUE_ID, INT64, 1, room) / 1000).isEqualTo(1);
        long[] n = new long[1];
        assertThat(JCudnn.cudnnBackendGetAttribute(t, CUDNN_ATTR_TENSOR_DIMENSIONS, INT64, 4, n,
                Ptr.of(room))).isEqualTo(2004);
    }

    @Test
    void shapesAndVariantPacksAreChecked() {
        NaiveConv v = new NaiveConv(1, 4, 4, 8, 8, 3, 1, 1, 1, 1);
        Descriptor x = tensor(1, HALF, false, 1, 8, 4, 4);
        Descriptor w = tensor(2, HALF, false, 8, 8, 3, 3);
        Descriptor o = create(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
        real(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1);
        real(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0);
        link(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, convolution(v));
        link(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
        link(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
        link(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, tensor(3, HALF, false, 1, 8, 3, 4));
        assertThat(JCudnn.cudnnBackendFinalize(o) / 1000).isEqualTo(2);
        Descriptor y = tensor(3, HALF, false, 1, 8, 4, 4);
        Descriptor plan = finish(plan(configurations(graph(forward(v, x, w, y)), MODE_A).getFirst()));
        long m = device.put(HALF, new double[v.sizeX() + 8]);
        long weights = device.put(HALF, new double[v.sizeW()]);
        long to = device.put(HALF, new double[v.sizeY()]);
        long ws = device.allocate(workspace(plan));
        ok(JCudnn.cudnnBackendExecute(handle, plan, pack(ws, m, weights, to)));
        assertThat(JCudnn.cudnnBackendExecute(handle, plan, pack(ws, m, weights)) / 1000).isEqualTo(2);
        assertThat(JCudnn.cudnnBackendExecute(handle, plan, pack(ws, m + 2, weights, to))).isEqualTo(2003);
        assertThat(JCudnn.cudnnBackendExecute(handle, plan, pack(0, m, weights, to)) / 1000).isEqualTo(2);
        assertThat(JCudnn.cudnnBackendExecute(handle, plan, pack(ws, m, weights, device.allocate(16))) / 1000).isEqualTo(5);
    }
}
