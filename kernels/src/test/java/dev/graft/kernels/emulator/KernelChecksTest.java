package dev.graft.kernels.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Faults that a kernel can have, and that the emulated device names each. */
class KernelChecksTest {
    private static final String KERNELS = """
            #define MADE(name, type) extern "C" __global__ void __launch_bounds__(64, 2) name(const type *x, type *y) { \\
                y[threadIdx.x] = x[threadIdx.x] + 1; }
            MADE(next_float, float)
            MADE(next_int, int)
            extern "C" {
            __global__ void reverse(float *x, int barrier) {
                __shared__ float s[64];
                s[threadIdx.x] = x[threadIdx.x];
                if (barrier) __syncthreads();
                x[threadIdx.x] = s[63 - threadIdx.x];
            }
            __global__ void divergent(float *x) {
                if (threadIdx.x < 40) __syncthreads();
                else x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
            }
            __global__ void mixed(float *x) {
                if (threadIdx.x & 1) __syncwarp();
                else x[threadIdx.x] = __shfl_sync(0xffffffffu, x[threadIdx.x], 0);
            }
            __global__ void early(float *x) {
                if (threadIdx.x >= 48) return;
                __syncthreads();
                x[threadIdx.x] = __syncthreads_count(threadIdx.x % 3 == 0);
            }
            __global__ void put(int *x, int at) { x[at] = 5; }
            __global__ void get(const int *x, int at, int *y) { y[0] = x[at]; }
            __global__ void divide(int *x, int by) { x[0] = x[1] / by; }
            __global__ void wide(const char *x, float4 *y, int offset) {
                y[0] = *reinterpret_cast<const float4 *>(x + offset);
            }
            __global__ void overflow(float *x, int n) {
                DYN_SHARED(float, s);
                s[n] = x[0];
            }
            __global__ void unwritten(float *x) {
                __shared__ float s[32];
                DYN_SHARED(float, d);
                x[threadIdx.x] = s[threadIdx.x];
                x[32 + threadIdx.x] = d[threadIdx.x];
                s[threadIdx.x] = d[threadIdx.x] = 1;
            }
            __global__ void huge(float *x) {
                volatile float local[20000];
                for (int i = 0; i < 20000; i++) local[i] = x[0];
                x[0] = local[19999];
            }
            }
            """;
    private static RawDevice device;

    @BeforeAll
    static void open() {
        device = new RawDevice(KERNELS);
    }

    @AfterEach
    void again() {
        EmulatedCuda.reset();
    }

    @AfterAll
    static void close() {
        if (device != null) {
            device.close();
        }
    }

    private static void assertFault(int status, int expected, String... words) {
        assertThat(status).isEqualTo(expected);
        assertThat(String.join("\n", EmulatedCuda.report())).contains(words);
        // as on a device, nothing works any more
        assertThat(JCudaDriver.cuCtxSynchronize()).isEqualTo(expected);
        assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 16)).isEqualTo(expected);
    }

    @Test
    void kernelsMadeByMacrosAreFoundWithTheirBounds() {
        CUdeviceptr x = device.floats(1, 2, 3);
        device.launch("next_float", 1, 3, x, x);
        assertThat(device.floats(x, 3)).containsExactly(2, 3, 4);
        CUdeviceptr i = device.ints(7, 8);
        device.launch("next_int", 1, 2, i, i);
        assertThat(device.ints(i, 2)).containsExactly(8, 9);
        int[] bound = new int[1];
        RawDevice.ok(JCudaDriver.cuFuncGetAttribute(bound, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
                device.function("next_int")));
        assertThat(bound[0]).isEqualTo(64);
        assertThat(device.tryLaunch("next_int", 1, 65, 0, i, i)).isEqualTo(701);
    }

    @Test
    void missingBarrierShowsInSomeOrder() {
        float[] input = new float[64];
        float[] reversed = new float[64];
        for (int i = 0; i < 64; i++) {
            input[i] = i;
            reversed[i] = 63 - i;
        }
        int wrong = 0;
        for (EmulatedCuda.Order order : EmulatedCuda.Order.values()) {
            EmulatedCuda.order(order, 3);
            CUdeviceptr right = device.floats(input);
            device.launch("reverse", 1, 64, right, 1);
            assertThat(device.floats(right, 64)).as(order.name()).containsExactly(reversed);
            CUdeviceptr racy = device.floats(input);
            device.launch("reverse", 1, 64, racy, 0);
            wrong += Arrays.equals(device.floats(racy, 64), reversed) ? 0 : 1;
        }
        assertThat(wrong).isEqualTo(3);
    }

    @Test
    void divergentBarrierIsToldWithCounts() {
        CUdeviceptr x = device.floats(new float[64]);
        assertFault(device.tryLaunch("divergent", 1, 64, 0, x), 719, "deadlock", "40 threads wait at a block barrier",
                "24 at a warp operation", "kernel divergent, block (0, 0, 0)");
    }

    @Test
    void lanesInDifferentOperationsAreTold() {
        CUdeviceptr x = device.floats(new float[32]);
        assertFault(device.tryLaunch("mixed", 1, 32, 0, x), 719, "__syncwarp", "__shfl_sync", "mixed");
    }

    @Test
    void threadsThatEndedHoldNobodyUp() {
        CUdeviceptr x = device.floats(new float[64]);
        device.launch("early", 1, 64, x);
        assertThat(device.floats(x, 64)[47]).isEqualTo(16);
    }

    @Test
    void writesOutsideAnAllocationAreTold() {
        CUdeviceptr x = device.ints(new int[10]);
        assertFault(device.tryLaunch("put", 1, 1, 0, x, 10), 700, "0 bytes past the end", "of 40 bytes", "put");
        EmulatedCuda.reset();
        assertFault(device.tryLaunch("put", 1, 1, 0, x, -1), 700, "4 bytes before the beginning", "of 40 bytes", "put");
        EmulatedCuda.reset();
        assertFault(device.tryLaunch("put", 1, 1, 0, x, 1000), 700, "write to 3960 bytes past the end", "of 40 bytes", "put",
                "block (0, 0, 0), thread (0, 0, 0)");
    }

    @Test
    void readsFarOutsideAreToldAndNearOnesAreNaN() {
        CUdeviceptr x = device.ints(new int[64]);
        CUdeviceptr y = device.ints(0);
        assertFault(device.tryLaunch("get", 1, 1, 0, x, 64, y), 700, "read of 0 bytes past the end", "of 256 bytes", "get");
        EmulatedCuda.reset();
        CUdeviceptr odd = device.ints(new int[63]);
        device.launch("get", 1, 1, odd, 63, y);
        assertThat(device.ints(y, 1)).containsExactly(-1);
    }

    @Test
    void freedMemoryIsTold() {
        CUdeviceptr x = new CUdeviceptr();
        RawDevice.ok(JCudaDriver.cuMemAlloc(x, 400));
        RawDevice.ok(JCudaDriver.cuMemFree(x));
        assertFault(device.tryLaunch("put", 1, 1, 0, x, 2), 700, "write to 8 bytes into freed allocation", "of 400 bytes",
                "put");
        EmulatedCuda.reset();
        assertThat(JCudaDriver.cuMemFree(x)).isEqualTo(1);
    }

    @Test
    void addressesOfTheHostAreTold() {
        assertFault(device.tryLaunch("put", 1, 1, 0, 0x5555_0000_1000L, 0), 700, "parameter 0 of put", "not device memory");
        EmulatedCuda.reset();
        assertFault(device.tryLaunch("put", 1, 1, 0, 0L, 1), 700, "write to null + 4", "put");
    }

    @Test
    void divisionByZeroIsTold() {
        CUdeviceptr x = device.ints(1, 2);
        assertFault(device.tryLaunch("divide", 1, 1, 0, x, 0), 719, "division by zero", "divide");
    }

    @Test
    void misalignedVectorIsTold() {
        CUdeviceptr x = device.floats(1, 2, 3, 4, 5, 6, 7, 8);
        CUdeviceptr y = device.floats(new float[4]);
        device.launch("wide", 1, 1, x, y, 16);
        assertThat(device.floats(y, 4)).containsExactly(5, 6, 7, 8);
        assertFault(device.tryLaunch("wide", 1, 1, 0, x, y, 4), 716, "misaligned", "wide");
    }

    @Test
    void dynamicSharedMemoryHasAnEnd() {
        CUdeviceptr x = device.floats(1);
        RawDevice.ok(device.tryLaunch("overflow", 1, 1, 64, x, 15));
        assertFault(device.tryLaunch("overflow", 1, 1, 64, x, 16), 700, "0 bytes past the end of the dynamic shared memory",
                "overflow");
    }

    @Test
    void sharedMemoryIsNaNInEveryBlock() {
        CUdeviceptr x = device.floats(new float[64]);
        RawDevice.ok(device.tryLaunch("unwritten", 3, 32, 128, x));
        assertThat(device.floats(x, 64)).containsOnly(Float.NaN);
    }

    @Test
    void localMemoryHasAnEnd() {
        CUdeviceptr x = device.floats(1);
        assertFault(device.tryLaunch("huge", 1, 1, 0, x), 700, "local memory", "huge");
    }

    @Test
    void launchesThatADeviceRefuses() {
        CUdeviceptr x = device.floats(1);
        assertThat(device.tryLaunch("overflow", 1, 1025, 0, x, 0)).isEqualTo(1);
        assertThat(device.tryLaunch("overflow", 0, 32, 0, x, 0)).isEqualTo(1);
        assertThat(device.tryLaunch("overflow", 1, 32, 49_153, x, 0)).isEqualTo(1);
        var f = device.function("overflow");
        int dynamic = CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        assertThat(JCudaDriver.cuFuncSetAttribute(f, dynamic, 227 * 1024 + 1)).isEqualTo(1);
        RawDevice.ok(JCudaDriver.cuFuncSetAttribute(f, dynamic, 227 * 1024));
        RawDevice.ok(device.tryLaunch("overflow", 1, 32, 227 * 1024, x, 0));
        assertThat(JCudaDriver.cuLaunchKernel(f, 1, 65_536, 1, 1, 1, 1, 0, device.stream, null, null)).isEqualTo(1);
        // a refused launch breaks nothing
        RawDevice.ok(JCudaDriver.cuCtxSynchronize());
    }

    @Test
    void errorsOfTheCompilerAreTold() {
        assertThatThrownBy(() -> RawDevice.compile("extern \"C\" __global__ void k(float *x) { x[0] = y; }"))
                .hasMessageContaining("test.cu").hasMessageContaining("‘y’ was not declared");
        assertThatThrownBy(() -> RawDevice.compile("#include <vector>\n"))
                .hasMessageContaining("cannot open source file \"vector\"");
        assertThatThrownBy(() -> RawDevice.compile("""
                extern "C" __global__ void k(double *x) {
                    __shared__ double s[7000];
                    s[threadIdx.x] = x[threadIdx.x];
                    __syncthreads();
                    x[threadIdx.x] = s[6999 - threadIdx.x];
                }"""))
                .hasMessageContaining("'k' uses too much shared data (0xdac0 bytes");
    }

    /** The JVM takes SIGSEGV for itself: null checks and the stack's end must work as before. */
    @Test
    void theJvmKeepsItsSignals() {
        CUdeviceptr x = device.ints(new int[1]);
        assertThat(device.tryLaunch("put", 1, 1, 0, x, 1 << 20)).isEqualTo(700);
        for (int i = 0; i < 20_000; i++) {
            int[] nothing = i % 2 == 0 ? null : new int[1];
            try {
                assertThat(nothing.length).isEqualTo(1);
            } catch (NullPointerException e) {
                assertThat(i % 2).isZero();
            }
        }
        assertThatThrownBy(() -> deeper(0)).isInstanceOf(StackOverflowError.class);
    }

    private static int deeper(int n) {
        return deeper(n + 1) + 1;
    }
}
