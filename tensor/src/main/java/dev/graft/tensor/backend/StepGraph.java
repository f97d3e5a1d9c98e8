package dev.graft.tensor.backend;

import dev.graft.tensor.RandomStream;

/**
 * The device's work of one step, recorded once and launched again as a whole. Every tensor keeps its place in memory: the
 * caller writes new inputs into the tensors that were read in the recorded step, and finds new results in those it made
 * and kept.
 */
public interface StepGraph extends AutoCloseable {
    /**
     * Launches the recorded work again.
     *
     * @param random  the numbers of this step in place of those of the recorded one; the seed must be the same
     * @param updates runs the step's updates once more, in the recorded order and on the same tensors: nothing is computed,
     *                but the rates and counts they carry replace the recorded ones
     */
    void replay(RandomStream random, Runnable updates);

    /** How many launches one replay saves. */
    int launches();

    /** Frees the graph and the memory it holds. */
    @Override
    void close();
}
