package dev.graft.nn.data;

import dev.graft.nn.data.image.BrokenImageException;
import dev.graft.nn.data.image.SampleRandom;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.GraftException;
import java.lang.System.Logger;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Batches of a data set, epoch by epoch, made ahead by worker threads. What it delivers depends only on the data, the
 * transforms, the batch size and the seed: never on the number of workers, on timing, or on whether an epoch is begun in
 * the middle to resume a training.
 *
 * <pre>{@code
 * try (var loader = DataLoader.train(data, Transforms.trainDefault(224), 32, seed)) {
 *     for (int epoch = 0; epoch < epochs; epoch++) {
 *         for (Batch batch : loader.epoch(epoch)) {
 *             try (batch) { ... }
 *         }
 *     }
 * }
 * }</pre>
 *
 * One epoch is open at a time; beginning another ends it. Workers that have had nothing to do for a while end by themselves.
 */
public final class DataLoader implements AutoCloseable {
    private static final Logger LOG = System.getLogger(DataLoader.class.getName());
    private static final long IDLE_SECONDS = 20;

    private final Dataset data;
    private final Transforms transforms;
    private final LoaderOptions options;
    private final SampleReader reader;

    // All below is guarded by the lock.
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Condition ready = lock.newCondition();
    private final Set<Thread> threads = new LinkedHashSet<>();
    private final ArrayDeque<float[]> buffers = new ArrayDeque<>();
    private final Map<Integer, String> skipped = new TreeMap<>();
    private Epoch current;
    private boolean closed;

    public DataLoader(Dataset data, Transforms transforms, LoaderOptions options) {
        if (data.size() == 0) {
            throw new GraftException("DataLoader: the data set " + data + " is empty; there is nothing to load.");
        }
        this.data = data;
        this.transforms = transforms;
        this.options = options;
        reader = new SampleReader(data, transforms, options.seed(), options.cacheBytes());
        if (batches() == 0) {
            throw new GraftException("DataLoader: " + data.size() + " samples do not fill one batch of "
                    + options.batchSize() + " and dropLast is set: choose a smaller batch size or keep the last batch.");
        }
    }

    /** Shuffled batches for training. */
    public static DataLoader train(Dataset data, Transforms transforms, int batchSize, long seed) {
        return new DataLoader(data, transforms, LoaderOptions.train(batchSize, seed));
    }

    /** All samples in their order. */
    public static DataLoader eval(Dataset data, Transforms transforms, int batchSize) {
        return new DataLoader(data, transforms, LoaderOptions.eval(batchSize));
    }

    /** Batches per epoch. */
    public int batches() {
        int n = data.size();
        return options.dropLast() ? n / options.batchSize() : (n - 1) / options.batchSize() + 1;
    }

    public Dataset data() {
        return data;
    }

    public Transforms transforms() {
        return transforms;
    }

    public LoaderOptions options() {
        return options;
    }

    /** The order in which an epoch visits the samples. */
    public int[] order(int epoch) {
        if (options.shuffle()) {
            return SampleRandom.of(options.seed(), epoch, -1).permutation(data.size());
        }
        int[] order = new int[data.size()];
        Arrays.setAll(order, i -> i);
        return order;
    }

    /** Broken images that were left out so far: index and reason. */
    public Map<Integer, String> skipped() {
        lock.lock();
        try {
            return new TreeMap<>(skipped);
        } finally {
            lock.unlock();
        }
    }

    /** Bytes of decoded images that are kept in memory. */
    public long cachedBytes() {
        return reader.cachedBytes();
    }

    /** The batches of an epoch, to be gone through once. */
    public Epoch epoch(int epoch) {
        return epoch(epoch, 0);
    }

    /** The batches of an epoch from {@code firstBatch} on, the very same as without the ones before: for resuming. */
    public Epoch epoch(int epoch, int firstBatch) {
        if (epoch < 0 || firstBatch < 0 || firstBatch > batches()) {
            throw new GraftException("DataLoader: epoch " + epoch + ", batch " + firstBatch
                    + " does not exist; epochs count from 0" + " and have " + batches() + " batches.");
        }
        if ((long) options.batchSize() * reader.floatsPerSample() > Integer.MAX_VALUE - 8) {
            throw new GraftException("DataLoader: a batch of " + options.batchSize() + " samples of "
                    + reader.floatsPerSample() + " floats does not fit into one array: choose a smaller batch size.");
        }
        Epoch next = new Epoch(epoch, firstBatch);
        lock.lock();
        try {
            requireOpen();
            if (current != null) {
                current.ended = true;
                ready.signalAll();
            }
            current = next;
            while (threads.size() < options.workers()) {
                Thread thread = Thread.ofPlatform().daemon().name("graft-data-" + (threads.size() + 1))
                        .unstarted(this::workLoop);
                threads.add(thread);
                thread.start();
            }
            work.signalAll();
        } finally {
            lock.unlock();
        }
        return next;
    }

    /** Ends the open epoch and the threads, and waits for the samples in their hands. */
    @Override
    public void close() {
        Thread[] running;
        lock.lock();
        try {
            closed = true;
            current = null;
            buffers.clear();
            work.signalAll();
            ready.signalAll();
            running = threads.toArray(Thread[]::new);
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        for (Thread thread : running) {
            try {
                thread.join(TimeUnit.SECONDS.toMillis(IDLE_SECONDS)); // not for ever: a file system may hang
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new GraftException("DataLoader is closed: make a new one.");
        }
    }

    private void workLoop() {
        while (true) {
            Chunk chunk = null;
            lock.lock();
            try {
                while (!closed && (current == null || (chunk = current.take(options.prefetch())) == null)) {
                    if (!work.await(IDLE_SECONDS, TimeUnit.SECONDS) && (current == null || current.isIdle())) {
                        threads.remove(Thread.currentThread());
                        return;
                    }
                }
                if (closed) {
                    threads.remove(Thread.currentThread());
                    return;
                }
            } catch (InterruptedException | OutOfMemoryError e) {
                // Nobody interrupts these threads but a caller who wants them gone. Where there is no memory for another
                // batch, the thread that waits for it finds that out as well, and says so.
                threads.remove(Thread.currentThread());
                return;
            } finally {
                lock.unlock();
            }
            run(chunk);
        }
    }

    /** Some samples of one batch: what a thread takes at once. */
    private record Chunk(Pending batch, int from, int to) {
    }

    /** A batch in the making. */
    private static final class Pending {
        final int epoch;
        final int position;
        final int[] indices;
        final boolean[] broken;
        final float[] pixels;
        int taken;
        int finished;
        int failedAt = Integer.MAX_VALUE;
        Throwable failure;

        Pending(int epoch, int position, int[] indices, float[] pixels) {
            this.epoch = epoch;
            this.position = position;
            this.indices = indices;
            this.pixels = pixels;
            broken = new boolean[indices.length];
        }

        boolean isDone() {
            return finished == indices.length;
        }
    }

    private void run(Chunk chunk) {
        Pending batch = chunk.batch();
        int failedAt = Integer.MAX_VALUE;
        Throwable failure = null;
        Map<Integer, String> left = new TreeMap<>();
        int floats = reader.floatsPerSample();
        for (int i = chunk.from(); i < chunk.to() && failure == null; i++) {
            try {
                reader.read(batch.indices[i], batch.epoch, batch.pixels, i * floats);
            } catch (Throwable e) { // also an OutOfMemoryError must reach the caller, not end a worker in silence
                if (e instanceof BrokenImageException && !options.strict()) {
                    batch.broken[i] = true;
                    left.put(batch.indices[i], e.getMessage());
                } else {
                    failedAt = i;
                    failure = e;
                }
            }
        }
        lock.lock();
        try {
            for (var entry : left.entrySet()) {
                if (skipped.put(entry.getKey(), entry.getValue()) == null) {
                    LOG.log(Logger.Level.WARNING, "left out: " + entry.getValue());
                }
            }
            if (failedAt < batch.failedAt) {
                batch.failedAt = failedAt;
                batch.failure = failure;
            }
            batch.finished += chunk.to() - chunk.from();
            if (batch.isDone()) {
                ready.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    private float[] buffer() {
        float[] buffer = buffers.poll();
        return buffer != null ? buffer : new float[options.batchSize() * reader.floatsPerSample()];
    }

    private void recycle(float[] buffer) {
        lock.lock();
        try {
            if (!closed && buffers.size() <= options.prefetch()) {
                buffers.push(buffer);
            }
        } finally {
            lock.unlock();
        }
    }

    /** One pass over the data, or its rest. Leaving early is fine; {@link #close()} then stops the work on it at once. */
    public final class Epoch implements Iterable<Batch>, Iterator<Batch>, AutoCloseable {
        private final int epoch;
        private final int[] order;
        private final ArrayDeque<Pending> pending = new ArrayDeque<>();
        private int nextToMake;
        private int nextToGive;
        private boolean ended;

        private Epoch(int epoch, int firstBatch) {
            this.epoch = epoch;
            order = order(epoch);
            nextToMake = firstBatch;
            nextToGive = firstBatch;
        }

        /** This object: an epoch is gone through once. */
        @Override
        public Iterator<Batch> iterator() {
            return this;
        }

        @Override
        public boolean hasNext() {
            return nextToGive < batches();
        }

        /** The next batch, waiting for it if need be; while it waits the calling thread makes samples too. */
        @Override
        public Batch next() {
            if (!hasNext()) {
                throw new NoSuchElementException("epoch " + epoch + " has no more batches");
            }
            while (true) {
                Chunk chunk;
                lock.lock();
                try {
                    requireOpen();
                    if (ended) {
                        throw new GraftException("Epoch " + epoch + " was ended by close() or by the start of another epoch:"
                                + " go through one epoch of a DataLoader at a time.");
                    }
                    Pending head = pending.peek();
                    if (head != null && head.isDone()) {
                        pending.remove();
                        nextToGive++;
                        work.signalAll();
                        return finish(head);
                    }
                    chunk = head == null || head.taken < head.indices.length ? take(Math.max(1, pending.size())) : null;
                    if (chunk == null) {
                        ready.await();
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new GraftException("The thread was interrupted while it waited for batch " + nextToGive
                            + " of epoch " + epoch + ".", e);
                } finally {
                    lock.unlock();
                }
                if (chunk != null) {
                    run(chunk);
                }
            }
        }

        @Override
        public void close() {
            lock.lock();
            try {
                ended = true;
                ready.signalAll();
            } finally {
                lock.unlock();
            }
        }

        private boolean isIdle() {
            return ended || nextToGive >= batches() || nextToMake >= batches();
        }

        /** The next samples to make, oldest batch first; begins a batch if fewer than {@code limit} are in the making. */
        private Chunk take(int limit) {
            if (ended) {
                return null;
            }
            for (Pending batch : pending) {
                if (batch.taken < batch.indices.length) {
                    return take(batch);
                }
            }
            if (nextToMake >= batches() || pending.size() >= limit) {
                return null;
            }
            int from = nextToMake * options.batchSize();
            int to = (int) Math.min(order.length, (long) from + options.batchSize());
            Pending batch = new Pending(epoch, nextToMake, Arrays.copyOfRange(order, from, to), buffer());
            pending.add(batch);
            nextToMake++;
            return take(batch);
        }

        private static Chunk take(Pending batch) {
            int from = batch.taken;
            // Small enough to share a batch evenly, large enough that the lock does not matter for tiny images.
            int to = Math.min(batch.indices.length, from + Math.clamp(batch.indices.length / 16, 1, 8));
            Chunk chunk = new Chunk(batch, from, to);   // before it counts as taken: there may be no memory for it
            batch.taken = to;
            return chunk;
        }

        private Batch finish(Pending batch) {
            if (batch.failure != null) {
                ended = true;
                throw failure(batch);
            }
            int floats = reader.floatsPerSample();
            int n = 0;
            for (int i = 0; i < batch.indices.length; i++) {
                if (!batch.broken[i]) {
                    if (n < i) {
                        System.arraycopy(batch.pixels, i * floats, batch.pixels, n * floats, floats);
                        batch.indices[n] = batch.indices[i];
                    }
                    n++;
                }
            }
            if (n == 0) {
                ended = true;
                throw new GraftException("All " + batch.indices.length + " images of batch " + batch.position
                        + " are broken; the last: " + skipped.get(batch.indices[batch.indices.length - 1]));
            }
            int[] indices = Arrays.copyOf(batch.indices, n);
            int[] labels = new int[n];
            Arrays.setAll(labels, i -> data.label(indices[i]));
            int[] size = reader.size();
            return new Batch(epoch, batch.position, size[0], size[1], transforms.channels(), batch.pixels, labels, indices,
                    DataLoader.this::recycle);
        }

        private GraftException failure(Pending batch) {
            String name = data.name(batch.indices[batch.failedAt]);
            if (batch.failure instanceof OutOfMemoryError) {
                return new GraftException("Image " + name + " did not fit into the Java heap: give more (-Xmx), or choose a"
                        + " smaller batch, less prefetch or a smaller cache.", batch.failure);
            }
            String message = String.valueOf(batch.failure.getMessage());
            return new GraftException(message.contains(name) ? message
                    : "Image " + name + " cannot be loaded: " + batch.failure, batch.failure);
        }
    }
}
