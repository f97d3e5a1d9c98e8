package dev.graft.nn.train;

import dev.graft.nn.data.DataLoader;
import dev.graft.tensor.Tensor;
import java.util.Iterator;

/**
 * Data as training and evaluation read it. What an epoch gives depends on its number only, also when it is begun in the
 * middle: so a run resumes exactly.
 */
public interface Batches {
    /** Batches per epoch. */
    int count();

    /** Samples per epoch, for progress. */
    long samples();

    /** The batches of {@code epoch} from {@code firstBatch} on. */
    Cursor open(int epoch, int firstBatch);

    /**
     * Gives one batch after the other. Whoever calls {@link #next} owns the batch's tensors and closes them: a source
     * that keeps its tensors hands out views or {@link Tensor#retain retained} handles.
     */
    interface Cursor extends Iterator<TrainingBatch>, AutoCloseable {
        @Override
        default void close() {
            // most have nothing to close
        }
    }

    /** Inputs [N, ...] and targets [N, ...] in memory, in their order; they stay the caller's. */
    static Batches of(Tensor inputs, Tensor targets, int batchSize) {
        return new TensorBatches(inputs, targets, batchSize, false, 0);
    }

    /** Inputs [N, ...] and targets [N, ...] in memory, in an order by seed and epoch; they stay the caller's. */
    static Batches shuffled(Tensor inputs, Tensor targets, int batchSize, long seed) {
        return new TensorBatches(inputs, targets, batchSize, true, seed);
    }

    /** Images [N, H, W, C] with their classes; the loader stays the caller's. */
    static Batches of(DataLoader loader) {
        return new LoaderBatches(loader);
    }
}
