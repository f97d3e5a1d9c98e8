package dev.graft.kernels.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Matrix products, libcublas: the only caller of {@link JCublas2}. One handle for one stream with a workspace of its own, as
 * recording a graph and repeatable results need. Matrices are row-major here: cuBLAS, which counts by columns, is given the
 * factors in the other order and finds the transposed result in the same place.
 *
 * <p>Half-precision products add up in float32 and never round in between ({@code DISALLOW_REDUCED_PRECISION_REDUCTION}).
 */
public final class Cublas implements AutoCloseable {
    /** What NVIDIA recommends for Hopper. */
    public static final long WORKSPACE_BYTES = 32L << 20;

    private static final MemorySegment NUMBERS = Arena.global().allocate(32, 8);
    private static final Ptr ZERO;
    private static final Ptr ONE;
    private static final Ptr ZERO_DOUBLE;
    private static final Ptr ONE_DOUBLE;

    static {
        NUMBERS.set(ValueLayout.JAVA_FLOAT, 4, 1f);
        NUMBERS.set(ValueLayout.JAVA_DOUBLE, 16, 1.0);
        ZERO = Ptr.of(NUMBERS);
        ONE = Ptr.of(NUMBERS.asSlice(4));
        ZERO_DOUBLE = Ptr.of(NUMBERS.asSlice(8));
        ONE_DOUBLE = Ptr.of(NUMBERS.asSlice(16));
    }

    private final cublasHandle handle = new cublasHandle();
    private final int version;

    /**
     * @param stream         where the products run
     * @param workspace      device address of memory that is this handle's alone
     * @param workspaceBytes its size
     */
    public Cublas(CUstream stream, long workspace, long workspaceBytes) {
        check(JCublas2.cublasCreate(handle), "cublasCreate");
        boolean done = false;
        try {
            check(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)), "cublasSetStream");
            check(JCublas2.cublasSetWorkspace(handle, Ptr.of(workspace), workspaceBytes), "cublasSetWorkspace");
            check(JCublas2.cublasSetMathMode(handle, cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION),
                    "cublasSetMathMode");
            int[] v = new int[1];
            check(JCublas2.cublasGetVersion(handle, v), "cublasGetVersion");
            version = v[0];
            done = true;
        } finally {
            if (!done) {
                JCublas2.cublasDestroy(handle);
            }
        }
    }

    /** Such as 130000 for 13.0. */
    public int version() {
        return version;
    }

    /**
     * c [m, n] = op(a) [m, k] · op(b) [k, n].
     *
     * @param transA whether a is stored as [k, m]
     * @param lda    elements from one stored row of a to the next
     * @param add    adds to what c holds instead of overwriting it
     */
    public void gemm(GemmType t, boolean transA, boolean transB, int m, int n, int k, long a, int lda, long b, int ldb,
            boolean add, long c, int ldc) {
        int status = JCublas2.cublasGemmEx_new(handle, operation(transB), operation(transA), n, m, k, number(t, true),
                Ptr.of(b), t.factors, ldb, Ptr.of(a), t.factors, lda, number(t, add), Ptr.of(c), t.result, ldc, t.compute,
                cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
        if (status != 0) {
            throw failure(status, "cublasGemmEx", t, transA, transB, m, n, k, 1);
        }
    }

    /**
     * {@code batch} products whose matrices lie {@code stride} elements apart; stride 0 gives every product the same one.
     */
    public void gemmStridedBatched(GemmType t, boolean transA, boolean transB, int m, int n, int k, long a, int lda,
            long strideA, long b, int ldb, long strideB, boolean add, long c, int ldc, long strideC, int batch) {
        int status = JCublas2.cublasGemmStridedBatchedEx_new(handle, operation(transB), operation(transA), n, m, k,
                number(t, true), Ptr.of(b), t.factors, ldb, strideB, Ptr.of(a), t.factors, lda, strideA, number(t, add),
                Ptr.of(c), t.result, ldc, strideC, batch, t.compute, cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
        if (status != 0) {
            throw failure(status, "cublasGemmStridedBatchedEx", t, transA, transB, m, n, k, batch);
        }
    }

    private static int operation(boolean transpose) {
        return transpose ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
    }

    private static Ptr number(GemmType t, boolean one) {
        return t == GemmType.F64 ? one ? ONE_DOUBLE : ZERO_DOUBLE : one ? ONE : ZERO;
    }

    @Override
    public void close() {
        check(JCublas2.cublasDestroy(handle), "cublasDestroy");
    }

    private static void check(int status, String call) {
        if (status != 0) {
            throw new CudaException(call + ": " + name(status), status);
        }
    }

    private static CudaException failure(int status, String call, GemmType t, boolean transA, boolean transB, int m, int n,
            int k, int batch) {
        return new CudaException(call + " of " + (batch == 1 ? "" : batch + " times ") + "[" + m + ", " + k + "]"
                + (transA ? " (stored transposed)" : "") + " x [" + k + ", " + n + "]"
                + (transB ? " (stored transposed)" : "") + " in " + t + ": " + name(status), status);
    }

    /** The status's name and number; JCuda's own table ends before the newest ones. */
    static String name(int status) {
        String name = switch (status) {
            case 1 -> "CUBLAS_STATUS_NOT_INITIALIZED";
            case 3 -> "CUBLAS_STATUS_ALLOC_FAILED";
            case 7 -> "CUBLAS_STATUS_INVALID_VALUE";
            case 8 -> "CUBLAS_STATUS_ARCH_MISMATCH";
            case 11 -> "CUBLAS_STATUS_MAPPING_ERROR";
            case 13 -> "CUBLAS_STATUS_EXECUTION_FAILED";
            case 14 -> "CUBLAS_STATUS_INTERNAL_ERROR";
            case 15 -> "CUBLAS_STATUS_NOT_SUPPORTED";
            case 16 -> "CUBLAS_STATUS_LICENSE_ERROR";
            default -> "error";
        };
        return name + " (" + status + ")";
    }
}
