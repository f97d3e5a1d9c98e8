package dev.graft.kernels;

import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.compile.Kernels;
import dev.graft.kernels.driver.Args;
import dev.graft.kernels.driver.Cublas;
import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Cudnn;
import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.load.Component;
import dev.graft.kernels.load.NativeLoader;
import dev.graft.kernels.memory.Block;
import dev.graft.kernels.memory.DeviceAllocator;
import dev.graft.kernels.memory.Pool;
import dev.graft.kernels.memory.Staging;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.MemoryReport;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * One GPU: its context, the stream that all computing runs on, the stream of uploads, its memory, its compiled kernels. All
 * methods are called with this object's lock held, except those that say otherwise.
 */
public final class CudaDevice {
    private static final ThreadLocal<CudaDevice> CURRENT = new ThreadLocal<>();

    private final Device device;
    private final CUcontext context;
    private final String name;
    private final int computeCapability;
    private final int multiprocessors;
    private final double peakBandwidth;
    private final int mostShared;
    private final CUstream compute;
    private final CUstream copies;
    private final CUevent computed;
    private final CUevent uploaded;
    private final DeviceAllocator allocator;
    private final Kernels kernels;
    private final Staging up;
    private final Staging ahead;
    private final Staging down;
    private final long control;
    private Pending pending = Pending.NONE;
    private boolean fenced;
    private boolean fenceOwed;
    private Cublas cublas;
    private Cudnn cudnn;
    private CudaException lost;
    private CudaGraph recording;
    private Tables rewriting;

    CudaDevice(int index) {
        device = Device.cuda(index);
        CUdevice d = Driver.device(index);
        context = Driver.primaryContext(d);
        Driver.makeCurrent(context);
        CURRENT.set(this);
        name = Driver.name(d);
        computeCapability = 10 * Driver.attribute(d, Driver.COMPUTE_CAPABILITY_MAJOR)
                + Driver.attribute(d, Driver.COMPUTE_CAPABILITY_MINOR);
        multiprocessors = Driver.attribute(d, Driver.MULTIPROCESSOR_COUNT);
        peakBandwidth = 2e3 * Driver.attribute(d, Driver.MEMORY_CLOCK_KHZ) * Driver.attribute(d, Driver.MEMORY_BUS_BITS) / 8;
        mostShared = Driver.attribute(d, Driver.MOST_SHARED_PER_BLOCK);
        compute = Driver.stream();
        copies = Driver.stream();
        computed = Driver.event(false);
        uploaded = Driver.event(false);
        allocator = new DeviceAllocator(device, new DeviceAllocator.Source() {
            @Override
            public long allocate(long bytes) {
                return malloc(bytes);
            }

            @Override
            public void free(long address) {
                if (enter()) {
                    Driver.free(address);
                }
            }

            @Override
            public void idle() {
                if (recording == null && enter()) {
                    waitForAll();
                }
            }
        });
        kernels = new Kernels(computeCapability, new Args(compute));
        up = new Staging();
        ahead = new Staging();
        down = new Staging();
        control = Driver.malloc(ControlBlock.BYTES);
        Driver.fillBytes(control, 0, ControlBlock.BYTES, compute);
    }

    private static long malloc(long bytes) {
        try {
            return Driver.malloc(bytes);
        } catch (CudaException e) {
            if (e.outOfMemory()) {
                return 0;
            }
            throw e;
        }
    }

    // ------------------------------------------------------------------ what it is

    public Device device() {
        return device;
    }

    public int index() {
        return device.index();
    }

    public String name() {
        return name;
    }

    /** Such as 90 for 9.0. */
    public int computeCapability() {
        return computeCapability;
    }

    public int multiprocessors() {
        return multiprocessors;
    }

    /** Bytes per second that the memory could carry by its clock and width. */
    public double peakBandwidth() {
        return peakBandwidth;
    }

    /** Bytes of shared memory that a block can have when it asks for them: 227 KiB on Hopper, 64 on the oldest. */
    public int mostShared() {
        return mostShared;
    }

    // ------------------------------------------------------------------ running

    /**
     * Runs {@code body} with the lock and the context; a failure that the driver will not recover from is remembered, and
     * every later call ends with it.
     */
    <T> T locked(Supplier<T> body) {
        synchronized (this) {
            if (lost != null) {
                throw gone(lost);
            }
            enter();
            try {
                return body.get();
            } catch (CudaException e) {
                if (e.sticky()) {
                    lost = e;
                }
                throw e;
            }
        }
    }

    /**
     * Makes the context the calling thread's, for those that hold the lock without {@link #locked}: whoever closes a tensor,
     * the garbage collector's threads among them, may never have run an op. False on a device that is lost, of which nothing
     * is to be asked any more. A virtual thread may have come to another carrier, whose context nobody knows.
     */
    boolean enter() {
        if (lost != null) {
            return false;
        }
        if (CURRENT.get() != this || Thread.currentThread().isVirtual()) {
            Driver.makeCurrent(context);
            CURRENT.set(this);
        }
        return true;
    }

    void locked(Runnable body) {
        locked(() -> {
            body.run();
            return null;
        });
    }

    private CudaException gone(CudaException e) {
        return new CudaException(device + " can no longer be used since this failure: " + e.getMessage()
                + ": start the program again; with -Dgraft.cuda.sync=true the failing op is named", e.code());
    }

    /** Who puts work off on this device. */
    public void pending(Pending work) {
        pending = work;
    }

    /** Launches what has been put off. */
    void flush() {
        pending.flush();
    }

    /** Forgets what has been put off. */
    void discard() {
        pending.discard();
    }

    public CUstream cuStream() {
        return compute;
    }

    /** Compiled when first asked for. */
    public Kernel kernel(KernelSource source, String function) {
        return kernels.get(source, function);
    }

    /** Made when first asked for, with a workspace that it keeps. */
    public Cublas cublas() {
        if (cublas == null) {
            notRecording("it is the first to use cuBLAS");
            NativeLoader.load().require(Component.CUBLAS);
            cublas = new Cublas(compute, allocator.allocate(Cublas.WORKSPACE_BYTES, "cuBLAS workspace").address(),
                    Cublas.WORKSPACE_BYTES);
        }
        return cublas;
    }

    /** Made when first asked for; cuDNN may be missing, which is an error with the reason and the fix. */
    public Cudnn cudnn() {
        if (cudnn == null) {
            notRecording("it is the first to use cuDNN");
            NativeLoader.load().require(Component.CUDNN);
            cudnn = new Cudnn(compute);
        }
        return cudnn;
    }

    public void zero(long address, long bytes) {
        Driver.fillBytes(address, 0, bytes, compute);
    }

    /** Device to device, in stream order. */
    public void copy(long to, long from, long bytes) {
        Driver.copy(to, from, bytes, compute);
    }

    /** Whether only algorithms that give the same bits in every run may be used by this call. */
    public boolean deterministic() {
        return Context.current().numerics().deterministic();
    }

    public boolean tf32() {
        return Context.current().numerics().tf32();
    }

    /** Device address of an unsigned 64-bit number that kernels add to the stream of their random numbers. */
    public long randomShift() {
        return control + ControlBlock.RANDOM_SHIFT;
    }

    /**
     * Device address of an int that a kernel sets to the number of a {@link DeviceError} when its input is wrong; reported
     * by the next read.
     */
    public long errorFlag() {
        return control + ControlBlock.ERROR_FLAG;
    }

    /**
     * Device address of 4096 unsigned ints by which the last block of a launch is found: 0 before every launch, and left 0
     * by each.
     */
    public long counters() {
        return control + ControlBlock.COUNTERS;
    }

    /** Waits for the compute stream; throws what went wrong meanwhile. */
    void synchronize() {
        notRecording("a step waits for the device");
        flush();
        Driver.synchronize(compute);
    }

    private void waitForAll() {
        Driver.synchronize(copies);
        Driver.synchronize(compute);
    }

    // ------------------------------------------------------------------ memory

    /** Temporary memory in stream order, aligned to 512 bytes. */
    public Scratch scratch(long bytes) {
        return new Scratch(this, allocator.allocate(bytes, "scratch"));
    }

    /**
     * As {@link #scratch} with memory that no recorded step shares: its own work would otherwise write over what was copied
     * here before it began.
     */
    public Scratch lasting(long bytes) {
        return new Scratch(this, allocator.allocateOutside(bytes, "table"));
    }

    DeviceAllocator allocator() {
        return allocator;
    }

    CudaStorage allocate(DType dtype, long count, String label, boolean upload) {
        long bytes = Math.multiplyExact(count, (long) dtype.bytes());
        Block b = upload ? allocator.allocateUpload(bytes, label) : allocator.allocate(bytes, label);
        return new CudaStorage(this, dtype, count, b);
    }

    void free(Block b) {
        allocator.free(b);
    }

    void free(CudaStorage s, Block b) {
        if (!pending.keeps(s, b)) {
            release(b);
        }
    }

    /** Gives back a block that a storage had; see {@link Pending#keeps}. */
    public void release(Block b) {
        fence(b);
        allocator.free(b);
    }

    void collected(Block b) {
        fence(b);
        allocator.freeCollected(b);
    }

    /** The upload stream writes this memory next: it has to wait until the compute stream has come as far as here. */
    private void fence(Block b) {
        if (!b.forUploads()) {
            return;
        }
        if (recording != null) {        // an event recorded now would be the graph's; nothing is uploaded meanwhile
            fenceOwed = true;
        } else if (enter()) {
            Driver.record(computed, compute);
            fenced = true;
        }
    }

    MemoryReport memory() {
        return allocator.report();
    }

    // ------------------------------------------------------------------ copies

    /** Copies to device memory in stream order; {@code from} may be changed when this returns. */
    public void upload(byte[] from, long to) {
        up.upload(MemorySegment.ofArray(from), to, compute);
    }

    /** Copies to the device, in the order of the compute stream; returns when {@code from} has been read. */
    void write(MemorySegment from, CudaStorage to, long offset) {
        notRecording("a step writes values of the host to the device");
        flush();
        Block b = to.block();
        if (b != null && b.forUploads() && to.firstWrite()) {  // beside the computing: waits only until it was freed last
            if (fenced) {
                Driver.await(copies, computed);
            }
            ahead.upload(from, to.address() + offset, copies);
            Driver.record(uploaded, copies);
            Driver.await(compute, uploaded);
        } else {
            up.upload(from, to.address() + offset, compute);
        }
    }

    /** Copies to the host and waits; reports what kernels found wrong with their input. */
    void read(long from, MemorySegment to) {
        notRecording("a step reads values back to the host");
        flush();
        down.download(from, to, compute);
        checkErrorFlag();
    }

    private void checkErrorFlag() {
        int[] flag = new int[1];
        down.download(errorFlag(), MemorySegment.ofArray(flag), compute);
        if (flag[0] != 0) {
            Driver.fillBytes(errorFlag(), 0, 4, compute);
            throw DeviceError.exception(flag[0]);
        }
    }

    // ------------------------------------------------------------------ recording

    /** Whether a step is being recorded: no timing runs, nothing that waits. */
    public boolean capturing() {
        return recording != null;
    }

    /** What the step being recorded will read anew in every replay. */
    public Tables recorded() {
        return recording.tables();
    }

    /** The tables of a step that is about to be replayed and takes new values; null at all other times. */
    public Tables rewriting() {
        return rewriting;
    }

    void rewriting(Tables t) {
        rewriting = t;
    }

    void recording(CudaGraph g) {
        recording = g;
        if (g == null && fenceOwed) {
            fenceOwed = false;
            if (enter()) {
                Driver.record(computed, compute);
                fenced = true;
            }
        }
    }

    Pool beginPool(String label) {
        return allocator.beginPool(label);
    }

    void notRecording(String what) {
        if (recording != null) {
            throw new NotCapturable(what);
        }
    }
}
