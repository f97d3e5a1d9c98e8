package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;

/** How many blocks loops over a grid are given. */
final class Launches {
    /** Threads of a block where nothing speaks for another number. */
    static final int THREADS = 256;
    /** Enough for every multiprocessor to be full several times over; a thread that has more to do goes round again. */
    private static final int BLOCKS_EACH = 64;

    private Launches() {}

    /** Blocks of {@link #THREADS} threads for {@code items} things to do, of which a thread does {@code each} at a time. */
    static long blocks(CudaDevice device, long items, int each) {
        long all = (items + (long) THREADS * each - 1) / ((long) THREADS * each);
        return Math.max(1, Math.min(all, (long) BLOCKS_EACH * device.multiprocessors()));
    }
}
