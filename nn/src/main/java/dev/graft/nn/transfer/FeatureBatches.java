package dev.graft.nn.transfer;

import dev.graft.nn.data.image.SampleRandom;
import dev.graft.nn.train.Batches;
import dev.graft.nn.train.TrainingBatch;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.cpu.WorkerPool;
import java.util.Arrays;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;

/**
 * Rows of mapped features, for sets that do not fit into the heap as float32, and for several augmented copies of the
 * images: epoch {@code e} reads copy {@code e} modulo their number. The order is that of a data loader with this seed.
 *
 * @param copies  of the same samples
 * @param present the samples that all copies have
 * @param labels  of these
 */
record FeatureBatches(List<Features> copies, int[] present, int[] labels, int batchSize, boolean shuffle, long seed)
        implements Batches {
    /** Values that a thread converts at once. */
    private static final int WORTH_A_THREAD = 1 << 15;

    @Override
    public int count() {
        return (present.length + batchSize - 1) / batchSize;
    }

    @Override
    public long samples() {
        return present.length;
    }

    @Override
    public Cursor open(int epoch, int firstBatch) {
        int n = present.length;
        int[] order = shuffle ? SampleRandom.of(seed, epoch, -1).permutation(n) : IntStream.range(0, n).toArray();
        Features features = copies.get(epoch % copies.size());
        return new Cursor() {
            private int at = firstBatch * batchSize;

            @Override
            public boolean hasNext() {
                return at < n;
            }

            @Override
            public TrainingBatch next() {
                if (!hasNext()) {
                    throw new NoSuchElementException("epoch " + epoch + " has no more batches");
                }
                int[] rows = Arrays.copyOfRange(order, at, Math.min(n, at + batchSize));
                at += rows.length;
                return new TrainingBatch(inputs(features, rows),
                        Tensor.of(Arrays.stream(rows).map(r -> labels[r]).toArray(), rows.length), rows);
            }
        };
    }

    private Tensor inputs(Features features, int[] rows) {
        int length = features.length();
        float[] all = new float[Math.multiplyExact(rows.length, length)];
        WorkerPool.shared().ranges(rows.length, Math.max(1, WORTH_A_THREAD / Math.max(1, length)), (from, to) -> {
            for (int i = from; i < to; i++) {
                features.read(present[rows[i]], all, i * length);
            }
        });
        return Tensor.from(DType.F32, all, Shape.of(rows.length).concat(features.shape()));
    }
}
