package dev.graft.kernels;

import dev.graft.kernels.memory.Block;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import java.lang.ref.Cleaner;

/** Device memory behind tensors: a block of the device's allocator. */
public final class CudaStorage extends Storage {
    private static final Cleaner CLEANER = Cleaner.create();

    private final CudaDevice device;
    private final Held held;
    private final Cleaner.Cleanable unclosed;
    private boolean written;

    /** What must be given back, apart from the storage so that the garbage collector can find that. */
    private static final class Held implements Runnable {
        private final CudaDevice device;
        private Block block;

        Held(CudaDevice device, Block block) {
            this.device = device;
            this.block = block;
        }

        /** The garbage collector found a storage that was never closed. */
        @Override
        public void run() {
            synchronized (device) {
                if (block != null) {
                    device.collected(block);
                    block = null;
                }
            }
        }
    }

    CudaStorage(CudaDevice device, DType dtype, long count, Block block) {
        super(dtype, count);
        this.device = device;
        this.held = new Held(device, block);
        this.unclosed = CLEANER.register(this, held);
    }

    @Override
    public Device device() {
        return device.device();
    }

    @Override
    protected void free() {
        synchronized (device) {
            Block b = held.block;
            held.block = null;
            if (b != null) {
                device.free(this, b);
            }
        }
        unclosed.clean();
    }

    /** Whether values of the host are written here for the first time; later ones have to wait for readers of the first. */
    boolean firstWrite() {
        boolean first = !written;
        written = true;
        return first;
    }

    Block block() {
        return held.block;
    }

    /** Where the storage begins; 0 when it is empty or was freed. */
    public long address() {
        return held.block == null ? 0 : held.block.address();
    }

    /** The address of a tensor's first element. */
    public static long address(Tensor t) {
        if (t.storage() instanceof CudaStorage s) {
            return s.address() + t.offset() * t.dtype().bytes();
        }
        throw new GraftException("a tensor on " + t.device() + " was given to a CUDA kernel: copy it with to(cuda)");
    }
}
