package dev.graft.kernels.emulator;

import static dev.graft.kernels.emulator.StandInDevice.BFLOAT16;
import static dev.graft.kernels.emulator.StandInDevice.DOUBLE;
import static dev.graft.kernels.emulator.StandInDevice.FLOAT;
import static dev.graft.kernels.emulator.StandInDevice.HALF;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Ptr;
import java.util.Arrays;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The stand-in for cuBLAS against plain loops over doubles, and what it refuses as the library does. */
class CublasStandInTest {
    private static final int F32 = cublasComputeType.CUBLAS_COMPUTE_32F;
    private static final int TF32 = cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32;
    private static final int F64 = cublasComputeType.CUBLAS_COMPUTE_64F;

    private StandInDevice device;
    private final cublasHandle handle = new cublasHandle();

    @BeforeEach
    void open() {
        device = new StandInDevice();
        assertThat(JCublas2.cublasCreate(handle)).isZero();
        assertThat(JCublas2.cublasSetStream(handle, new cudaStream_t(device.stream))).isZero();
    }

    @AfterEach
    void close() {
        if (device != null) {
            JCublas2.cublasDestroy(handle);
            device.close();
        }
    }

    /** CUDA's number of the type. */
    private static int cuda(int type) {
        return type == BFLOAT16 ? 14 : type;
    }

    private record Product(int m, int n, int k, boolean transA, boolean transB, int batch, double alpha, double beta,
            int gap) {
        int lda() {
            return (transA ? k : m) + gap;
        }

        int ldb() {
            return (transB ? n : k) + gap;
        }

        int ldc() {
            return m + gap;
        }

        int sizeA() {
            return lda() * (transA ? m : k);
        }

        int sizeB() {
            return ldb() * (transB ? k : n);
        }

        int sizeC() {
            return ldc() * n;
        }

        double[] expected(double[] a, double[] b, double[] c) {
            double[] out = c.clone();
            for (int z = 0; z < batch; z++) {
                for (int i = 0; i < m; i++) {
                    for (int j = 0; j < n; j++) {
                        double sum = 0;
                        for (int p = 0; p < k; p++) {
                            sum += a[z * sizeA() + (transA ? p + i * lda() : i + p * lda())]
                                    * b[z * sizeB() + (transB ? j + p * ldb() : p + j * ldb())];
                        }
                        int at = z * sizeC() + i + j * ldc();
                        out[at] = alpha * sum + (beta == 0 ? 0 : beta * c[at]);
                    }
                }
            }
            return out;
        }
    }

    private int run(Product p, int type, int out, int compute, long a, long b, long c) {
        Ptr alpha = device.scalar(type, p.alpha);
        Ptr beta = device.scalar(type, p.beta);
        if (p.batch == 1) {
            return JCublas2.cublasGemmEx_new(handle, p.transA ? 1 : 0, p.transB ? 1 : 0, p.m, p.n, p.k, alpha, Ptr.of(a),
                    cuda(type), p.lda(), Ptr.of(b), cuda(type), p.ldb(), beta, Ptr.of(c), cuda(out), p.ldc(), compute, -1);
        }
        return JCublas2.cublasGemmStridedBatchedEx_new(handle, p.transA ? 1 : 0, p.transB ? 1 : 0, p.m, p.n, p.k, alpha,
                Ptr.of(a),
                cuda(type), p.lda(), p.sizeA(), Ptr.of(b), cuda(type), p.ldb(), p.sizeB(), beta, Ptr.of(c), cuda(out),
                p.ldc(), p.sizeC(), p.batch, compute, -1);
    }

    private void agrees(Product p, int type, int out, int compute, double tolerance) {
        double[] a = StandInDevice.numbers(type, p.sizeA() * p.batch, 1);
        double[] b = StandInDevice.numbers(type, p.sizeB() * p.batch, 2);
        double[] c = StandInDevice.numbers(out, p.sizeC() * p.batch, 3);
        long to = device.put(out, c);
        assertThat(run(p, type, out, compute, device.put(type, a), device.put(type, b), to)).isZero();
        StandInDevice.assertClose(device.get(out, to, c.length), p.expected(a, b, c), tolerance);
    }

    @Test
    void productsAgreeWithPlainLoops() {
        for (boolean transA : new boolean[] {false, true}) {
            for (boolean transB : new boolean[] {false, true}) {
                agrees(new Product(37, 21, 300, transA, transB, 1, 0.5, 2, 3), FLOAT, FLOAT, F32, 2e-5);
                agrees(new Product(7, 5, 9, transA, transB, 4, 1, 0, 0), DOUBLE, DOUBLE, F64, 1e-13);
                agrees(new Product(18, 40, 33, transA, transB, 2, 1, 1, 1), BFLOAT16, BFLOAT16, F32, 1e-2);
                agrees(new Product(18, 40, 33, transA, transB, 1, 1, 0, 0), HALF, FLOAT, F32, 1e-5);
            }
        }
    }

    @Test
    void tf32RoundsTheFactors() {
        double fine = 1 + 0x1p-12;                          // 12 bits: TF32 has 10
        long a = device.put(FLOAT, fine);
        long b = device.put(FLOAT, 1);
        long c = device.put(FLOAT, 0);
        Product one = new Product(1, 1, 1, false, false, 1, 1, 0, 0);
        assertThat(run(one, FLOAT, FLOAT, F32, a, b, c)).isZero();
        assertThat(device.get(FLOAT, c, 1)).containsExactly(fine);
        assertThat(run(one, FLOAT, FLOAT, TF32, a, b, c)).isZero();
        assertThat(device.get(FLOAT, c, 1)).containsExactly(1.0);
        assertThat(JCublas2.cublasSetMathMode(handle, cublasMath.CUBLAS_TF32_TENSOR_OP_MATH)).isZero();
        assertThat(run(one, FLOAT, FLOAT, F32, a, b, c)).isZero();
        assertThat(device.get(FLOAT, c, 1)).containsExactly(1.0);
    }

    @Test
    void betaZeroDoesNotReadTheResult() {
        long c = device.put(FLOAT, Double.NaN);
        Product p = new Product(1, 1, 0, false, false, 1, 1, 0, 1);
        assertThat(run(p, FLOAT, FLOAT, F32, device.put(FLOAT, 1), device.put(FLOAT, 1), c)).isZero();
        assertThat(device.get(FLOAT, c, 1)).containsExactly(0.0);
    }

    @Test
    void refusesWhatTheLibraryRefuses() {
        long m = device.put(FLOAT, new double[16]);
        Product square = new Product(4, 4, 4, false, false, 1, 1, 0, 0);
        assertThat(run(new Product(4, 4, 4, false, false, 1, 1, 0, -1), FLOAT, FLOAT, F32, m, m, m))
                .isEqualTo(cublasStatus.CUBLAS_STATUS_INVALID_VALUE);
        assertThat(run(new Product(-1, 4, 4, false, false, 1, 1, 0, 9), FLOAT, FLOAT, F32, m, m, m))
                .isEqualTo(cublasStatus.CUBLAS_STATUS_INVALID_VALUE);
        assertThat(run(square, FLOAT, FLOAT, F64, m, m, m)).isEqualTo(cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED);
        assertThat(run(square, FLOAT, BFLOAT16, F32, m, m, m)).isEqualTo(cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED);
        assertThat(run(square, HALF, HALF, TF32, m, m, m)).isEqualTo(cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED);
        assertThat(JCublas2.cublasSetWorkspace(handle, Ptr.of(m + 4), 16))
                .isEqualTo(cublasStatus.CUBLAS_STATUS_INVALID_VALUE);
        assertThat(JCublas2.cublasDestroy(new cublasHandle())).isEqualTo(cublasStatus.CUBLAS_STATUS_NOT_INITIALIZED);
    }

    @Test
    void memoryBeyondAnAllocationFails() {
        long small = device.put(FLOAT, new double[15]);
        long m = device.put(FLOAT, new double[16]);
        Product square = new Product(4, 4, 4, false, false, 1, 1, 0, 0);
        assertThat(run(square, FLOAT, FLOAT, F32, small, m, m)).isEqualTo(cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED);
        assertThat(run(square, FLOAT, FLOAT, F32, m, m, small)).isEqualTo(cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED);
        assertThat(run(new Product(2, 2, 2, false, false, 2, 1, 0, 0), FLOAT, FLOAT, F32, m, m, m)).isZero();
    }

    @Test
    void aRecordedProductIsReplayed() {
        double[] a = StandInDevice.numbers(FLOAT, 6, 4);
        double[] b = StandInDevice.numbers(FLOAT, 6, 5);
        long from = device.put(FLOAT, a);
        long with = device.put(FLOAT, b);
        long to = device.put(FLOAT, new double[9]);
        Product p = new Product(3, 3, 2, false, false, 1, 1, 0, 0);
        Driver.beginCapture(device.stream);
        assertThat(run(p, FLOAT, FLOAT, F32, from, with, to)).isZero();
        CUgraph graph = Driver.endCapture(device.stream);
        assertThat(device.get(FLOAT, to, 9)).containsOnly(0);
        CUgraphExec exec = Driver.instantiate(graph);
        Driver.launch(exec, device.stream);
        double[] expected = p.expected(a, b, new double[9]);
        StandInDevice.assertClose(device.get(FLOAT, to, 9), expected, 1e-6);
        long twice = device.put(FLOAT, Arrays.stream(b).map(v -> 2 * v).toArray());
        Driver.copy(with, twice, 24, device.stream);
        Driver.launch(exec, device.stream);
        StandInDevice.assertClose(device.get(FLOAT, to, 9), Arrays.stream(expected).map(v -> 2 * v).toArray(), 1e-6);
        Driver.destroy(exec);
        Driver.destroy(graph);
        assertThat(EmulatedCuda.launches("cublasGemmEx")).isEqualTo(2);
    }
}
