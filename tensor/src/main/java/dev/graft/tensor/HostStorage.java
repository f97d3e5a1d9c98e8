package dev.graft.tensor;

import java.util.function.Supplier;

/**
 * CPU memory: one Java array of the dtype's carrier. Carriers: float[] for float32, double[] for float64, short[] for
 * float16, bfloat16 and int16, int[] for int32, long[] for int64, byte[] for int8, uint8 and bool. The array may be longer
 * than {@link #count()} (the allocator rounds up), may begin with elements that nobody uses ({@link #first()}: vectors
 * then lie in one cache line each) and holds old values when it was recycled.
 */
public final class HostStorage extends Storage {
    private final HostAllocator.Live live;
    private final int first;
    private Object array;
    private volatile Derived derived;

    /** What a CPU backend made of the values and keeps as long as the memory lives, such as packed weights. */
    public interface Derived {
        /** The memory was given back. */
        void freed();
    }

    /** @param own whether the allocator made the array and may hand it out again */
    HostStorage(DType dtype, long count, Object array, String label, boolean own) {
        super(dtype, count);
        this.array = array;
        this.first = own ? HostAllocator.first(dtype) : 0;
        this.live = HostAllocator.track(this, label, own);
    }

    /** For CPU backends: memory from the caching allocator, with any content. */
    public static HostStorage allocate(DType dtype, long count, String label) {
        return HostAllocator.allocate(dtype, count, label);
    }

    @Override
    public Device device() {
        return Device.CPU;
    }

    @Override
    public long first() {
        return first;
    }

    @Override
    protected void free() {
        HostAllocator.release(live, dtype(), array);
        array = null;   // a closed tensor that is still referred to must not hold memory that the cache gave up
        Derived d = derived;
        if (d != null) {
            d.freed();
        }
    }

    /** For the CPU backend: what it keeps with this memory, null if nothing. */
    public Derived derived() {
        return derived;
    }

    /** For the CPU backend: what it keeps with this memory, made by {@code make} if there is nothing yet. */
    public synchronized Derived derive(Supplier<? extends Derived> make) {
        if (derived == null) {
            derived = make.get();
        }
        return derived;
    }

    /** The Java array itself. */
    public Object array() {
        return array;
    }

    public float[] floats() {
        return (float[]) array;
    }

    public double[] doubles() {
        return (double[]) array;
    }

    public int[] ints() {
        return (int[]) array;
    }

    public long[] longs() {
        return (long[]) array;
    }

    public short[] shorts() {
        return (short[]) array;
    }

    public byte[] bytes() {
        return (byte[]) array;
    }
}
