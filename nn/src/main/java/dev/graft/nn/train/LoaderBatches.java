package dev.graft.nn.train;

import dev.graft.nn.data.Batch;
import dev.graft.nn.data.DataLoader;

/** The batches of a {@link DataLoader} as tensors. */
record LoaderBatches(DataLoader loader) implements Batches {
    @Override
    public int count() {
        return loader.batches();
    }

    @Override
    public long samples() {
        return Math.min(loader.data().size(), (long) loader.batches() * loader.options().batchSize());
    }

    @Override
    public Cursor open(int epoch, int firstBatch) {
        DataLoader.Epoch e = loader.epoch(epoch, firstBatch);
        return new Cursor() {
            @Override
            public boolean hasNext() {
                return e.hasNext();
            }

            @Override
            public TrainingBatch next() {
                try (Batch b = e.next()) {
                    return new TrainingBatch(b.images(), b.targets(), b.indices());
                }
            }

            @Override
            public void close() {
                e.close();
            }
        };
    }
}
