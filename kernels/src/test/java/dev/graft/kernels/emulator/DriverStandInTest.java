package dev.graft.kernels.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Ptr;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The emulated driver does what the real one does: order of streams, capture and replay, refusals, switches for tests. */
class DriverStandInTest {
    private static final int RELAXED = 2;
    private static final int GLOBAL = 0;
    private static final String KERNELS = """
            extern "C" __global__ void scale(float *x, float by, int n) {
                for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) x[i] *= by;
            }
            struct Shape { long long size[5]; };
            extern "C" __global__ void sizes(long long *y, Shape s) { y[0] = s.size[0] + s.size[4]; }
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

    private static MemorySegment pinned(long bytes) {
        return MemorySegment.ofAddress(Driver.mallocHost(bytes)).reinterpret(bytes);
    }

    // ------------------------------------------------------------------ contexts and memory

    @Test
    void everyThreadNeedsTheContext() throws InterruptedException {
        int[] status = new int[1];
        Thread t = new Thread(() -> status[0] = JCudaDriver.cuMemAlloc(new CUdeviceptr(), 16));
        t.start();
        t.join();
        assertThat(status[0]).isEqualTo(201);
    }

    @Test
    void memoryIsLimitedAndCounted() {
        EmulatedCuda.totalMemory(EmulatedCuda.count("used") + 1000);
        long[] free = new long[1];
        RawDevice.ok(JCudaDriver.cuMemGetInfo(free, new long[1]));
        assertThat(free[0]).isEqualTo(1000);
        assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 1001)).isEqualTo(2);
        long address = Driver.malloc(1000);
        assertThat(address % 256).isZero();
        assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 1)).isEqualTo(2);
        Driver.free(address);
        RawDevice.ok(JCudaDriver.cuMemGetInfo(free, new long[1]));
        assertThat(free[0]).isEqualTo(1000);
    }

    @Test
    void theNthAllocationFails() {
        EmulatedCuda.failAllocationAfter(1);
        device.allocate(16);
        assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 16)).isEqualTo(2);
        device.allocate(16);
    }

    @Test
    void copiesOutOfRangeAreRefused() {
        CUdeviceptr x = device.floats(1, 2, 3);
        assertThat(JCudaDriver.cuMemcpyDtoH(Pointer.to(new float[4]), x, 16)).isEqualTo(1);
        assertThat(EmulatedCuda.report().getFirst()).contains("cuMemcpyDtoH of 16 bytes", "source", "of 12 bytes");
        assertThat(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 13, device.stream)).isEqualTo(1);
        assertThat(JCudaDriver.cuMemcpyDtoDAsync(x.withByteOffset(4), x, 12, device.stream)).isEqualTo(1);
        // and nothing broke
        assertThat(device.floats(x, 3)).containsExactly(1, 2, 3);
    }

    @Test
    void structsArriveByValue() {
        CUdeviceptr y = device.allocate(8);
        device.launch("sizes", 1, 1, y, new long[] {40, 0, 0, 0, 2});
        long[] v = new long[1];
        RawDevice.ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(v), y, 8));
        assertThat(v[0]).isEqualTo(42);
    }

    @Test
    void oldHandlesAreRefused() {
        CUmodule module = new CUmodule();
        RawDevice.ok(JCudaDriver.cuModuleLoadData(module, RawDevice.compile(KERNELS)));
        CUfunction f = new CUfunction();
        RawDevice.ok(JCudaDriver.cuModuleGetFunction(f, module, "scale"));
        assertThat(JCudaDriver.cuModuleGetFunction(new CUfunction(), module, "other")).isEqualTo(500);
        RawDevice.ok(JCudaDriver.cuModuleUnload(module));
        assertThat(JCudaDriver.cuModuleUnload(module)).isEqualTo(400);
        assertThat(JCudaDriver.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, device.stream, new Pointer(), null)).isEqualTo(400);
        CUstream s = new CUstream();
        RawDevice.ok(JCudaDriver.cuStreamCreate(s, 0));
        RawDevice.ok(JCudaDriver.cuStreamDestroy(s));
        assertThat(JCudaDriver.cuStreamSynchronize(s)).isEqualTo(400);
    }

    @Test
    void codeForAnotherChipOrDamagedIsRefused() {
        byte[] code = RawDevice.compile(KERNELS);
        EmulatedCuda.computeCapability(80);
        assertThat(JCudaDriver.cuModuleLoadData(new CUmodule(), code)).isEqualTo(209);
        EmulatedCuda.reset();
        code[code.length / 2] ^= 1;
        assertThat(JCudaDriver.cuModuleLoadData(new CUmodule(), code)).isEqualTo(200);
        assertThat(JCudaDriver.cuModuleLoadData(new CUmodule(), new byte[64])).isEqualTo(200);
    }

    // ------------------------------------------------------------------ switches

    @Test
    void lostDeviceAnswersTheErrorToEverything() {
        CUdeviceptr x = device.floats(1);
        EmulatedCuda.lose(719);
        assertThat(device.tryLaunch("scale", 1, 1, 0, x, 2f, 1)).isEqualTo(719);
        assertThat(JCudaDriver.cuStreamSynchronize(device.stream)).isEqualTo(719);
        EmulatedCuda.reset();
        assertThat(device.tryLaunch("scale", 1, 1, 0, x, 2f, 1)).isZero();
    }

    @Test
    void namedKernelFails() {
        CUdeviceptr x = device.floats(1);
        EmulatedCuda.failLaunch("scale", 719);
        CUdeviceptr y = device.allocate(8);
        device.launch("sizes", 1, 1, y, new long[5]);
        assertThat(device.tryLaunch("scale", 1, 1, 0, x, 2f, 1)).isEqualTo(719);
        assertThat(EmulatedCuda.launches("sizes")).isEqualTo(1);
    }

    @Test
    void versionAndNumberOfDevicesAreSet() {
        int[] n = new int[1];
        EmulatedCuda.driverVersion(12_020);
        RawDevice.ok(JCudaDriver.cuDriverGetVersion(n));
        assertThat(n[0]).isEqualTo(12_020);
        EmulatedCuda.devices(2);
        RawDevice.ok(JCudaDriver.cuDeviceGetCount(n));
        assertThat(n[0]).isEqualTo(2);
        assertThat(JCudaDriver.cuDeviceGet(new CUdevice(), 2)).isEqualTo(101);
        RawDevice.ok(JCudaDriver.cuCtxGetCurrent(new CUcontext()));
    }

    // ------------------------------------------------------------------ order of streams

    @Test
    void inLazyOrderOnlyWaitingMakesThingsHappen() {
        EmulatedCuda.lazy(true);
        MemorySegment host = pinned(8);
        host.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 3);
        host.setAtIndex(ValueLayout.JAVA_FLOAT, 1, 4);
        CUdeviceptr x = device.allocate(8);
        RawDevice.ok(JCudaDriver.cuMemcpyHtoDAsync(x, Ptr.of(host.address()), 8, device.stream));
        device.launch("scale", 1, 2, x, 10f, 2);
        RawDevice.ok(JCudaDriver.cuMemcpyDtoHAsync(Ptr.of(host.address()), x, 8, device.stream));
        assertThat(host.getAtIndex(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(3);
        assertThat(JCudaDriver.cuStreamQuery(device.stream)).isEqualTo(600);
        RawDevice.ok(JCudaDriver.cuStreamSynchronize(device.stream));
        assertThat(host.getAtIndex(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(30);
        assertThat(JCudaDriver.cuStreamQuery(device.stream)).isZero();
        RawDevice.ok(JCudaDriver.cuMemFreeHost(Ptr.of(host.address())));
    }

    @Test
    void streamsWaitForEachOtherByEvents() {
        for (boolean wait : new boolean[] {true, false}) {
            EmulatedCuda.lazy(true);
            CUstream other = new CUstream();
            RawDevice.ok(JCudaDriver.cuStreamCreate(other, RawDevice.NON_BLOCKING));
            CUevent e = new CUevent();
            RawDevice.ok(JCudaDriver.cuEventCreate(e, 2));
            CUdeviceptr x = device.allocate(4);
            CUdeviceptr y = device.floats(0);
            RawDevice.ok(JCudaDriver.cuMemsetD32Async(x, Float.floatToIntBits(7), 1, device.stream));
            RawDevice.ok(JCudaDriver.cuEventRecord(e, device.stream));
            if (wait) {
                RawDevice.ok(JCudaDriver.cuStreamWaitEvent(other, e, 0));
            }
            RawDevice.ok(JCudaDriver.cuMemcpyDtoDAsync(y, x, 4, other));
            RawDevice.ok(JCudaDriver.cuStreamSynchronize(other));
            assertThat(device.floats(y, 1)).containsExactly(wait ? 7 : Float.NaN);
            RawDevice.ok(JCudaDriver.cuEventDestroy(e));
            RawDevice.ok(JCudaDriver.cuStreamDestroy(other));
        }
    }

    // ------------------------------------------------------------------ capture

    private static CUgraph capture(int mode, Runnable work) {
        RawDevice.ok(JCudaDriver.cuStreamBeginCapture(device.stream, mode));
        work.run();
        CUgraph g = new CUgraph();
        RawDevice.ok(JCudaDriver.cuStreamEndCapture(device.stream, g));
        return g;
    }

    @Test
    void recordedWorkIsReplayedWithItsArguments() {
        CUdeviceptr x = device.floats(1, 2);
        CUdeviceptr y = device.floats(0, 0);
        long launched = EmulatedCuda.launches("scale");
        CUgraph g = capture(RELAXED, () -> {
            device.launch("scale", 1, 2, x, 3f, 2);
            RawDevice.ok(JCudaDriver.cuMemcpyDtoDAsync(y, x, 4, device.stream));
            RawDevice.ok(JCudaDriver.cuMemsetD32Async(y.withByteOffset(4), Float.floatToIntBits(9), 1, device.stream));
        });
        assertThat(EmulatedCuda.launches("scale")).isEqualTo(launched);
        assertThat(device.floats(x, 2)).containsExactly(1, 2);
        long[] nodes = new long[1];
        RawDevice.ok(JCudaDriver.cuGraphGetNodes(g, null, nodes));
        assertThat(nodes[0]).isEqualTo(3);
        CUgraphExec e = new CUgraphExec();
        RawDevice.ok(JCudaDriver.cuGraphInstantiate(e, g, 0));
        RawDevice.ok(JCudaDriver.cuGraphDestroy(g));
        RawDevice.ok(JCudaDriver.cuGraphLaunch(e, device.stream));
        RawDevice.ok(JCudaDriver.cuGraphLaunch(e, device.stream));
        assertThat(device.floats(x, 2)).containsExactly(9, 18);
        assertThat(device.floats(y, 2)).containsExactly(9, 9);
        assertThat(EmulatedCuda.launches("scale")).isEqualTo(launched + 2);
        assertThat(EmulatedCuda.count("graphs")).isEqualTo(2);
        RawDevice.ok(JCudaDriver.cuGraphExecDestroy(e));
        assertThat(JCudaDriver.cuGraphLaunch(e, device.stream)).isEqualTo(1);
    }

    @Test
    void replayAfterFreeIsTold() {
        CUdeviceptr x = new CUdeviceptr();
        RawDevice.ok(JCudaDriver.cuMemAlloc(x, 8));
        CUgraph g = capture(RELAXED, () -> device.launch("scale", 1, 2, x, 3f, 2));
        CUgraphExec e = new CUgraphExec();
        RawDevice.ok(JCudaDriver.cuGraphInstantiate(e, g, 0));
        RawDevice.ok(JCudaDriver.cuMemFree(x));
        assertThat(JCudaDriver.cuGraphLaunch(e, device.stream)).isEqualTo(700);
        assertThat(String.join("\n", EmulatedCuda.report())).contains("freed allocation", "scale");
        EmulatedCuda.reset();
        RawDevice.ok(JCudaDriver.cuGraphExecDestroy(e));
        RawDevice.ok(JCudaDriver.cuGraphDestroy(g));
    }

    @Test
    void waitingDuringCaptureSpoilsIt() {
        RawDevice.ok(JCudaDriver.cuStreamBeginCapture(device.stream, RELAXED));
        CUdeviceptr x = new CUdeviceptr();
        RawDevice.ok(JCudaDriver.cuMemAlloc(x, 16));
        RawDevice.ok(JCudaDriver.cuMemFree(x));
        assertThat(JCudaDriver.cuStreamSynchronize(device.stream)).isEqualTo(900);
        assertThat(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 0, device.stream)).isIn(0, 901);
        assertThat(JCudaDriver.cuStreamEndCapture(device.stream, new CUgraph())).isEqualTo(901);
        assertThat(String.join("\n", EmulatedCuda.report())).contains("capture invalidated: cuStreamSynchronize");
        RawDevice.ok(JCudaDriver.cuStreamSynchronize(device.stream));
    }

    @Test
    void allocatingDuringStrictCaptureSpoilsIt() {
        RawDevice.ok(JCudaDriver.cuStreamBeginCapture(device.stream, GLOBAL));
        assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 16)).isEqualTo(900);
        assertThat(JCudaDriver.cuStreamEndCapture(device.stream, new CUgraph())).isEqualTo(901);
    }

    @Test
    void readingTheDeviceDuringCaptureSpoilsIt() {
        CUdeviceptr x = device.floats(1);
        RawDevice.ok(JCudaDriver.cuStreamBeginCapture(device.stream, RELAXED));
        assertThat(JCudaDriver.cuMemcpyDtoH(Pointer.to(new float[1]), x, 4)).isEqualTo(900);
        assertThat(JCudaDriver.cuStreamEndCapture(device.stream, new CUgraph())).isEqualTo(901);
    }

    @Test
    void hostMemoryOfACaptureMustBePinned() {
        CUdeviceptr x = device.floats(1);
        RawDevice.ok(JCudaDriver.cuStreamBeginCapture(device.stream, RELAXED));
        assertThat(JCudaDriver.cuMemcpyHtoDAsync(x, Pointer.to(new float[1]), 4, device.stream)).isEqualTo(900);
        assertThat(JCudaDriver.cuStreamEndCapture(device.stream, new CUgraph())).isEqualTo(901);
    }

    @Test
    void otherStreamsJoinACaptureAndMustComeBack() {
        CUstream other = new CUstream();
        RawDevice.ok(JCudaDriver.cuStreamCreate(other, RawDevice.NON_BLOCKING));
        CUevent e = new CUevent();
        RawDevice.ok(JCudaDriver.cuEventCreate(e, 2));
        CUdeviceptr x = device.floats(1);
        for (boolean join : new boolean[] {false, true}) {
            RawDevice.ok(JCudaDriver.cuStreamBeginCapture(device.stream, RELAXED));
            RawDevice.ok(JCudaDriver.cuEventRecord(e, device.stream));
            RawDevice.ok(JCudaDriver.cuStreamWaitEvent(other, e, 0));
            RawDevice.ok(JCudaDriver.cuMemsetD32Async(x, 0, 1, other));
            if (join) {
                RawDevice.ok(JCudaDriver.cuEventRecord(e, other));
                RawDevice.ok(JCudaDriver.cuStreamWaitEvent(device.stream, e, 0));
            }
            CUgraph g = new CUgraph();
            assertThat(JCudaDriver.cuStreamEndCapture(device.stream, g)).isEqualTo(join ? 0 : 904);
            if (join) {
                RawDevice.ok(JCudaDriver.cuGraphDestroy(g));
            }
        }
        assertThat(device.floats(x, 1)[0]).isEqualTo(1);
        RawDevice.ok(JCudaDriver.cuEventDestroy(e));
        RawDevice.ok(JCudaDriver.cuStreamDestroy(other));
    }
}
