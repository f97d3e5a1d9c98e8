package dev.graft.kernels.driver;

import dev.graft.kernels.CudaStorage;
import dev.graft.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;

/**
 * The arguments of one launch, in the order of the kernel's parameters. There is one native block per device, filled anew
 * for every launch (the driver copies the values during the call), so a launch allocates nothing.
 */
public final class Args {
    private static final int SLOTS = 48;
    private static final int SLOT = 256;

    private final MemorySegment block = Arena.global().allocate(SLOTS * (8L + SLOT), 16);
    private final Ptr pointers = Ptr.of(block);
    private final CUstream stream;
    private CUfunction function;
    private String name;
    private int next;

    public Args(CUstream stream) {
        this.stream = stream;
        for (int i = 0; i < SLOTS; i++) {
            block.set(ValueLayout.JAVA_LONG, 8L * i, block.address() + at(i));
        }
    }

    private static long at(int slot) {
        return 8L * SLOTS + (long) SLOT * slot;
    }

    /** Begins the arguments of {@code f}. */
    public Args of(CUfunction f, String name) {
        this.function = f;
        this.name = name;
        next = 0;
        return this;
    }

    /** A device address; 0 is the null pointer. */
    public Args ptr(long address) {
        return i64(address);
    }

    /** The address of the tensor's first element. */
    public Args ptr(Tensor t) {
        return i64(CudaStorage.address(t));
    }

    public Args i32(int v) {
        block.set(ValueLayout.JAVA_INT, at(next++), v);
        return this;
    }

    public Args i64(long v) {
        block.set(ValueLayout.JAVA_LONG, at(next++), v);
        return this;
    }

    public Args f32(float v) {
        block.set(ValueLayout.JAVA_FLOAT, at(next++), v);
        return this;
    }

    public Args f64(double v) {
        block.set(ValueLayout.JAVA_DOUBLE, at(next++), v);
        return this;
    }

    /** A struct of up to 32 long longs (or pointers), by value. */
    public Args longs(long... v) {
        MemorySegment.copy(v, 0, block, ValueLayout.JAVA_LONG, at(next++), v.length);
        return this;
    }

    /** A struct of up to 64 ints, by value. */
    public Args ints(int... v) {
        MemorySegment.copy(v, 0, block, ValueLayout.JAVA_INT, at(next++), v.length);
        return this;
    }

    /** One-dimensional launch without dynamic shared memory. */
    public void launch(long blocks, int threads) {
        launch(Math.toIntExact(blocks), 1, 1, threads, 1, 1, 0);
    }

    public void launch(int bx, int by, int bz, int tx, int ty, int tz, int sharedBytes) {
        Driver.launch(function, name, bx, by, bz, tx, ty, tz, sharedBytes, stream, pointers);
    }
}
