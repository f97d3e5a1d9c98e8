package dev.graft.tensor.backend;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.HostStorage;
import dev.graft.tensor.Memory;
import dev.graft.tensor.MemoryReport;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.Update;
import java.util.List;

/** What the CPU backends share: memory and copies. */
public abstract class HostBackend implements Backend {
    @Override
    public Device device() {
        return Device.CPU;
    }

    @Override
    public Storage allocate(DType dtype, long count, String label) {
        return HostStorage.allocate(dtype, count, label);
    }

    @Override
    public void read(Tensor source, Object array) {
        copy(source.host().array(), Math.toIntExact(source.offset()), array, 0, source);
    }

    @Override
    public void write(Object array, int at, Tensor target) {
        copy(array, at, target.host().array(), Math.toIntExact(target.offset()), target);
    }

    @Override
    public void updateAll(List<Change> changes, Tensor scale, double limit) {
        double by = scale == null ? 1 : scale.toDoubles()[0];
        if (!Double.isFinite(by)) {
            return;
        }
        for (Change c : changes) {
            if (by == 1 && limit == Change.NO_LIMIT) {
                update(c.update(), c.target(), c.in());
            } else {
                update(c.update(), c.target(), c.in(), by, limit);
            }
        }
    }

    /** {@link #update} with the gradient, the first of {@code in}, multiplied by {@code scale} and clipped before. */
    protected void update(Update update, Tensor target, Tensor[] in, double scale, double limit) {
        try (Scope scope = Scope.open("update")) {
            Tensor[] clipped = in.clone();
            clipped[0] = Change.clipped(in[0], scale, limit);
            update(update, target, clipped);
        }
    }

    @Override
    public MemoryReport memory() {
        return Memory.report();
    }

    @Override
    public void limit(long bytes) {
        Memory.limit(bytes);
    }

    @Override
    public void trim() {
        Memory.trim();
    }

    @Override
    public void resetPeak() {
        Memory.resetPeak();
    }

    @SuppressWarnings("SuspiciousSystemArraycopy")
    private static void copy(Object from, int at, Object to, int start, Tensor size) {
        System.arraycopy(from, at, to, start, Math.toIntExact(size.size()));
    }
}
