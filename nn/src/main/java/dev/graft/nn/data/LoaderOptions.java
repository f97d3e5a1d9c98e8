package dev.graft.nn.data;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.cpu.WorkerPool;

/**
 * How a {@link DataLoader} works. Only the first four decide about what it delivers; the others about how fast.
 *
 * @param batchSize samples per batch
 * @param shuffle whether each epoch has an order of its own, from the seed
 * @param dropLast whether a last batch with fewer samples is left out
 * @param seed of the order and of all augmentation
 * @param workers threads that decode and augment, {@link #defaultWorkers} unless said otherwise; with 0 the caller's thread
 *                does it
 * @param prefetch batches that are made ahead of the one in use
 * @param cacheBytes memory for decoded 8-bit images, kept from epoch to epoch; 0 keeps none
 * @param strict whether a broken image is an error; otherwise its batch comes without it
 */
public record LoaderOptions(int batchSize, boolean shuffle, boolean dropLast, long seed, int workers, int prefetch,
        long cacheBytes, boolean strict) {
    private static final int MOST_BY_DEFAULT = 8;

    public LoaderOptions {
        if (batchSize < 1 || workers < 0 || workers > 256 || prefetch < 1 || prefetch > 1024 || cacheBytes < 0) {
            throw new GraftException("A DataLoader needs a batch size of at least 1, 0 to 256 workers, 1 to 1024 batches of"
                    + " prefetch and no negative cache, but batchSize " + batchSize + ", workers " + workers + ", prefetch "
                    + prefetch + ", cacheBytes " + cacheBytes + " were given.");
        }
    }

    /** Shuffled by the seed; the last, smaller batch is kept. */
    public static LoaderOptions train(int batchSize, long seed) {
        return new LoaderOptions(batchSize, true, false, seed, defaultWorkers(), 2, defaultCache(), false);
    }

    /** In the data set's order, complete. */
    public static LoaderOptions eval(int batchSize) {
        return new LoaderOptions(batchSize, false, false, 0, defaultWorkers(), 2, defaultCache(), false);
    }

    private static long defaultCache() {
        return Runtime.getRuntime().maxMemory() / 8;
    }

    /**
     * Half as many as there are threads that compute ({@link WorkerPool#setThreads}, property {@code graft.threads}) when
     * this is called, at least 1 and at most 8. They compete with those for the cores only while images are being made: a
     * thread of the pool that has to wait gives its core away, and so does a worker whose batches are all made.
     */
    public static int defaultWorkers() {
        return Math.clamp(WorkerPool.shared().threads() / 2, 1, MOST_BY_DEFAULT);
    }

    public LoaderOptions withWorkers(int n) {
        return new LoaderOptions(batchSize, shuffle, dropLast, seed, n, prefetch, cacheBytes, strict);
    }

    public LoaderOptions withPrefetch(int batches) {
        return new LoaderOptions(batchSize, shuffle, dropLast, seed, workers, batches, cacheBytes, strict);
    }

    public LoaderOptions withCacheBytes(long bytes) {
        return new LoaderOptions(batchSize, shuffle, dropLast, seed, workers, prefetch, bytes, strict);
    }

    public LoaderOptions withDropLast(boolean drop) {
        return new LoaderOptions(batchSize, shuffle, drop, seed, workers, prefetch, cacheBytes, strict);
    }

    /** One broken image stops the epoch with an error that names it. */
    public LoaderOptions failOnBroken() {
        return new LoaderOptions(batchSize, shuffle, dropLast, seed, workers, prefetch, cacheBytes, true);
    }
}
