package dev.graft.tensor;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The memory behind one or more tensors, counted by its handles: it goes back to its allocator when the last handle is
 * closed. {@link #version()} grows with every write in place, so that a tape notices a tensor that was changed between
 * forward and backward.
 */
public abstract class Storage {
    private static final VarHandle HANDLES;

    static {
        try {
            HANDLES = MethodHandles.lookup().findVarHandle(Storage.class, "handles", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final DType dtype;
    private final long count;
    @SuppressWarnings("FieldMayBeFinal")
    private volatile int handles = 1;
    private int version;

    protected Storage(DType dtype, long count) {
        this.dtype = dtype;
        this.count = count;
    }

    public abstract Device device();

    /** Gives the memory back to its allocator; called once, when the last handle goes. */
    protected abstract void free();

    public final DType dtype() {
        return dtype;
    }

    /** Number of elements that may be used. */
    public final long count() {
        return count;
    }

    /** Where the tensor that the memory was allocated for begins, in elements. */
    public long first() {
        return 0;
    }

    public final int version() {
        return version;
    }

    final void written() {
        version++;
    }

    final void retain() {
        int now;
        do {
            now = handles;
            if (now <= 0) {
                throw new GraftException("a tensor's memory was used after its last handle was closed");
            }
        } while (!HANDLES.compareAndSet(this, now, now + 1));
    }

    /** Whether the last handle has been closed. */
    final boolean isFree() {
        return handles <= 0;
    }

    final void release() {
        if ((int) HANDLES.getAndAdd(this, -1) == 1) {
            free();
        }
    }
}
