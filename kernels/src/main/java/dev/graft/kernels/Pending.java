package dev.graft.kernels;

import dev.graft.kernels.memory.Block;

/**
 * Work that has been asked for and is not launched yet, so that it can be joined with what comes next. The device launches
 * it before anything else that reads, writes, measures or records. Called with the device's lock held.
 */
public interface Pending {
    /** A device that puts nothing off. */
    Pending NONE = new Pending() {
        @Override
        public void flush() {}

        @Override
        public void discard() {}

        @Override
        public boolean keeps(CudaStorage storage, Block block) {
            return false;
        }
    };

    /** Launches it. */
    void flush();

    /** Forgets it: what it computes is not wanted, since the step it belongs to has failed. */
    void discard();

    /**
     * The last handle of {@code storage} was closed. What was to be computed into it need not be stored. True when the work
     * still has to read it: then it hands the block to {@link CudaDevice#release} once it has been launched.
     */
    boolean keeps(CudaStorage storage, Block block);
}
