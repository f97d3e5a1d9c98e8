package dev.graft.kernels.ops;

import java.util.List;

/**
 * One way of computing convolutions: a library's API or own kernels. What it can do with a problem are candidates, which the
 * {@link ConvTuner} times.
 */
interface ConvEngine {
    String name();

    /** The most promising first; none when this engine cannot compute the problem with all that is fused behind it. */
    List<Candidate> candidates(ConvProblem p);

    /** A plan that could be made. Closing it frees what was found out for it, but not the plans that were made. */
    interface Candidate extends AutoCloseable {
        /** The same in every run with the same libraries on the same device; without spaces. */
        String name();

        /** @throws dev.graft.tensor.GraftException when the library does not support it after all */
        ConvPlan make();

        @Override
        default void close() {}
    }

    /** A candidate that needs nothing but its plan. */
    record Ready(String name, ConvPlan plan) implements Candidate {
        @Override
        public ConvPlan make() {
            return plan;
        }
    }
}
