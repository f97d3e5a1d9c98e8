package dev.graft.kernels.emulator;

import static dev.graft.kernels.emulator.StandInDevice.BFLOAT16;
import static dev.graft.kernels.emulator.StandInDevice.DOUBLE;
import static dev.graft.kernels.emulator.StandInDevice.FLOAT;
import static dev.graft.kernels.emulator.StandInDevice.HALF;
import static dev.graft.kernels.emulator.StandInDevice.assertClose;
import static dev.graft.kernels.emulator.StandInDevice.numbers;
import static dev.graft.kernels.emulator.StandInDevice.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Ptr;
import java.util.Arrays;
import java.util.stream.IntStream;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Convolutions of the stand-in for cuDNN against their definition, and what it refuses as the library does. */
class CudnnConvStandInTest {
    private static final int NCHW = 0;
    private static final int NHWC = 1;
    private static final int BAD_PARAM = 2;                  // thousands of a status
    private static final int NOT_SUPPORTED = 3;

    private StandInDevice device;
    private final cudnnHandle handle = new cudnnHandle();

    @BeforeEach
    void open() {
        device = new StandInDevice();
        ok(JCudnn.cudnnCreate(handle));
        ok(JCudnn.cudnnSetStream(handle, new cudaStream_t(device.stream)));
    }

    @AfterEach
    void close() {
        if (device != null) {
            JCudnn.cudnnDestroy(handle);
            device.close();
        }
    }

    private static cudnnTensorDescriptor tensor(int format, int type, int n, int c, int h, int w) {
        cudnnTensorDescriptor d = new cudnnTensorDescriptor();
        ok(JCudnn.cudnnCreateTensorDescriptor(d));
        ok(JCudnn.cudnnSetTensor4dDescriptor(d, format, type, n, c, h, w));
        return d;
    }

    /** The descriptors of one convolution. */
    private static final class Case {
        final NaiveConv conv;
        final int type;
        final cudnnTensorDescriptor x;
        final cudnnTensorDescriptor y;
        final cudnnFilterDescriptor w = new cudnnFilterDescriptor();
        final cudnnConvolutionDescriptor c = new cudnnConvolutionDescriptor();

        Case(NaiveConv v, int format, int type, int math) {
            conv = v;
            this.type = type;
            x = tensor(format, type, v.n(), v.c(), v.h(), v.w());
            y = tensor(format, type, v.n(), v.o(), v.outH(), v.outW());
            ok(JCudnn.cudnnCreateFilterDescriptor(w));
            ok(JCudnn.cudnnSetFilter4dDescriptor(w, type, format, v.o(), v.c() / v.groups(), v.kH(), v.kW()));
            ok(JCudnn.cudnnCreateConvolutionDescriptor(c));
            ok(JCudnn.cudnnSetConvolution2dDescriptor(c, v.top(), v.left(), v.stride(), v.stride(), v.dilation(),
                    v.dilation(), 1, type == DOUBLE ? DOUBLE : FLOAT));
            ok(JCudnn.cudnnSetConvolutionGroupCount(c, v.groups()));
            ok(JCudnn.cudnnSetConvolutionMathType(c, math));
        }
    }

    private long workspace(int status, long[] bytes) {
        ok(status);
        return device.allocate(bytes[0]);
    }

    /** All three directions with alpha 0.5 and beta 2, compared with the definition. */
    private void agrees(NaiveConv v, int format, int type) {
        Case k = new Case(v, format, type, cudnnMathType.CUDNN_FMA_MATH);
        double[] x = numbers(type, v.sizeX(), 1);
        double[] w = numbers(type, v.sizeW(), 2);
        double[] dy = numbers(type, v.sizeY(), 3);
        double[] y0 = numbers(type, v.sizeY(), 4);
        double[] x0 = numbers(type, v.sizeX(), 5);
        double[] w0 = numbers(type, v.sizeW(), 6);
        Ptr alpha = device.scalar(type, 0.5);
        Ptr beta = device.scalar(type, 2);
        int in = v.h() * v.w();
        int out = v.outH() * v.outW();
        int taps = v.kH() * v.kW();
        int perGroup = v.c() / v.groups();
        boolean last = format == NHWC;
        long px = device.put(type, last ? x : NaiveConv.channelsFirst(x, v.n(), in, v.c()));
        long pw = device.put(type, last ? w : NaiveConv.channelsFirst(w, v.o(), taps, perGroup));
        long pdy = device.put(type, last ? dy : NaiveConv.channelsFirst(dy, v.n(), out, v.o()));
        long py = device.put(type, last ? y0 : NaiveConv.channelsFirst(y0, v.n(), out, v.o()));
        long pdx = device.put(type, last ? x0 : NaiveConv.channelsFirst(x0, v.n(), in, v.c()));
        long pdw = device.put(type, last ? w0 : NaiveConv.channelsFirst(w0, v.o(), taps, perGroup));
        long[] bytes = new long[1];
        long ws = workspace(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, k.x, k.w, k.c, k.y, 1, bytes), bytes);
        ok(JCudnn.cudnnConvolutionForward(handle, alpha, k.x, Ptr.of(px), k.w, Ptr.of(pw), k.c, 1, Ptr.of(ws), bytes[0],
                beta, k.y, Ptr.of(py)));
        ws = workspace(JCudnn.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, k.w, k.y, k.c, k.x, 1, bytes), bytes);
        ok(JCudnn.cudnnConvolutionBackwardData(handle, alpha, k.w, Ptr.of(pw), k.y, Ptr.of(pdy), k.c, 1, Ptr.of(ws),
                bytes[0], beta, k.x, Ptr.of(pdx)));
        ws = workspace(JCudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, k.x, k.y, k.c, k.w, 1, bytes), bytes);
        ok(JCudnn.cudnnConvolutionBackwardFilter(handle, alpha, k.x, Ptr.of(px), k.y, Ptr.of(pdy), k.c, 1, Ptr.of(ws),
                bytes[0], beta, k.w, Ptr.of(pdw)));
        double[] y = mixed(v.forward(x, w), y0);
        double[] dx = mixed(v.backwardData(w, dy), x0);
        double[] dw = mixed(v.backwardFilter(x, dy), w0);
        double tolerance = StandInDevice.tolerance(type);
        assertClose(device.get(type, py, y.length), last ? y : NaiveConv.channelsFirst(y, v.n(), out, v.o()), tolerance);
        assertClose(device.get(type, pdx, dx.length), last ? dx : NaiveConv.channelsFirst(dx, v.n(), in, v.c()), tolerance);
        assertClose(device.get(type, pdw, dw.length), last ? dw : NaiveConv.channelsFirst(dw, v.o(), taps, perGroup),
                tolerance);
    }

    private static double[] mixed(double[] result, double[] before) {
        return IntStream.range(0, result.length).mapToDouble(i -> 0.5 * result[i] + 2 * before[i]).toArray();
    }

    @Test
    void convolutionsAgreeWithTheirDefinition() {
        for (int type : new int[] {FLOAT, HALF, BFLOAT16}) {
            agrees(new NaiveConv(2, 7, 6, 4, 6, 3, 1, 2, 1, 1), NHWC, type);
            agrees(new NaiveConv(1, 8, 9, 8, 8, 3, 2, 1, 2, 4), NHWC, type);
        }
        agrees(new NaiveConv(2, 9, 5, 6, 6, 3, 1, 1, 1, 6), NHWC, FLOAT);       // depthwise
        agrees(new NaiveConv(2, 5, 5, 6, 3, 1, 0, 1, 1, 1), NHWC, FLOAT);
        agrees(new NaiveConv(2, 7, 6, 4, 6, 3, 1, 2, 1, 2), NCHW, FLOAT);
        agrees(new NaiveConv(2, 7, 6, 4, 6, 2, 0, 1, 1, 1), NCHW, DOUBLE);
    }

    @Test
    void tensorCoresRoundFloatsUnlessForbidden() {
        NaiveConv v = new NaiveConv(1, 1, 1, 1, 1, 1, 0, 1, 1, 1);
        long x = device.put(FLOAT, 1 + 0x1p-12);
        long w = device.put(FLOAT, 1);
        long y = device.put(FLOAT, 0);
        for (int math : new int[] {cudnnMathType.CUDNN_FMA_MATH, cudnnMathType.CUDNN_DEFAULT_MATH}) {
            Case k = new Case(v, NHWC, FLOAT, math);
            ok(JCudnn.cudnnConvolutionForward(handle, device.scalar(FLOAT, 1), k.x, Ptr.of(x), k.w, Ptr.of(w), k.c, 0,
                    Ptr.of(0), 0, device.scalar(FLOAT, 0), k.y, Ptr.of(y)));
            assertThat(device.get(FLOAT, y, 1)).containsExactly(math == cudnnMathType.CUDNN_FMA_MATH ? 1 + 0x1p-12 : 1);
        }
    }

    @Test
    void biasAndActivationAreFused() {
        NaiveConv v = new NaiveConv(2, 5, 4, 4, 3, 3, 1, 1, 1, 1);
        Case k = new Case(v, NHWC, FLOAT, cudnnMathType.CUDNN_FMA_MATH);
        double[] x = numbers(FLOAT, v.sizeX(), 1);
        double[] w = numbers(FLOAT, v.sizeW(), 2);
        double[] z = numbers(FLOAT, v.sizeY(), 3);
        double[] bias = numbers(FLOAT, v.o(), 4);
        cudnnTensorDescriptor b = tensor(NHWC, FLOAT, 1, v.o(), 1, 1);
        long y = device.put(FLOAT, new double[v.sizeY()]);
        long[] bytes = new long[1];
        long ws = workspace(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, k.x, k.w, k.c, k.y, 1, bytes), bytes);
        Ptr px = Ptr.of(device.put(FLOAT, x));
        Ptr pw = Ptr.of(device.put(FLOAT, w));
        Ptr pz = Ptr.of(device.put(FLOAT, z));
        Ptr pb = Ptr.of(device.put(FLOAT, bias));
        Ptr one = device.scalar(FLOAT, 1);
        double[] expected = v.forward(x, w);
        for (int i = 0; i < expected.length; i++) {
            expected[i] = Math.max(0, expected[i] + z[i] + bias[i % v.o()]);
        }
        ok(JCudnn.cudnnConvolutionBiasActivationForward(handle, one, k.x, px, k.w, pw, k.c, 1, Ptr.of(ws), bytes[0], one,
                k.y, pz, b, pb, activation(cudnnActivationMode.CUDNN_ACTIVATION_RELU), k.y, Ptr.of(y)));
        assertClose(device.get(FLOAT, y, expected.length), expected, 1e-5);
        // identity exists with one algorithm only, other activations not at all
        assertThat(JCudnn.cudnnConvolutionBiasActivationForward(handle, one, k.x, px, k.w, pw, k.c, 0, Ptr.of(ws),
                bytes[0], one, k.y, pz, b, pb, activation(cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY), k.y, Ptr.of(y))
                / 1000).isEqualTo(NOT_SUPPORTED);
        assertThat(JCudnn.cudnnConvolutionBiasActivationForward(handle, one, k.x, px, k.w, pw, k.c, 1, Ptr.of(ws),
                bytes[0], one, k.y, pz, b, pb, activation(cudnnActivationMode.CUDNN_ACTIVATION_TANH), k.y, Ptr.of(y))
                / 1000).isEqualTo(NOT_SUPPORTED);
    }

    private static cudnnActivationDescriptor activation(int mode) {
        cudnnActivationDescriptor d = new cudnnActivationDescriptor();
        ok(JCudnn.cudnnCreateActivationDescriptor(d));
        ok(JCudnn.cudnnSetActivationDescriptor(d, mode, 0, 0));
        return d;
    }

    @Test
    void biasGradientIsTheSumOverImages() {
        cudnnTensorDescriptor dy = tensor(NHWC, FLOAT, 2, 3, 2, 2);
        cudnnTensorDescriptor db = tensor(NHWC, FLOAT, 1, 3, 1, 1);
        double[] g = numbers(FLOAT, 24, 1);
        double[] expected = new double[3];
        for (int i = 0; i < g.length; i++) {
            expected[i % 3] += g[i];
        }
        long to = device.put(FLOAT, new double[3]);
        ok(JCudnn.cudnnConvolutionBackwardBias(handle, device.scalar(FLOAT, 1), dy, Ptr.of(device.put(FLOAT, g)),
                device.scalar(FLOAT, 0), db, Ptr.of(to)));
        assertClose(device.get(FLOAT, to, 3), expected, 1e-5);
    }

    @Test
    void refusesWhatTheLibraryRefuses() {
        NaiveConv v = new NaiveConv(2, 6, 6, 4, 4, 3, 1, 1, 1, 1);
        Case k = new Case(v, NHWC, FLOAT, cudnnMathType.CUDNN_FMA_MATH);
        long[] bytes = new long[1];
        cudnnTensorDescriptor other = tensor(NHWC, FLOAT, 2, 4, 5, 6);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, k.x, k.w, k.c, other, 1, bytes)
                / 1000).isEqualTo(BAD_PARAM);
        cudnnTensorDescriptor three = tensor(NHWC, FLOAT, 2, 3, 6, 6);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, three, k.w, k.c, k.y, 1, bytes)
                / 1000).isEqualTo(BAD_PARAM);
        cudnnTensorDescriptor half = tensor(NHWC, HALF, 2, 4, 6, 6);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, half, k.w, k.c, k.y, 1, bytes)
                / 1000).isEqualTo(BAD_PARAM);
        cudnnTensorDescriptor planes = tensor(NCHW, FLOAT, 2, 4, 6, 6);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, planes, k.w, k.c, planes, 1, bytes) / 1000)
                .isEqualTo(NOT_SUPPORTED);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, k.x, k.w, k.c, k.y, 6, bytes)
                / 1000).isEqualTo(NOT_SUPPORTED);
        Case wide = new Case(v, NHWC, DOUBLE, cudnnMathType.CUDNN_FMA_MATH);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, wide.x, wide.w, wide.c, wide.y, 0, bytes) / 1000)
                .isEqualTo(NOT_SUPPORTED);
        ok(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, k.x, k.w, k.c, k.y, 1, bytes));
        assertThat(bytes[0]).isPositive();
        Ptr m = Ptr.of(device.put(FLOAT, new double[2 * 6 * 6 * 4]));
        Ptr one = device.scalar(FLOAT, 1);
        assertThat(JCudnn.cudnnConvolutionForward(handle, one, k.x, m, k.w, m, k.c, 1, m, bytes[0] - 1, one, k.y, m) / 1000)
                .isEqualTo(BAD_PARAM);
        long little = device.allocate(64);
        assertThat(JCudnn.cudnnConvolutionForward(handle, one, k.x, m, k.w, m, k.c, 0, m, 0, one, k.y,
                Ptr.of(little)) / 1000)
                .isEqualTo(5);
        cudnnConvolutionDescriptor c = new cudnnConvolutionDescriptor();
        ok(JCudnn.cudnnCreateConvolutionDescriptor(c));
        assertThat(JCudnn.cudnnSetConvolution2dDescriptor(c, -1, 0, 1, 1, 1, 1, 1, FLOAT) / 1000).isEqualTo(BAD_PARAM);
        assertThat(JCudnn.cudnnSetConvolution2dDescriptor(c, 0, 0, 0, 1, 1, 1, 1, FLOAT) / 1000).isEqualTo(BAD_PARAM);
        assertThat(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, k.x, k.w, c, k.y, 1, bytes)
                / 1000).isEqualTo(BAD_PARAM);
        assertThat(JCudnn.cudnnGetVersion()).isEqualTo(91900);
    }

    @Test
    void algorithmsAreRankedWithinTheWorkspace() {
        NaiveConv v = new NaiveConv(1, 8, 8, 4, 4, 3, 1, 1, 1, 1);
        Case k = new Case(v, NCHW, FLOAT, cudnnMathType.CUDNN_DEFAULT_MATH);
        cudnnConvolutionFwdAlgoPerf[] all = new cudnnConvolutionFwdAlgoPerf[8];
        Arrays.setAll(all, i -> new cudnnConvolutionFwdAlgoPerf());
        int[] n = new int[1];
        ok(JCudnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, k.x, k.w, k.c, k.y, 8, n, all));
        assertThat(n[0]).isEqualTo(8);
        assertThat(all[0].status).isZero();
        assertThat(Arrays.stream(all).filter(p -> p.algo == 3).findFirst().orElseThrow().status / 1000)
                .isEqualTo(NOT_SUPPORTED);
        long x = device.put(FLOAT, numbers(FLOAT, v.sizeX(), 1));
        long w = device.put(FLOAT, numbers(FLOAT, v.sizeW(), 2));
        long y = device.put(FLOAT, new double[v.sizeY()]);
        long limit = 2048;
        long ws = device.allocate(limit);
        ok(JCudnn.cudnnFindConvolutionForwardAlgorithmEx(handle, k.x, Ptr.of(x), k.w, Ptr.of(w), k.c, k.y, Ptr.of(y), 8, n,
                all, Ptr.of(ws), limit));
        double[] times = Arrays.stream(all, 0, n[0]).filter(p -> p.status == 0).mapToDouble(p -> p.time).toArray();
        assertThat(times).isSorted().hasSizeGreaterThan(1);
        assertThat(times[0]).isPositive();
        assertThat(Arrays.stream(all, 0, n[0]).filter(p -> p.status == 0)).allMatch(p -> p.memory <= limit);
        assertThat(Arrays.stream(all, 0, n[0])).anyMatch(p -> p.status == 4003);
        assertThat(device.get(FLOAT, y, 1)[0]).isNaN();              // timing overwrites the output
    }

    @Test
    void atomicsAreNotDeterministicAndTimingIsNotRecorded() {
        NaiveConv v = new NaiveConv(1, 8, 8, 4, 4, 3, 1, 1, 1, 1);
        Case k = new Case(v, NCHW, FLOAT, cudnnMathType.CUDNN_DEFAULT_MATH);
        cudnnConvolutionBwdFilterAlgoPerf[] all = new cudnnConvolutionBwdFilterAlgoPerf[7];
        Arrays.setAll(all, i -> new cudnnConvolutionBwdFilterAlgoPerf());
        int[] n = new int[1];
        ok(JCudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, k.x, k.y, k.c, k.w, 7, n, all));
        for (int i = 0; i < n[0]; i++) {
            assertThat(all[i].determinism).isEqualTo(all[i].algo == 0 || all[i].algo == 3 ? 0 : 1);
        }
        Ptr m = Ptr.of(device.put(FLOAT, new double[v.sizeX()]));
        Driver.beginCapture(device.stream);
        int status = JCudnn.cudnnFindConvolutionBackwardFilterAlgorithmEx(handle, k.x, m, k.y, m, k.c, k.w, m, 7, n, all,
                Ptr.of(0), 0);
        Driver.destroy(Driver.endCapture(device.stream));
        assertThat(status / 1000).isEqualTo(5);
    }
}
