package dev.graft.kernels;

import dev.graft.kernels.memory.Block;

/**
 * Device memory for one op's own use. It may be closed as soon as the op's kernels are launched: reuse is in stream order.
 */
public final class Scratch implements AutoCloseable {
    private final CudaDevice device;
    private Block block;

    Scratch(CudaDevice device, Block block) {
        this.device = device;
        this.block = block;
    }

    /** 0 when no bytes were asked for. */
    public long address() {
        return block == null ? 0 : block.address();
    }

    @Override
    public void close() {
        if (block != null) {
            device.free(block);
            block = null;
        }
    }
}
