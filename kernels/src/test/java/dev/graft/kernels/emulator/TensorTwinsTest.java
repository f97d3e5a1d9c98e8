package dev.graft.kernels.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The twins of tensor-core PTX against plain products. The kernel fills the fragments with the formulas printed in the
 * PTX ISA (mma.m16n8k16), and by ldmatrix; both must give the same.
 */
class TensorTwinsTest {
    private static final String KERNELS = """
            typedef unsigned short u16;
            extern "C" __global__ void product(const u16 *a, const u16 *b, float *d, int half) {   // [16, 16] x [16, 8]
                int lane = threadIdx.x, group = lane >> 2, in = lane % 4;
                u16 ra[8], rb[4];
                for (int i = 0; i < 8; i++) {
                    int row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
                    int col = i < 4 ? in * 2 + (i & 1) : in * 2 + (i & 1) + 8;
                    ra[i] = a[row * 16 + col];
                }
                for (int i = 0; i < 4; i++) rb[i] = b[(i < 2 ? in * 2 + (i & 1) : in * 2 + (i & 1) + 8) * 8 + group];
                unsigned fa[4], fb[2];
                for (int i = 0; i < 4; i++) fa[i] = (unsigned) ra[2 * i + 1] << 16 | ra[2 * i];
                for (int i = 0; i < 2; i++) fb[i] = (unsigned) rb[2 * i + 1] << 16 | rb[2 * i];
                float c[4] = {1, 2, 3, 4}, r[4];
                if (half) emu_mma_m16n8k16_f16(r, fa, fb, c); else emu_mma_m16n8k16_bf16(r, fa, fb, c);
                for (int i = 0; i < 4; i++) d[(i < 2 ? group : group + 8) * 8 + in * 2 + (i & 1)] = r[i] - (i + 1);
            }
            extern "C" __global__ void through_shared(const u16 *a, const u16 *b, float *d, int early) {
                __shared__ __align__(16) u16 sa[256], sb[128];
                int lane = threadIdx.x;
                emu_cp_async_16(sa + lane * 8, a + lane * 8);
                emu_cp_async_commit();
                if (lane < 16) emu_cp_async_16(sb + lane * 8, b + lane * 8);
                emu_cp_async_commit();
                if (early) emu_cp_async_wait<1>(); else emu_cp_async_wait<0>();
                __syncthreads();
                unsigned fa[4], fb[2];
                emu_ldmatrix_x4(fa, sa + (lane % 16) * 16 + lane / 16 * 8);
                emu_ldmatrix_x2_trans(fb, sb + (lane % 16) * 8);
                float c[4] = {0, 0, 0, 0};
                emu_mma_m16n8k16_bf16(c, fa, fb, c);
                for (int i = 0; i < 4; i++) d[((lane >> 2) + (i < 2 ? 0 : 8)) * 8 + lane % 4 * 2 + (i & 1)] = c[i];
            }
            extern "C" __global__ void misaligned(const u16 *a) {
                __shared__ __align__(16) u16 sa[512];
                unsigned r[4];
                emu_ldmatrix_x4(r, sa + threadIdx.x * 8 + 1);
            }
            extern "C" __global__ void partly(float *d) {
                float c[4] = {0, 0, 0, 0};
                unsigned fa[4] = {0, 0, 0, 0}, fb[2] = {0, 0};
                if (threadIdx.x < 16) emu_mma_m16n8k16_bf16(c, fa, fb, c);
                else __syncthreads();
                d[threadIdx.x] = c[0];
            }
            """;
    private static RawDevice device;

    @BeforeAll
    static void open() {
        device = new RawDevice(KERNELS);
    }

    @AfterAll
    static void close() {
        if (device != null) {
            device.close();
        }
    }

    private static final int[] A = IntStream.range(0, 256).map(i -> i * 7 % 23 - 11).toArray();
    private static final int[] B = IntStream.range(0, 128).map(i -> i * 5 % 19 - 9).toArray();

    private static float[] product() {
        float[] d = new float[128];
        for (int m = 0; m < 16; m++) {
            for (int n = 0; n < 8; n++) {
                for (int k = 0; k < 16; k++) {
                    d[m * 8 + n] += A[m * 16 + k] * B[k * 8 + n];
                }
            }
        }
        return d;
    }

    private static CUdeviceptr put(int[] v, boolean half) {
        short[] s = new short[v.length];
        for (int i = 0; i < s.length; i++) {
            s[i] = half ? Float.floatToFloat16(v[i]) : (short) (Float.floatToRawIntBits(v[i]) >>> 16);
        }
        CUdeviceptr p = device.allocate(2L * s.length);
        RawDevice.ok(JCudaDriver.cuMemcpyHtoD(p, Pointer.to(s), 2L * s.length));
        return p;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void fragmentsAreThoseOfThePtxIsa(boolean half) {
        CUdeviceptr d = device.floats(new float[128]);
        device.launch("product", 1, 32, put(A, half), put(B, half), d, half ? 1 : 0);
        assertThat(device.floats(d, 128)).containsExactly(product());
    }

    @Test
    void ldmatrixAndAsynchronousCopiesFillThem() {
        for (EmulatedCuda.Order order : EmulatedCuda.Order.values()) {
            EmulatedCuda.order(order, 1);
            CUdeviceptr d = device.floats(new float[128]);
            device.launch("through_shared", 1, 32, put(A, false), put(B, false), d, 0);
            assertThat(device.floats(d, 128)).as(order.name()).containsExactly(product());
        }
        EmulatedCuda.reset();
    }

    @Test
    void readingBeforeTheWaitGivesNaN() {
        CUdeviceptr d = device.floats(new float[128]);
        device.launch("through_shared", 1, 32, put(A, false), put(B, false), d, 1);
        assertThat(device.floats(d, 128)).containsOnly(Float.NaN);
    }

    @Test
    void misuseIsTold() {
        CUdeviceptr d = device.floats(new float[32]);
        assertThat(device.tryLaunch("misaligned", 1, 32, 0, d)).isEqualTo(719);
        assertThat(String.join("\n", EmulatedCuda.report())).contains("ldmatrix", "multiple of 16", "misaligned");
        EmulatedCuda.reset();
        assertThat(device.tryLaunch("partly", 1, 32, 0, d)).isEqualTo(719);
        assertThat(String.join("\n", EmulatedCuda.report())).contains("deadlock", "partly", "mma.m16n8k16");
        EmulatedCuda.reset();
    }
}
