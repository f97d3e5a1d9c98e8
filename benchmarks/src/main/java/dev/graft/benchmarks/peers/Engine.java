package dev.graft.benchmarks.peers;

/** One side of the comparison. */
public interface Engine {
    /** Library, versions and layout, for the record. */
    String describe();

    /** Inputs and weights made, everything ready for {@link Prepared#run}. */
    Prepared prepare(Work work);

    /** A work ready to be timed. */
    interface Prepared extends AutoCloseable {
        /** Does the work once; its results are freed. */
        void run();

        /**
         * The result of the work, called once, and before {@link #run} where the work is not {@link Work#repeatable}: images
         * as [N, H, W, C], several outputs one behind the other; of a step, its loss, and after two more steps that of the
         * third.
         */
        float[] result();

        @Override
        default void close() {
            // most are freed with their process
        }
    }
}
