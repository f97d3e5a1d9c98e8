package dev.graft.nn.train;

import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import java.util.NoSuchElementException;

/**
 * The batches of a cursor on a device. The next one can be sent there while the device still works on the one before, so
 * that it does not wait for the host.
 */
final class DeviceBatches implements Batches.Cursor {
    private final Batches.Cursor source;
    private final Device device;
    private TrainingBatch next;
    private long waited;

    /** Closes {@code source} with itself. */
    DeviceBatches(Batches.Cursor source, Device device) {
        this.source = source;
        this.device = device;
    }

    /** Sends the next batch, if there is one, unless that was done. On the CPU there is nothing to gain. */
    void fetch() {
        if (next == null && device.kind() != Device.Kind.CPU && source.hasNext()) {
            next = load();
        }
    }

    /** The next batch, in no scope. */
    private TrainingBatch load() {
        try (Scope scope = Scope.open("batch")) {
            long start = System.nanoTime();
            TrainingBatch b = Dispatcher.waiting(device, source::next);
            waited += System.nanoTime() - start;
            Scope.adopt(b.input());
            Scope.adopt(b.target());
            return new TrainingBatch(b.input().to(device).retain(), b.target().to(device).retain(), b.indices());
        }
    }

    /** Seconds in which batches were not there yet, or were put together by the calling thread. */
    double waited() {
        return waited / 1e9;
    }

    @Override
    public boolean hasNext() {
        return next != null || source.hasNext();
    }

    /** The next batch, its tensors in the open scope. */
    @Override
    public TrainingBatch next() {
        if (!hasNext()) {
            throw new NoSuchElementException("there are no more batches");
        }
        TrainingBatch b = next == null ? load() : next;
        next = null;
        Scope.adopt(b.input());
        Scope.adopt(b.target());
        return b;
    }

    @Override
    public void close() {
        if (next != null) {
            next.input().close();
            next.target().close();
            next = null;
        }
        source.close();
    }
}
