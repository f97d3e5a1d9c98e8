package dev.graft.kernels.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import jcuda.driver.CUstream;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnBackendDescriptor;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;

/**
 * Convolutions, libcudnn 8 or 9: the only caller of {@link JCudnn}, and only of functions that both have (calling one that
 * is missing ends the process). Numbers that cuDNN takes as pointers come from native memory: JCudnn hands Java arrays on as
 * null. Images are [N, H, W, C], filters [O, kH, kW, C/groups].
 */
public final class Cudnn implements AutoCloseable {
    private static final MemorySegment NUMBERS = Arena.global().allocate(32, 8);
    private static final Ptr ZERO;
    private static final Ptr ONE;
    private static final Ptr ZERO_DOUBLE;
    private static final Ptr ONE_DOUBLE;
    private static final int DOUBLE = 1;
    private static final int VERSION_9 = 90000;

    static {
        NUMBERS.set(ValueLayout.JAVA_FLOAT, 4, 1f);
        NUMBERS.set(ValueLayout.JAVA_DOUBLE, 16, 1.0);
        ZERO = Ptr.of(NUMBERS);
        ONE = Ptr.of(NUMBERS.asSlice(4));
        ZERO_DOUBLE = Ptr.of(NUMBERS.asSlice(8));
        ONE_DOUBLE = Ptr.of(NUMBERS.asSlice(16));
    }

    private static final class Handle extends cudnnHandle {
        long address() {
            return getNativePointer();
        }
    }

    /** An object of the graph API. */
    public static final class Descriptor extends cudnnBackendDescriptor {
        long address() {
            return getNativePointer();
        }
    }

    /**
     * One of the ways that the older API offers, best first. The math type that belongs to it is not here: JCudnn hands it
     * on for gradients of weights only, and leaves 0 in the others.
     */
    public record Algorithm(int number, boolean deterministic) {}

    private final Handle handle = new Handle();
    private final long version;

    public Cudnn(CUstream stream) {
        check(JCudnn.cudnnCreate(handle), "cudnnCreate");
        boolean done = false;
        try {
            check(JCudnn.cudnnSetStream(handle, new cudaStream_t(stream)), "cudnnSetStream");
            version = JCudnn.cudnnGetVersion();
            done = true;
        } finally {
            if (!done) {
                JCudnn.cudnnDestroy(handle);
            }
        }
    }

    /** As the library counts: 91900 for 9.19.0, but 8904 for 8.9.4. */
    public long version() {
        return version;
    }

    @Override
    public void close() {
        check(JCudnn.cudnnDestroy(handle), "cudnnDestroy");
    }

    // ------------------------------------------------------------------ the older API: descriptors

    public cudnnTensorDescriptor tensor(int dtype, int n, int h, int w, int c) {
        cudnnTensorDescriptor d = new cudnnTensorDescriptor();
        check(JCudnn.cudnnCreateTensorDescriptor(d), "cudnnCreateTensorDescriptor");
        int status = JCudnn.cudnnSetTensor4dDescriptor(d, cudnnTensorFormat.CUDNN_TENSOR_NHWC, dtype, n, c, h, w);
        if (status != 0) {
            destroy(d);
            throw failure(status, "cudnnSetTensor4dDescriptor");
        }
        return d;
    }

    public cudnnFilterDescriptor filter(int dtype, int o, int kH, int kW, int c) {
        cudnnFilterDescriptor d = new cudnnFilterDescriptor();
        check(JCudnn.cudnnCreateFilterDescriptor(d), "cudnnCreateFilterDescriptor");
        int status = JCudnn.cudnnSetFilter4dDescriptor(d, dtype, cudnnTensorFormat.CUDNN_TENSOR_NHWC, o, c, kH, kW);
        if (status != 0) {
            destroy(d);
            throw failure(status, "cudnnSetFilter4dDescriptor");
        }
        return d;
    }

    /**
     * The same padding before and after, which is all that the older API has.
     *
     * @param math a cudnnMathType: whether tensor cores may be used
     */
    public cudnnConvolutionDescriptor convolution(int padH, int padW, int strideH, int strideW, int dilationH, int dilationW,
            int groups, int compute, int math) {
        cudnnConvolutionDescriptor d = new cudnnConvolutionDescriptor();
        check(JCudnn.cudnnCreateConvolutionDescriptor(d), "cudnnCreateConvolutionDescriptor");
        boolean done = false;
        try {
            check(JCudnn.cudnnSetConvolution2dDescriptor(d, padH, padW, strideH, strideW, dilationH, dilationW,
                    cudnnConvolutionMode.CUDNN_CROSS_CORRELATION, compute), "cudnnSetConvolution2dDescriptor");
            check(JCudnn.cudnnSetConvolutionGroupCount(d, groups), "cudnnSetConvolutionGroupCount");
            check(JCudnn.cudnnSetConvolutionMathType(d, math), "cudnnSetConvolutionMathType");
            done = true;
        } finally {
            if (!done) {
                destroy(d);
            }
        }
        return d;
    }

    /** @param mode a cudnnActivationMode; what convolutions fuse takes NaN for 0, they refuse anything else */
    public cudnnActivationDescriptor activation(int mode) {
        cudnnActivationDescriptor d = new cudnnActivationDescriptor();
        check(JCudnn.cudnnCreateActivationDescriptor(d), "cudnnCreateActivationDescriptor");
        int status = JCudnn.cudnnSetActivationDescriptor(d, mode, cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN, 0);
        if (status != 0) {
            destroy(d);
            throw failure(status, "cudnnSetActivationDescriptor");
        }
        return d;
    }

    public void destroy(cudnnTensorDescriptor d) {
        JCudnn.cudnnDestroyTensorDescriptor(d);
    }

    public void destroy(cudnnFilterDescriptor d) {
        JCudnn.cudnnDestroyFilterDescriptor(d);
    }

    public void destroy(cudnnConvolutionDescriptor d) {
        JCudnn.cudnnDestroyConvolutionDescriptor(d);
    }

    public void destroy(cudnnActivationDescriptor d) {
        JCudnn.cudnnDestroyActivationDescriptor(d);
    }

    // ------------------------------------------------------------------ the older API: forward

    public List<Algorithm> forwardAlgorithms(cudnnTensorDescriptor x, cudnnFilterDescriptor w,
            cudnnConvolutionDescriptor conv, cudnnTensorDescriptor y, int most) {
        cudnnConvolutionFwdAlgoPerf[] found = new cudnnConvolutionFwdAlgoPerf[most];
        Arrays.setAll(found, i -> new cudnnConvolutionFwdAlgoPerf());
        return algorithms("cudnnGetConvolutionForwardAlgorithm_v7", n -> JCudnn.cudnnGetConvolutionForwardAlgorithm_v7(
                handle, x, w, conv, y, most, n, found),
                i -> found[i].status, i -> algorithm(found[i].algo, found[i].determinism));
    }

    public long forwardWorkspace(cudnnTensorDescriptor x, cudnnFilterDescriptor w, cudnnConvolutionDescriptor conv,
            cudnnTensorDescriptor y, int algorithm) {
        long[] bytes = new long[1];
        check(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, x, w, conv, y, algorithm, bytes),
                "cudnnGetConvolutionForwardWorkspaceSize");
        return bytes[0];
    }

    /** y = conv(x, w). */
    public void forward(int dtype, cudnnTensorDescriptor xd, long x, cudnnFilterDescriptor wd, long w,
            cudnnConvolutionDescriptor conv, int algorithm, long workspace, long workspaceBytes, cudnnTensorDescriptor yd,
            long y) {
        check(JCudnn.cudnnConvolutionForward(handle, one(dtype), xd, Ptr.of(x), wd, Ptr.of(w), conv, algorithm,
                Ptr.of(workspace), workspaceBytes, zero(dtype), yd, Ptr.of(y)), "cudnnConvolutionForward");
    }

    /** y = activation(conv(x, w) + residual + bias); without a residual its address is y's and counts nothing. */
    public void forwardFused(int dtype, cudnnTensorDescriptor xd, long x, cudnnFilterDescriptor wd, long w,
            cudnnConvolutionDescriptor conv, int algorithm, long workspace, long workspaceBytes, boolean residual, long z,
            cudnnTensorDescriptor biasd, long bias, cudnnActivationDescriptor activation, cudnnTensorDescriptor yd, long y) {
        check(JCudnn.cudnnConvolutionBiasActivationForward(handle, one(dtype), xd, Ptr.of(x), wd, Ptr.of(w), conv, algorithm,
                Ptr.of(workspace), workspaceBytes, residual ? one(dtype) : zero(dtype), yd, Ptr.of(residual ? z : y), biasd,
                Ptr.of(bias), activation, yd, Ptr.of(y)), "cudnnConvolutionBiasActivationForward");
    }

    // ------------------------------------------------------------------ the older API: backward

    public List<Algorithm> backwardInputAlgorithms(cudnnFilterDescriptor w, cudnnTensorDescriptor dy,
            cudnnConvolutionDescriptor conv, cudnnTensorDescriptor dx, int most) {
        cudnnConvolutionBwdDataAlgoPerf[] found = new cudnnConvolutionBwdDataAlgoPerf[most];
        Arrays.setAll(found, i -> new cudnnConvolutionBwdDataAlgoPerf());
        return algorithms("cudnnGetConvolutionBackwardDataAlgorithm_v7",
                n -> JCudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(
                        handle, w, dy, conv, dx, most, n, found),
                i -> found[i].status, i -> algorithm(found[i].algo, found[i].determinism));
    }

    public long backwardInputWorkspace(cudnnFilterDescriptor w, cudnnTensorDescriptor dy, cudnnConvolutionDescriptor conv,
            cudnnTensorDescriptor dx, int algorithm) {
        long[] bytes = new long[1];
        check(JCudnn.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, w, dy, conv, dx, algorithm, bytes),
                "cudnnGetConvolutionBackwardDataWorkspaceSize");
        return bytes[0];
    }

    public void backwardInput(int dtype, cudnnFilterDescriptor wd, long w, cudnnTensorDescriptor dyd, long dy,
            cudnnConvolutionDescriptor conv, int algorithm, long workspace, long workspaceBytes, cudnnTensorDescriptor dxd,
            long dx) {
        check(JCudnn.cudnnConvolutionBackwardData(handle, one(dtype), wd, Ptr.of(w), dyd, Ptr.of(dy), conv, algorithm,
                Ptr.of(workspace), workspaceBytes, zero(dtype), dxd, Ptr.of(dx)), "cudnnConvolutionBackwardData");
    }

    public List<Algorithm> backwardWeightAlgorithms(cudnnTensorDescriptor x, cudnnTensorDescriptor dy,
            cudnnConvolutionDescriptor conv, cudnnFilterDescriptor dw, int most) {
        cudnnConvolutionBwdFilterAlgoPerf[] found = new cudnnConvolutionBwdFilterAlgoPerf[most];
        Arrays.setAll(found, i -> new cudnnConvolutionBwdFilterAlgoPerf());
        return algorithms("cudnnGetConvolutionBackwardFilterAlgorithm_v7",
                n -> JCudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                        handle, x, dy, conv, dw, most, n, found),
                i -> found[i].status, i -> algorithm(found[i].algo, found[i].determinism));
    }

    public long backwardWeightWorkspace(cudnnTensorDescriptor x, cudnnTensorDescriptor dy, cudnnConvolutionDescriptor conv,
            cudnnFilterDescriptor dw, int algorithm) {
        long[] bytes = new long[1];
        check(JCudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, x, dy, conv, dw, algorithm, bytes),
                "cudnnGetConvolutionBackwardFilterWorkspaceSize");
        return bytes[0];
    }

    public void backwardWeight(int dtype, cudnnTensorDescriptor xd, long x, cudnnTensorDescriptor dyd, long dy,
            cudnnConvolutionDescriptor conv, int algorithm, long workspace, long workspaceBytes, cudnnFilterDescriptor dwd,
            long dw) {
        check(JCudnn.cudnnConvolutionBackwardFilter(handle, one(dtype), xd, Ptr.of(x), dyd, Ptr.of(dy), conv, algorithm,
                Ptr.of(workspace), workspaceBytes, zero(dtype), dwd, Ptr.of(dw)), "cudnnConvolutionBackwardFilter");
    }

    /** A call that lists algorithms, the best first; the number of them goes to {@code n[0]}. */
    interface Query {
        int run(int[] n);
    }

    /** Those of the listed algorithms whose own status is good. */
    List<Algorithm> algorithms(String call, Query query, IntUnaryOperator status, IntFunction<Algorithm> algorithm) {
        int[] n = new int[1];
        try {
            check(query.run(n), call);
        } catch (ArrayIndexOutOfBoundsException e) {
            // JCudnn copies the results before it returns the status, and cuDNN sets their number only when there are any.
            CudaException failed = failure(isVersion9() ? 3000 : 9, call);
            failed.initCause(e);
            throw failed;
        }
        return IntStream.range(0, n[0]).filter(i -> status.applyAsInt(i) == 0).mapToObj(algorithm).toList();
    }

    private static Algorithm algorithm(int number, int determinism) {
        return new Algorithm(number, determinism == cudnnDeterminism.CUDNN_DETERMINISTIC);
    }

    private static Ptr one(int dtype) {
        return dtype == DOUBLE ? ONE_DOUBLE : ONE;
    }

    private static Ptr zero(int dtype) {
        return dtype == DOUBLE ? ZERO_DOUBLE : ZERO;
    }

    // ------------------------------------------------------------------ the graph API

    /** @param type a cudnnBackendDescriptorType */
    public Descriptor create(int type) {
        Descriptor d = new Descriptor();
        check(JCudnn.cudnnBackendCreateDescriptor(type, d), "cudnnBackendCreateDescriptor");
        return d;
    }

    public void destroy(Descriptor d) {
        JCudnn.cudnnBackendDestroyDescriptor(d);
    }

    public void finish(Descriptor d) {
        check(JCudnn.cudnnBackendFinalize(d), "cudnnBackendFinalize");
    }

    /** Sets {@code count} elements of {@code type} that lie in native memory. */
    public void set(Descriptor d, int attribute, int type, long count, MemorySegment elements) {
        int status = JCudnn.cudnnBackendSetAttribute(d, attribute, type, count, Ptr.of(elements));
        if (status != 0) {
            throw failure(status, "cudnnBackendSetAttribute of " + attribute);
        }
    }

    /** Sets other objects; the addresses are put into {@code room}. */
    public void set(Descriptor d, int attribute, int type, MemorySegment room, Descriptor... values) {
        for (int i = 0; i < values.length; i++) {
            room.setAtIndex(ValueLayout.JAVA_LONG, i, values[i].address());
        }
        set(d, attribute, type, values.length, room);
    }

    /** Sets this handle. */
    public void setHandle(Descriptor d, int attribute, int type, MemorySegment room) {
        room.set(ValueLayout.JAVA_LONG, 0, handle.address());
        set(d, attribute, type, 1, room);
    }

    /** Fills {@code elements}, native memory with room for {@code count}; returns how many there are now. */
    public int get(Descriptor d, int attribute, int type, int count, MemorySegment elements) {
        long[] n = new long[1];
        int status = JCudnn.cudnnBackendGetAttribute(d, attribute, type, count, n, Ptr.of(elements));
        if (status != 0) {
            throw failure(status, "cudnnBackendGetAttribute of " + attribute);
        }
        return (int) Math.min(count, n[0]);
    }

    /** Fills {@code values}, which have been created; returns how many are filled. */
    public int get(Descriptor d, int attribute, int type, MemorySegment room, Descriptor... values) {
        for (int i = 0; i < values.length; i++) {
            room.setAtIndex(ValueLayout.JAVA_LONG, i, values[i].address());
        }
        return get(d, attribute, type, values.length, room);
    }

    public void execute(Descriptor plan, Descriptor variantPack) {
        check(JCudnn.cudnnBackendExecute(handle, plan, variantPack), "cudnnBackendExecute");
    }

    // ------------------------------------------------------------------ errors

    private void check(int status, String call) {
        if (status != 0) {
            throw failure(status, call);
        }
    }

    private CudaException failure(int status, String call) {
        String text = JCudnn.cudnnGetErrorString(status);
        String name = name(status);
        return new CudaException(call + ": " + name + " (" + status + ")"
                + (text == null || text.isBlank() || text.equals(name) ? "" : ": " + text), status);
    }

    /** cuDNN 9 counts kinds of errors in thousands, with details inside each; cuDNN 8 from 1. */
    static String name(int status) {
        return switch (status) {
            case 1, 1001 -> "CUDNN_STATUS_NOT_INITIALIZED";
            case 2 -> "CUDNN_STATUS_ALLOC_FAILED";
            case 3 -> "CUDNN_STATUS_BAD_PARAM";
            case 4 -> "CUDNN_STATUS_INTERNAL_ERROR";
            case 5 -> "CUDNN_STATUS_INVALID_VALUE";
            case 6 -> "CUDNN_STATUS_ARCH_MISMATCH";
            case 7 -> "CUDNN_STATUS_MAPPING_ERROR";
            case 8 -> "CUDNN_STATUS_EXECUTION_FAILED";
            case 9 -> "CUDNN_STATUS_NOT_SUPPORTED";
            case 10 -> "CUDNN_STATUS_LICENSE_ERROR";
            case 11 -> "CUDNN_STATUS_RUNTIME_PREREQUISITE_MISSING";
            case 12 -> "CUDNN_STATUS_RUNTIME_IN_PROGRESS";
            case 13 -> "CUDNN_STATUS_RUNTIME_FP_OVERFLOW";
            case 14 -> "CUDNN_STATUS_VERSION_MISMATCH";
            case 1002 -> "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH";
            case 4003 -> "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
            default -> switch (status / 1000) {
                case 1 -> "CUDNN_STATUS_NOT_INITIALIZED or its kin";
                case 2 -> "CUDNN_STATUS_BAD_PARAM";
                case 3 -> "CUDNN_STATUS_NOT_SUPPORTED";
                case 4 -> "CUDNN_STATUS_INTERNAL_ERROR";
                case 5 -> "CUDNN_STATUS_EXECUTION_FAILED";
                default -> "error";
            };
        };
    }

    /** Whether this is cuDNN 9 or newer. */
    public boolean isVersion9() {
        return version >= VERSION_9;
    }
}
