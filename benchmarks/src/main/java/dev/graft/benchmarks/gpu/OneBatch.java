package dev.graft.benchmarks.gpu;

import dev.graft.nn.train.Batches;
import dev.graft.nn.train.TrainingBatch;
import dev.graft.tensor.Tensor;

/** The same batch again and again, where it lies. */
record OneBatch(Tensor input, Tensor target, int count) implements Batches {
    @Override
    public long samples() {
        return (long) count * input.dim(0);
    }

    @Override
    public Cursor open(int epoch, int firstBatch) {
        return new Cursor() {
            private int next = firstBatch;

            @Override
            public boolean hasNext() {
                return next < count;
            }

            @Override
            public TrainingBatch next() {
                next++;
                return new TrainingBatch(input.retain(), target.retain(), new int[input.dim(0)]);
            }
        };
    }
}
