package dev.graft.kernels.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;

/** Kernels whose every access is checked: what guards around allocations and other orders of threads cannot show. */
class AccessChecksTest {
    static final String KERNELS = """
            extern "C" {
            __global__ void far(const float *x, float *y, int at) { y[threadIdx.x] = x[at]; }
            __global__ void pipeline(float *x, int barrier) {
                __shared__ float total;
                __shared__ float s[64];
                s[threadIdx.x] = x[threadIdx.x];
                if (barrier & 1) __syncthreads();
                float v = s[63 - threadIdx.x];
                if (barrier & 2) __syncthreads();
                s[threadIdx.x] = v;
                if (threadIdx.x == 63) total = v;
                if (barrier & 4) __syncthreads();
                x[threadIdx.x] = v + total;
            }
            __global__ void warps(float *x, int sync) {
                DYN_SHARED(float, s);
                s[threadIdx.x] = x[threadIdx.x];
                if (sync) __syncwarp(); else __shfl_sync(0xffffffffu, 1, 0);
                x[threadIdx.x] = s[threadIdx.x ^ 1];
            }
            __global__ void everyBlock(int *x, int *y) { y[threadIdx.x] = x[threadIdx.x]; }
            __global__ void neighbours(int *x) { x[blockIdx.x] = x[(blockIdx.x + 1) % gridDim.x]; }
            __global__ void counted(int *x) { atomicAdd(x, 1); }
            __global__ void last(float *part, int *count, float *y) {
                __shared__ int ticket;
                if (threadIdx.x == 0) {
                    part[blockIdx.x] = blockIdx.x;
                    __threadfence();
                    ticket = atomicAdd(count, 1);
                }
                __syncthreads();
                if (ticket == gridDim.x - 1 && threadIdx.x == 0) {
                    float s = 0;
                    for (int i = 0; i < gridDim.x; i++) s += part[i];
                    y[0] = s;
                }
            }
            __global__ void halves(const unsigned short *x, unsigned short *y) { y[threadIdx.x] = x[threadIdx.x]; }
            __global__ void wide(const float *x, float4 *y) {
                y[threadIdx.x] = *reinterpret_cast<const float4 *>(x + threadIdx.x);
            }
            __global__ void sum(int *x) { x[0] = x[1] + x[2]; }
            __global__ void indexed(float *x, int i) {
                float local[4] = {x[0], x[1], x[2], x[3]};
                x[0] = local[i];
            }
            }
            """;

    private static void fault(RawDevice device, int status, int expected, String... words) {
        List<String> report = EmulatedCuda.report();
        assertThat(status).as(String.join("\n", report)).isEqualTo(expected);
        assertThat(String.join("\n", report)).contains(words);
        EmulatedCuda.reset();
    }

    @Test
    void everyAccessIsChecked() throws Exception {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        CheckedProcess.Result r = CheckedProcess.run(AccessChecksTest.class);
        assertThat(r.status()).as(r.output()).isZero();
        assertThat(r.output()).contains("all found");
    }

    /** In a JVM of its own: the mode is chosen once. */
    public static void main(String[] args) {
        try (RawDevice d = new RawDevice(KERNELS)) {
            outOfBounds(d);
            races(d);
            undefined(d);
        }
        System.out.println("all found");
    }

    private static void outOfBounds(RawDevice d) {
        CUdeviceptr x = d.floats(1, 2, 3);
        CUdeviceptr y = d.floats(new float[32]);
        d.launch("far", 1, 32, x, y, 2);
        fault(d, d.tryLaunch("far", 1, 32, 0, x, y, 3), 700, "read of 0 bytes past the end of", "of 12 bytes", "in far",
                "at test.cu:2");
        fault(d, d.tryLaunch("far", 1, 33, 0, x, y, 1), 700, "write to 0 bytes past the end of", "of 128 bytes",
                "thread (32, 0, 0)");
        CUdeviceptr far = d.floats(new float[1000]);
        fault(d, d.tryLaunch("far", 1, 1, 0, far, y, -1), 700, "read of");
        fault(d, d.tryLaunch("warps", 1, 32, 64, y, 1), 700, "64 bytes into 64 bytes of dynamic shared memory",
                "at test.cu:17");
    }

    private static void races(RawDevice d) {
        CUdeviceptr x = d.floats(new float[64]);
        d.launch("pipeline", 1, 64, d.floats(new float[64]), 7);
        fault(d, d.tryLaunch("pipeline", 1, 64, 0, x, 6), 719, "race: a thread", "shared memory", "pipeline", "at test.cu:");
        fault(d, d.tryLaunch("pipeline", 1, 64, 0, x, 5), 719, "race: a thread", "shared memory", "at test.cu:8");
        fault(d, d.tryLaunch("pipeline", 1, 64, 0, x, 3), 719, "race: a thread", "shared memory", "at test.cu:11");
        RawDevice.ok(d.tryLaunch("warps", 1, 64, 256, x, 1));
        fault(d, d.tryLaunch("warps", 1, 64, 256, x, 0), 719, "race: a thread", "shared memory", "warps");

        CUdeviceptr i = d.ints(new int[32]);
        CUdeviceptr j = d.ints(new int[32]);
        d.launch("everyBlock", 1, 32, i, j);
        fault(d, d.tryLaunch("everyBlock", 2, 32, 0, i, j), 719, "race: two threads write 0 bytes into",
                "a thread of another block");
        fault(d, d.tryLaunch("neighbours", 8, 1, 0, i), 719, "race: a thread writes what another has read");
        d.launch("counted", 5, 64, i);
        d.launch("last", 6, 64, x, d.ints(0), d.floats(0));
        CUdeviceptr h = d.floats(new float[32]);
        d.launch("halves", 1, 64, h, d.floats(new float[32]));
    }

    private static void undefined(RawDevice d) {
        CUdeviceptr x = d.floats(new float[64]);
        CUdeviceptr y = d.floats(new float[64]);
        d.launch("wide", 1, 1, x, y);
        fault(d, d.tryLaunch("wide", 1, 2, 0, x, y), 719, "a misaligned address", "test.cu:40", "thread (1, 0, 0)");
        CUdeviceptr i = d.ints(0, Integer.MAX_VALUE, 1);
        fault(d, d.tryLaunch("sum", 1, 1, 0, i), 719, "a sum of signed integers overflows at test.cu:42");
        fault(d, d.tryLaunch("indexed", 1, 1, 0, x, 4), 719, "an index outside its array at test.cu:45");
        RawDevice.ok(JCudaDriver.cuCtxSynchronize());
    }
}
