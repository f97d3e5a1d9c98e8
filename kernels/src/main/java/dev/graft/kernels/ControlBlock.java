package dev.graft.kernels;

/** The few device bytes that every kernel can be pointed at. */
final class ControlBlock {
    static final long RANDOM_SHIFT = 0;
    static final long ERROR_FLAG = 8;
    static final long BYTES = 512;

    private ControlBlock() {}
}
