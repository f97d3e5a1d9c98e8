package dev.graft.kernels.ops;

/** One convolution, ready to be launched again and again: all that does not depend on addresses is done. */
interface ConvPlan extends AutoCloseable {
    /** Bytes of temporary memory that {@link #run} needs. */
    long workspace();

    /**
     * Launches it. All addresses are aligned to 16 bytes. The one that is written is y, x or w, as the direction says.
     *
     * @param bias     0 when nothing is fused
     * @param residual 0 when there is none
     */
    void run(long x, long w, long y, long bias, long residual, long workspace);

    @Override
    default void close() {}
}
