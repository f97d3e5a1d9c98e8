package dev.graft.kernels.emulator;

import static dev.graft.kernels.emulator.StandInDevice.BFLOAT16;
import static dev.graft.kernels.emulator.StandInDevice.DOUBLE;
import static dev.graft.kernels.emulator.StandInDevice.FLOAT;
import static dev.graft.kernels.emulator.StandInDevice.HALF;
import static dev.graft.kernels.emulator.StandInDevice.assertClose;
import static dev.graft.kernels.emulator.StandInDevice.numbers;
import static dev.graft.kernels.emulator.StandInDevice.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.driver.Ptr;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnBatchNormOps;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnOpTensorDescriptor;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnPoolingMode;
import jcuda.jcudnn.cudnnReduceTensorDescriptor;
import jcuda.jcudnn.cudnnReduceTensorOp;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Pooling, normalisation and element-wise functions of the stand-in for cuDNN against their definitions. */
class CudnnOpsStandInTest {
    private static final int NCHW = 0;
    private static final int NHWC = 1;
    private static final int N = 2;
    private static final int H = 5;
    private static final int W = 4;
    private static final int C = 4;
    private static final double EPSILON = 1e-3;

    private StandInDevice device;
    private final cudnnHandle handle = new cudnnHandle();
    private Ptr one;
    private Ptr zero;

    @BeforeEach
    void open() {
        device = new StandInDevice();
        ok(JCudnn.cudnnCreate(handle));
        ok(JCudnn.cudnnSetStream(handle, new cudaStream_t(device.stream)));
        one = device.scalar(FLOAT, 1);
        zero = device.scalar(FLOAT, 0);
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

    private static cudnnActivationDescriptor activation(int mode, double coef) {
        cudnnActivationDescriptor d = new cudnnActivationDescriptor();
        ok(JCudnn.cudnnCreateActivationDescriptor(d));
        ok(JCudnn.cudnnSetActivationDescriptor(d, mode, 0, coef));
        return d;
    }

    private Ptr put(int type, double[] values) {
        return Ptr.of(device.put(type, values));
    }

    // ------------------------------------------------------------------ pooling

    /** Window 3, stride 2, padding 1 over NHWC: y, or with dy the gradient of x. */
    private static double[] pool(int mode, double[] x, double[] dy) {
        int oh = 3;
        int ow = 2;
        double[] out = new double[dy == null ? N * oh * ow * C : x.length];
        for (int n = 0; n < N; n++) {
            for (int p = 0; p < oh; p++) {
                for (int q = 0; q < ow; q++) {
                    for (int c = 0; c < C; c++) {
                        int best = -1;
                        int cells = 0;
                        double sum = 0;
                        for (int h = Math.max(0, p * 2 - 1); h < Math.min(H, p * 2 + 2); h++) {
                            for (int w = Math.max(0, q * 2 - 1); w < Math.min(W, q * 2 + 2); w++) {
                                int at = ((n * H + h) * W + w) * C + c;
                                best = best < 0 || x[at] > x[best] ? at : best;
                                sum += x[at];
                                cells++;
                            }
                        }
                        double divisor = mode == cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING ? 9 : cells;
                        boolean max = mode == cudnnPoolingMode.CUDNN_POOLING_MAX;
                        int to = ((n * oh + p) * ow + q) * C + c;
                        if (dy == null) {
                            out[to] = max ? x[best] : sum / divisor;
                        } else if (max) {
                            out[best] += dy[to];
                        } else {
                            for (int h = Math.max(0, p * 2 - 1); h < Math.min(H, p * 2 + 2); h++) {
                                for (int w = Math.max(0, q * 2 - 1); w < Math.min(W, q * 2 + 2); w++) {
                                    out[((n * H + h) * W + w) * C + c] += dy[to] / divisor;
                                }
                            }
                        }
                    }
                }
            }
        }
        return out;
    }

    @Test
    void poolingAgreesWithItsDefinition() {
        double[] x = numbers(FLOAT, N * H * W * C, 1);
        cudnnTensorDescriptor xd = tensor(NHWC, FLOAT, N, C, H, W);
        cudnnTensorDescriptor yd = tensor(NHWC, FLOAT, N, C, 3, 2);
        double[] dy = numbers(FLOAT, N * 3 * 2 * C, 2);
        for (int mode = 0; mode < 3; mode++) {
            cudnnPoolingDescriptor p = new cudnnPoolingDescriptor();
            ok(JCudnn.cudnnCreatePoolingDescriptor(p));
            ok(JCudnn.cudnnSetPooling2dDescriptor(p, mode, 0, 3, 3, 1, 1, 2, 2));
            Ptr px = put(FLOAT, x);
            long y = device.put(FLOAT, new double[dy.length]);
            long dx = device.put(FLOAT, new double[x.length]);
            ok(JCudnn.cudnnPoolingForward(handle, p, one, xd, px, zero, yd, Ptr.of(y)));
            assertClose(device.get(FLOAT, y, dy.length), pool(mode, x, null), 1e-6);
            ok(JCudnn.cudnnPoolingBackward(handle, p, one, yd, Ptr.of(y), yd, put(FLOAT, dy), xd, px, zero, xd, Ptr.of(dx)));
            assertClose(device.get(FLOAT, dx, x.length), pool(mode, x, dy), 1e-6);
            assertThat(JCudnn.cudnnPoolingForward(handle, p, one, xd, px, zero, xd, Ptr.of(dx)) / 1000).isEqualTo(2);
        }
    }

    // ------------------------------------------------------------------ batch normalisation

    private record Norm(double[] y, double[] mean, double[] inverse, double[] dx, double[] dScale, double[] dBias) {}

    /** ReLU(bn(x) + z) when activated, bn(x) otherwise, and its gradients for dy. */
    private static Norm norm(double[] x, double[] z, double[] scale, double[] bias, double[] dy, boolean activated) {
        int m = x.length / C;
        double[] y = new double[x.length];
        double[] mean = new double[C];
        double[] inverse = new double[C];
        double[] dx = new double[x.length];
        double[] dScale = new double[C];
        double[] dBias = new double[C];
        for (int c = 0; c < C; c++) {
            double variance = 0;
            for (int i = c; i < x.length; i += C) {
                mean[c] += x[i] / m;
            }
            for (int i = c; i < x.length; i += C) {
                variance += (x[i] - mean[c]) * (x[i] - mean[c]) / m;
            }
            inverse[c] = 1 / Math.sqrt(variance + EPSILON);
            for (int i = c; i < x.length; i += C) {
                double normal = (x[i] - mean[c]) * inverse[c];
                y[i] = normal * scale[c] + bias[c] + (activated ? z[i] : 0);
                if (activated) {
                    y[i] = Math.max(y[i], 0);
                }
                double g = activated && y[i] == 0 ? 0 : dy[i];
                dScale[c] += g * normal;
                dBias[c] += g;
            }
            for (int i = c; i < x.length; i += C) {
                double g = activated && y[i] == 0 ? 0 : dy[i];
                dx[i] = scale[c] * inverse[c] * (g - dBias[c] / m - (x[i] - mean[c]) * inverse[c] * dScale[c] / m);
            }
        }
        return new Norm(y, mean, inverse, dx, dScale, dBias);
    }

    @Test
    void batchNormAgreesWithItsDefinition() {
        for (int type : new int[] {FLOAT, BFLOAT16}) {
            double[] x = numbers(type, N * H * W * C, 1);
            double[] dy = numbers(type, x.length, 2);
            double[] scale = numbers(FLOAT, C, 3);
            double[] bias = numbers(FLOAT, C, 4);
            Norm expected = norm(x, null, scale, bias, dy, false);
            cudnnTensorDescriptor xd = tensor(NHWC, type, N, C, H, W);
            cudnnTensorDescriptor pd = new cudnnTensorDescriptor();
            ok(JCudnn.cudnnCreateTensorDescriptor(pd));
            ok(JCudnn.cudnnDeriveBNTensorDescriptor(pd, xd, cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL));
            Ptr px = put(type, x);
            Ptr ps = put(FLOAT, scale);
            long y = device.put(type, new double[x.length]);
            long runningMean = device.put(FLOAT, 1, 1, 1, 1);
            long runningVariance = device.put(FLOAT, 1, 1, 1, 1);
            long mean = device.put(FLOAT, new double[C]);
            long inverse = device.put(FLOAT, new double[C]);
            ok(JCudnn.cudnnBatchNormalizationForwardTraining(handle, cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL, one, zero,
                    xd, px, xd,
                    Ptr.of(y), pd, ps, put(FLOAT, bias), 0.25, Ptr.of(runningMean), Ptr.of(runningVariance), EPSILON,
                    Ptr.of(mean), Ptr.of(inverse)));
            assertClose(device.get(type, y, x.length), expected.y, StandInDevice.tolerance(type));
            assertClose(device.get(FLOAT, mean, C), expected.mean, 1e-5);
            assertClose(device.get(FLOAT, inverse, C), expected.inverse, 1e-5);
            double[] running = new double[C];
            double[] variance = new double[C];
            double m = N * H * W;
            for (int c = 0; c < C; c++) {
                running[c] = 0.75 + 0.25 * expected.mean[c];
                variance[c] = 0.75 + 0.25 * (1 / (expected.inverse[c] * expected.inverse[c]) - EPSILON) * m / (m - 1);
            }
            assertClose(device.get(FLOAT, runningMean, C), running, 1e-5);
            assertClose(device.get(FLOAT, runningVariance, C), variance, 1e-5);
            long dx = device.put(type, new double[x.length]);
            long dScale = device.put(FLOAT, new double[C]);
            long dBias = device.put(FLOAT, new double[C]);
            ok(JCudnn.cudnnBatchNormalizationBackward(handle, cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL, one, zero, one,
                    zero, xd, px,
                    xd, put(type, dy), xd, Ptr.of(dx), pd, ps, Ptr.of(dScale), Ptr.of(dBias), EPSILON, Ptr.of(mean),
                    Ptr.of(inverse)));
            assertClose(device.get(type, dx, x.length), expected.dx, StandInDevice.tolerance(type));
            assertClose(device.get(FLOAT, dScale, C), expected.dScale, 1e-4);
            assertClose(device.get(FLOAT, dBias, C), expected.dBias, 1e-4);
        }
    }

    @Test
    void batchNormWithAdditionAndReluIsForHalfNhwc() {
        int mode = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL_PERSISTENT;
        int ops = cudnnBatchNormOps.CUDNN_BATCHNORM_OPS_BN_ADD_ACTIVATION;
        double[] x = numbers(HALF, N * H * W * C, 1);
        double[] z = numbers(HALF, x.length, 2);
        double[] dy = numbers(HALF, x.length, 3);
        double[] scale = numbers(FLOAT, C, 4);
        double[] bias = numbers(FLOAT, C, 5);
        Norm expected = norm(x, z, scale, bias, dy, true);
        cudnnTensorDescriptor xd = tensor(NHWC, HALF, N, C, H, W);
        cudnnTensorDescriptor pd = tensor(NCHW, FLOAT, 1, C, 1, 1);
        cudnnActivationDescriptor relu = activation(cudnnActivationMode.CUDNN_ACTIVATION_RELU, 0);
        long[] workspace = new long[1];
        long[] reserve = new long[1];
        ok(JCudnn.cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(handle, mode, ops, xd, xd, xd, pd, relu,
                workspace));
        ok(JCudnn.cudnnGetBatchNormalizationTrainingExReserveSpaceSize(handle, mode, ops, relu, xd, reserve));
        assertThat(reserve[0]).isPositive();
        Ptr ws = Ptr.of(device.allocate(workspace[0]));
        Ptr rs = Ptr.of(device.allocate(reserve[0]));
        Ptr px = put(HALF, x);
        Ptr ps = put(FLOAT, scale);
        Ptr pb = put(FLOAT, bias);
        long y = device.put(HALF, new double[x.length]);
        Ptr mean = put(FLOAT, new double[C]);
        Ptr inverse = put(FLOAT, new double[C]);
        ok(JCudnn.cudnnBatchNormalizationForwardTrainingEx(handle, mode, ops, one, zero, xd, px, xd, put(HALF, z), xd,
                Ptr.of(y), pd,
                ps, pb, 1, Ptr.of(0), Ptr.of(0), EPSILON, mean, inverse, relu, ws, workspace[0], rs, reserve[0]));
        assertClose(device.get(HALF, y, x.length), expected.y, 3e-3);
        long dx = device.put(HALF, new double[x.length]);
        long dz = device.put(HALF, new double[x.length]);
        long dScale = device.put(FLOAT, new double[C]);
        long dBias = device.put(FLOAT, new double[C]);
        ok(JCudnn.cudnnBatchNormalizationBackwardEx(handle, mode, ops, one, zero, one, zero, xd, px, xd, Ptr.of(y), xd,
                put(HALF, dy),
                xd, Ptr.of(dz), xd, Ptr.of(dx), pd, ps, pb, Ptr.of(dScale), Ptr.of(dBias), EPSILON, mean, inverse, relu, ws,
                workspace[0], rs, reserve[0]));
        assertClose(device.get(HALF, dx, x.length), expected.dx, 5e-3);
        assertClose(device.get(FLOAT, dScale, C), expected.dScale, 1e-4);
        for (int[] other : new int[][] {{NHWC, FLOAT, C}, {NCHW, HALF, C}, {NHWC, HALF, 6}}) {
            cudnnTensorDescriptor d = tensor(other[0], other[1], N, other[2], H, W);
            cudnnTensorDescriptor q = tensor(NCHW, FLOAT, 1, other[2], 1, 1);
            assertThat(JCudnn.cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(handle, mode, ops, d, d, d, q, relu,
                    workspace)
                    / 1000).isEqualTo(3);
        }
        assertThat(JCudnn.cudnnBatchNormalizationForwardTrainingEx(handle, mode, ops, one, zero, xd, px, xd, px, xd,
                Ptr.of(y), pd, ps,
                pb, 1, Ptr.of(0), Ptr.of(0), EPSILON, mean, inverse, relu, ws, workspace[0], rs, reserve[0] - 1)
                / 1000).isEqualTo(2);
    }

    // ------------------------------------------------------------------ the rest

    @Test
    void softmaxAndActivationsAgreeWithTheirDefinitions() {
        double[] x = numbers(FLOAT, 12, 1);
        cudnnTensorDescriptor d = tensor(NHWC, FLOAT, 3, 4, 1, 1);
        long y = device.put(FLOAT, new double[12]);
        ok(JCudnn.cudnnSoftmaxForward(handle, 1, 1, one, d, put(FLOAT, x), zero, d, Ptr.of(y)));
        double[] expected = new double[12];
        for (int r = 0; r < 3; r++) {
            double sum = 0;
            for (int c = 0; c < 4; c++) {
                sum += Math.exp(x[r * 4 + c]);
            }
            for (int c = 0; c < 4; c++) {
                expected[r * 4 + c] = Math.exp(x[r * 4 + c]) / sum;
            }
        }
        assertClose(device.get(FLOAT, y, 12), expected, 1e-6);
        ok(JCudnn.cudnnActivationForward(handle, activation(cudnnActivationMode.CUDNN_ACTIVATION_CLIPPED_RELU, 0.5), one, d,
                put(FLOAT, x), zero, d, Ptr.of(y)));
        for (int i = 0; i < 12; i++) {
            expected[i] = Math.min(Math.max(x[i], 0), 0.5);
        }
        assertClose(device.get(FLOAT, y, 12), expected, 1e-6);
        assertThat(JCudnn.cudnnActivationForward(handle, activation(cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY, 0), one,
                d, Ptr.of(y), zero, d, Ptr.of(y)) / 1000).isEqualTo(2);
    }

    @Test
    void additionsReductionsAndCopies() {
        double[] x = numbers(FLOAT, 24, 1);
        double[] b = numbers(FLOAT, 4, 2);
        cudnnTensorDescriptor xd = tensor(NHWC, FLOAT, 2, 4, 1, 3);
        cudnnTensorDescriptor planes = tensor(NCHW, FLOAT, 2, 4, 1, 3);
        cudnnTensorDescriptor bd = tensor(NHWC, FLOAT, 1, 4, 1, 1);
        long c = device.put(FLOAT, x);
        ok(JCudnn.cudnnAddTensor(handle, device.scalar(FLOAT, 2), bd, put(FLOAT, b), one, xd, Ptr.of(c)));
        double[] sum = new double[24];
        double[] columns = new double[4];
        for (int i = 0; i < 24; i++) {
            sum[i] = x[i] + 2 * b[i % 4];
            columns[i % 4] += x[i] / 6;
        }
        assertClose(device.get(FLOAT, c, 24), sum, 1e-6);
        ok(JCudnn.cudnnTransformTensor(handle, one, xd, put(FLOAT, x), zero, planes, Ptr.of(c)));
        assertThat(device.get(FLOAT, c, 24)).containsExactly(NaiveConv.channelsFirst(x, 2, 3, 4));
        cudnnReduceTensorDescriptor r = new cudnnReduceTensorDescriptor();
        ok(JCudnn.cudnnCreateReduceTensorDescriptor(r));
        ok(JCudnn.cudnnSetReduceTensorDescriptor(r, cudnnReduceTensorOp.CUDNN_REDUCE_TENSOR_AVG, FLOAT, 0, 0, 0));
        long[] bytes = new long[1];
        ok(JCudnn.cudnnGetReductionWorkspaceSize(handle, r, xd, bd, bytes));
        long to = device.put(FLOAT, new double[4]);
        ok(JCudnn.cudnnReduceTensor(handle, r, Ptr.of(0), 0, Ptr.of(device.allocate(bytes[0])), bytes[0], one, xd,
                put(FLOAT, x), zero, bd, Ptr.of(to)));
        assertClose(device.get(FLOAT, to, 4), columns, 1e-6);
        cudnnOpTensorDescriptor multiply = new cudnnOpTensorDescriptor();
        ok(JCudnn.cudnnCreateOpTensorDescriptor(multiply));
        ok(JCudnn.cudnnSetOpTensorDescriptor(multiply, 1, FLOAT, 0));
        ok(JCudnn.cudnnOpTensor(handle, multiply, one, xd, put(FLOAT, x), one, bd, put(FLOAT, b), zero, xd, Ptr.of(c)));
        for (int i = 0; i < 24; i++) {
            sum[i] = x[i] * b[i % 4];
        }
        assertClose(device.get(FLOAT, c, 24), sum, 1e-6);
        cudnnTensorDescriptor wide = tensor(NHWC, DOUBLE, 2, 4, 1, 3);
        assertThat(JCudnn.cudnnAddTensor(handle, one, bd, Ptr.of(to), one, wide, Ptr.of(c)) / 1000).isEqualTo(2);
    }
}
