package dev.graft.nn.fake;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Storage;
import java.lang.reflect.Array;

/** Memory of a fake device: an array that only its backend touches, and that is spoilt when it is given back. */
final class FakeStorage extends Storage {
    private final FakeBackend backend;
    private final Object array;
    private final FakeGraph pool;

    FakeStorage(FakeBackend backend, DType dtype, long count, Object array, FakeGraph pool) {
        super(dtype, count);
        this.backend = backend;
        this.array = array;
        this.pool = pool;
        spoil(array);
    }

    static Object array(DType dtype, int count) {
        return switch (dtype) {
            case F32 -> new float[count];
            case F64 -> new double[count];
            case F16, BF16, I16 -> new short[count];
            case I32 -> new int[count];
            case I64 -> new long[count];
            case I8, U8, BOOL -> new byte[count];
        };
    }

    /** So that whoever reads memory before it is written, or after it was freed, gets numbers that no test expects. */
    private static void spoil(Object array) {
        switch (array) {
            case float[] a -> java.util.Arrays.fill(a, Float.NaN);
            case double[] a -> java.util.Arrays.fill(a, Double.NaN);
            case short[] a -> java.util.Arrays.fill(a, (short) 0x7fff);
            case int[] a -> java.util.Arrays.fill(a, -77777);
            case long[] a -> java.util.Arrays.fill(a, -77777);
            default -> java.util.Arrays.fill((byte[]) array, (byte) 1);
        }
    }

    @Override
    public Device device() {
        return backend.device();
    }

    Object array() {
        return array;
    }

    /** The recorded step whose memory this is; null for memory of the device itself. */
    FakeGraph pool() {
        return pool;
    }

    @Override
    protected void free() {
        backend.freed((long) Array.getLength(array) * dtype().bytes());
        if (pool == null) {
            spoil(array);
        } else {
            pool.give(dtype(), array);
        }
    }
}
