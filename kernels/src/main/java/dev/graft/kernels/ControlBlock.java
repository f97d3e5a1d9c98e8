package dev.graft.kernels;

/** The few device bytes that every kernel can be pointed at. */
final class ControlBlock {
    static final long RANDOM_SHIFT = 0;
    static final long ERROR_FLAG = 8;
    /** 32-bit counters, each 0 between launches: which block of a launch comes last. */
    static final long COUNTERS = 512;
    static final int COUNTER_COUNT = 4096;
    static final long BYTES = COUNTERS + 4L * COUNTER_COUNT;

    private ControlBlock() {}
}
