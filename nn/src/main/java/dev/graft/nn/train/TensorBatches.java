package dev.graft.nn.train;

import dev.graft.nn.data.image.SampleRandom;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.Arrays;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;

/** Rows of two tensors. The last batch of an epoch may be smaller. */
record TensorBatches(Tensor inputs, Tensor targets, int batchSize, boolean shuffle, long seed) implements Batches {
    TensorBatches {
        if (inputs.rank() == 0 || targets.rank() == 0 || inputs.dim(0) != targets.dim(0)) {
            throw new GraftException("batches: inputs " + inputs.shape() + " and targets " + targets.shape()
                    + " need the same number of samples on their first axis");
        }
        if (batchSize < 1) {
            throw new GraftException("batches: a batch size of " + batchSize + " is impossible: use 1 or more");
        }
    }

    @Override
    public int count() {
        return (inputs.dim(0) + batchSize - 1) / batchSize;
    }

    @Override
    public long samples() {
        return inputs.dim(0);
    }

    /** The order of an epoch: that of a data loader with this seed, so cached features are met as their images would be. */
    int[] order(int epoch) {
        int n = inputs.dim(0);
        return shuffle ? SampleRandom.of(seed, epoch, -1).permutation(n) : IntStream.range(0, n).toArray();
    }

    @Override
    public Cursor open(int epoch, int firstBatch) {
        int[] order = order(epoch);
        return new Cursor() {
            private int at = firstBatch * batchSize;

            @Override
            public boolean hasNext() {
                return at < order.length;
            }

            @Override
            public TrainingBatch next() {
                if (!hasNext()) {
                    throw new NoSuchElementException("epoch " + epoch + " has no more batches");
                }
                int[] rows = Arrays.copyOfRange(order, at, Math.min(order.length, at + batchSize));
                at += rows.length;
                if (!shuffle) {
                    return new TrainingBatch(inputs.slice(0, rows[0], rows[0] + rows.length),
                            targets.slice(0, rows[0], rows[0] + rows.length), rows);
                }
                Tensor index = Tensor.of(rows, rows.length).to(inputs.device());
                return new TrainingBatch(inputs.take(index), targets.take(index), rows);
            }
        };
    }
}
