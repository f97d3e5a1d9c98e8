package dev.graft.kernels.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.driver.Nvrtc;
import dev.graft.kernels.load.NativeLoader;
import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** The emulated device through JCuda and nothing else of ours: a module of kernels given as text, a stream, some memory. */
final class RawDevice implements AutoCloseable {
    static final int NON_BLOCKING = 1;

    final CUstream stream = new CUstream();
    private final CUmodule module = new CUmodule();
    private final List<CUdeviceptr> memory = new ArrayList<>();

    RawDevice(String kernels) {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        NativeLoader.load();
        EmulatedCuda.reset();
        JCudaDriver.setExceptionsEnabled(false);
        ok(JCudaDriver.cuInit(0));
        CUdevice device = new CUdevice();
        ok(JCudaDriver.cuDeviceGet(device, 0));
        CUcontext context = new CUcontext();
        ok(JCudaDriver.cuDevicePrimaryCtxRetain(context, device));
        ok(JCudaDriver.cuCtxSetCurrent(context));
        ok(JCudaDriver.cuStreamCreate(stream, NON_BLOCKING));
        ok(JCudaDriver.cuModuleLoadData(module, compile(kernels)));
    }

    static byte[] compile(String kernels) {
        return Nvrtc.compile(kernels, "test.cu", false, List.of("--gpu-architecture=sm_90", "--std=c++17"));
    }

    static void ok(int status) {
        assertThat(status).as(() -> "CUDA error " + status + "; " + EmulatedCuda.report()).isZero();
    }

    CUdeviceptr allocate(long bytes) {
        CUdeviceptr p = new CUdeviceptr();
        ok(JCudaDriver.cuMemAlloc(p, bytes));
        memory.add(p);
        return p;
    }

    CUdeviceptr floats(float... values) {
        CUdeviceptr p = allocate(4L * values.length);
        ok(JCudaDriver.cuMemcpyHtoD(p, Pointer.to(values), 4L * values.length));
        return p;
    }

    CUdeviceptr ints(int... values) {
        CUdeviceptr p = allocate(4L * values.length);
        ok(JCudaDriver.cuMemcpyHtoD(p, Pointer.to(values), 4L * values.length));
        return p;
    }

    float[] floats(CUdeviceptr p, int n) {
        float[] v = new float[n];
        ok(JCudaDriver.cuStreamSynchronize(stream));
        ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(v), p, 4L * n));
        return v;
    }

    int[] ints(CUdeviceptr p, int n) {
        int[] v = new int[n];
        ok(JCudaDriver.cuStreamSynchronize(stream));
        ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(v), p, 4L * n));
        return v;
    }

    CUfunction function(String name) {
        CUfunction f = new CUfunction();
        ok(JCudaDriver.cuModuleGetFunction(f, module, name));
        return f;
    }

    /** Arguments are device addresses, int, long and float; answers the driver's status. */
    int tryLaunch(String kernel, int blocks, int threads, int shared, Object... arguments) {
        Pointer[] p = new Pointer[arguments.length];
        for (int i = 0; i < p.length; i++) {
            p[i] = switch (arguments[i]) {
                case CUdeviceptr d -> Pointer.to(d);
                case Integer v -> Pointer.to(new int[] {v});
                case Long v -> Pointer.to(new long[] {v});
                case Float v -> Pointer.to(new float[] {v});
                case long[] v -> Pointer.to(v);
                default -> throw new IllegalArgumentException(String.valueOf(arguments[i]));
            };
        }
        CUfunction f = new CUfunction();
        int status = JCudaDriver.cuModuleGetFunction(f, module, kernel);
        return status != 0 ? status
                : JCudaDriver.cuLaunchKernel(f, blocks, 1, 1, threads, 1, 1, shared, stream, Pointer.to(p), null);
    }

    void launch(String kernel, int blocks, int threads, Object... arguments) {
        ok(tryLaunch(kernel, blocks, threads, 0, arguments));
    }

    @Override
    public void close() {
        EmulatedCuda.reset();
        ok(JCudaDriver.cuStreamDestroy(stream));
        ok(JCudaDriver.cuModuleUnload(module));
        memory.forEach(p -> ok(JCudaDriver.cuMemFree(p)));
    }
}
