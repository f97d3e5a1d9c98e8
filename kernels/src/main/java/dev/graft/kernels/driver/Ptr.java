package dev.graft.kernels.driver;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;

/** JCuda pointers from raw addresses, and back. */
public final class Ptr extends Pointer {
    private Ptr(long address) {
        super(address);
    }

    private Ptr(Pointer p) {
        super(p);
    }

    /** Device memory or native host memory, as JCuda's library calls take it. */
    public static Ptr of(long address) {
        return new Ptr(address);
    }

    public static Ptr of(MemorySegment s) {
        return new Ptr(s.address());
    }

    /** Device memory as the driver's calls take it: the null pointer and an offset, which JCuda adds. */
    static CUdeviceptr device(long address) {
        return new CUdeviceptr().withByteOffset(address);
    }

    static long address(Pointer p) {
        Ptr copy = new Ptr(p);
        return copy.getNativePointer() + copy.getByteOffset();
    }
}
