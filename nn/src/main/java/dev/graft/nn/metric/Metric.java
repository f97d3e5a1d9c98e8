package dev.graft.nn.metric;

import dev.graft.tensor.Tensor;

/**
 * A number (or several) about predictions, gathered batch by batch. Counts are exact and their order does not matter. Not
 * for several threads at once.
 *
 * @param <R> what it gives, a record
 */
public interface Metric<R extends Record> {
    /** Adds a batch. */
    void update(Tensor prediction, Tensor target);

    /** What was gathered since the last {@link #reset}. */
    R result();

    /** Forgets all. */
    void reset();
}
