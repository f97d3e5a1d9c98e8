package dev.graft.kernels.driver;

import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** The driver, libcuda: the only caller of {@link JCudaDriver}. Sizes are bytes, addresses raw; every failure throws. */
public final class Driver {
    public static final int COMPUTE_CAPABILITY_MAJOR = 75;
    public static final int COMPUTE_CAPABILITY_MINOR = 76;
    public static final int MULTIPROCESSOR_COUNT = 16;
    public static final int MEMORY_CLOCK_KHZ = 36;
    public static final int MEMORY_BUS_BITS = 37;
    public static final int MOST_SHARED_PER_BLOCK = 97;
    private static final int STREAM_NON_BLOCKING = 1;
    private static final int EVENT_DISABLE_TIMING = 2;
    private static final int CAPTURE_RELAXED = 2;
    private static final int MAX_DYNAMIC_SHARED_SIZE = 8;

    private Driver() {}

    static void check(int status, String call) {
        if (status != 0) {
            throw failure(status, call);
        }
    }

    private static CudaException failure(int status, String call) {
        String[] name = new String[1];
        String[] text = new String[1];
        JCudaDriver.cuGetErrorName(status, name);
        JCudaDriver.cuGetErrorString(status, text);
        return new CudaException(call + ": " + (name[0] == null ? "error" : name[0]) + " (" + status + ")"
                + (text[0] == null || text[0].isBlank() ? "" : ": " + text[0]), status);
    }

    // ------------------------------------------------------------------ devices

    public static void init() {
        check(JCudaDriver.cuInit(0), "cuInit");
    }

    /** Such as 13000 for CUDA 13.0. */
    public static int version() {
        int[] v = new int[1];
        check(JCudaDriver.cuDriverGetVersion(v), "cuDriverGetVersion");
        return v[0];
    }

    public static int deviceCount() {
        int[] n = new int[1];
        check(JCudaDriver.cuDeviceGetCount(n), "cuDeviceGetCount");
        return n[0];
    }

    public static CUdevice device(int index) {
        CUdevice d = new CUdevice();
        check(JCudaDriver.cuDeviceGet(d, index), "cuDeviceGet");
        return d;
    }

    public static String name(CUdevice d) {
        byte[] name = new byte[256];
        check(JCudaDriver.cuDeviceGetName(name, name.length, d), "cuDeviceGetName");
        int n = 0;
        while (n < name.length && name[n] != 0) {
            n++;
        }
        return new String(name, 0, n, java.nio.charset.StandardCharsets.UTF_8);
    }

    public static int attribute(CUdevice d, int attribute) {
        int[] v = new int[1];
        check(JCudaDriver.cuDeviceGetAttribute(v, attribute, d), "cuDeviceGetAttribute");
        return v[0];
    }

    public static long totalMemory(CUdevice d) {
        long[] n = new long[1];
        check(JCudaDriver.cuDeviceTotalMem(n, d), "cuDeviceTotalMem");
        return n[0];
    }

    public static CUcontext primaryContext(CUdevice d) {
        CUcontext c = new CUcontext();
        check(JCudaDriver.cuDevicePrimaryCtxRetain(c, d), "cuDevicePrimaryCtxRetain");
        return c;
    }

    public static void makeCurrent(CUcontext c) {
        check(JCudaDriver.cuCtxSetCurrent(c), "cuCtxSetCurrent");
    }

    // ------------------------------------------------------------------ memory

    public static long malloc(long bytes) {
        CUdeviceptr p = new CUdeviceptr();
        check(JCudaDriver.cuMemAlloc(p, bytes), "cuMemAlloc of " + bytes + " bytes");
        return Ptr.address(p);
    }

    public static void free(long address) {
        check(JCudaDriver.cuMemFree(Ptr.device(address)), "cuMemFree");
    }

    /** Free bytes of the current context's device. */
    public static long freeMemory() {
        long[] free = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, new long[1]), "cuMemGetInfo");
        return free[0];
    }

    /** Page-locked host memory, which copies can read while the program goes on. */
    public static long mallocHost(long bytes) {
        Pointer p = new Pointer();
        check(JCudaDriver.cuMemHostAlloc(p, bytes, 0), "cuMemHostAlloc of " + bytes + " bytes");
        return Ptr.address(p);
    }

    public static void freeHost(long address) {
        check(JCudaDriver.cuMemFreeHost(Ptr.of(address)), "cuMemFreeHost");
    }

    public static void copyToDevice(long device, long host, long bytes, CUstream s) {
        check(JCudaDriver.cuMemcpyHtoDAsync(Ptr.device(device), Ptr.of(host), bytes, s), "cuMemcpyHtoDAsync");
    }

    public static void copyToHost(long host, long device, long bytes, CUstream s) {
        check(JCudaDriver.cuMemcpyDtoHAsync(Ptr.of(host), Ptr.device(device), bytes, s), "cuMemcpyDtoHAsync");
    }

    public static void copy(long to, long from, long bytes, CUstream s) {
        check(JCudaDriver.cuMemcpyDtoDAsync(Ptr.device(to), Ptr.device(from), bytes, s), "cuMemcpyDtoDAsync");
    }

    public static void fillBytes(long address, int value, long bytes, CUstream s) {
        check(JCudaDriver.cuMemsetD8Async(Ptr.device(address), (byte) value, bytes, s), "cuMemsetD8Async");
    }

    public static void fillInts(long address, int value, long count, CUstream s) {
        check(JCudaDriver.cuMemsetD32Async(Ptr.device(address), value, count, s), "cuMemsetD32Async");
    }

    // ------------------------------------------------------------------ streams and events

    public static CUstream stream() {
        CUstream s = new CUstream();
        check(JCudaDriver.cuStreamCreate(s, STREAM_NON_BLOCKING), "cuStreamCreate");
        return s;
    }

    public static void synchronize(CUstream s) {
        check(JCudaDriver.cuStreamSynchronize(s), "cuStreamSynchronize");
    }

    public static void await(CUstream s, CUevent e) {
        check(JCudaDriver.cuStreamWaitEvent(s, e, 0), "cuStreamWaitEvent");
    }

    public static CUevent event(boolean timing) {
        CUevent e = new CUevent();
        check(JCudaDriver.cuEventCreate(e, timing ? 0 : EVENT_DISABLE_TIMING), "cuEventCreate");
        return e;
    }

    public static void record(CUevent e, CUstream s) {
        check(JCudaDriver.cuEventRecord(e, s), "cuEventRecord");
    }

    public static void synchronize(CUevent e) {
        check(JCudaDriver.cuEventSynchronize(e), "cuEventSynchronize");
    }

    /** Milliseconds between two events that the device has passed. */
    public static float elapsed(CUevent from, CUevent to) {
        float[] ms = new float[1];
        check(JCudaDriver.cuEventElapsedTime(ms, from, to), "cuEventElapsedTime");
        return ms[0];
    }

    public static void destroy(CUevent e) {
        check(JCudaDriver.cuEventDestroy(e), "cuEventDestroy");
    }

    // ------------------------------------------------------------------ modules and launches

    public static CUmodule load(byte[] image) {
        CUmodule m = new CUmodule();
        check(JCudaDriver.cuModuleLoadData(m, image), "cuModuleLoadData");
        return m;
    }

    public static CUfunction function(CUmodule m, String name) {
        CUfunction f = new CUfunction();
        check(JCudaDriver.cuModuleGetFunction(f, m, name), "cuModuleGetFunction of " + name);
        return f;
    }

    /** Lets {@code f} use more than 48 KiB of dynamic shared memory. */
    public static void allowShared(CUfunction f, int bytes) {
        check(JCudaDriver.cuFuncSetAttribute(f, MAX_DYNAMIC_SHARED_SIZE, bytes), "cuFuncSetAttribute");
    }

    /** Blocks of {@code f} that one multiprocessor holds at a time. */
    public static int activeBlocks(CUfunction f, int threads, long shared) {
        int[] n = new int[1];
        check(JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(n, f, threads, shared),
                "cuOccupancyMaxActiveBlocksPerMultiprocessor");
        return n[0];
    }

    static void launch(CUfunction f, String name, int bx, int by, int bz, int tx, int ty, int tz, int shared, CUstream s,
            Pointer parameters) {
        int status = JCudaDriver.cuLaunchKernel(f, bx, by, bz, tx, ty, tz, shared, s, parameters, null);
        if (status != 0) {
            throw failure(status, "launch of " + name + " with " + bx + "x" + by + "x" + bz + " blocks of " + tx + "x" + ty
                    + "x" + tz + " threads, " + shared + " bytes shared");
        }
    }

    // ------------------------------------------------------------------ graphs

    public static void beginCapture(CUstream s) {
        check(JCudaDriver.cuStreamBeginCapture(s, CAPTURE_RELAXED), "cuStreamBeginCapture");
    }

    public static CUgraph endCapture(CUstream s) {
        CUgraph g = new CUgraph();
        check(JCudaDriver.cuStreamEndCapture(s, g), "cuStreamEndCapture");
        return g;
    }

    public static int nodes(CUgraph g) {
        long[] n = new long[1];
        check(JCudaDriver.cuGraphGetNodes(g, null, n), "cuGraphGetNodes");
        return (int) n[0];
    }

    public static CUgraphExec instantiate(CUgraph g) {
        CUgraphExec e = new CUgraphExec();
        check(JCudaDriver.cuGraphInstantiate(e, g, 0), "cuGraphInstantiate");
        return e;
    }

    public static void launch(CUgraphExec e, CUstream s) {
        check(JCudaDriver.cuGraphLaunch(e, s), "cuGraphLaunch");
    }

    public static void destroy(CUgraphExec e) {
        check(JCudaDriver.cuGraphExecDestroy(e), "cuGraphExecDestroy");
    }

    public static void destroy(CUgraph g) {
        check(JCudaDriver.cuGraphDestroy(g), "cuGraphDestroy");
    }
}
