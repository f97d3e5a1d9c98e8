package dev.graft.tensor.backend;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.HostStorage;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;

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
    public void write(Object array, Tensor target) {
        copy(array, 0, target.host().array(), Math.toIntExact(target.offset()), target);
    }

    @SuppressWarnings("SuspiciousSystemArraycopy")
    private static void copy(Object from, int at, Object to, int start, Tensor size) {
        System.arraycopy(from, at, to, start, Math.toIntExact(size.size()));
    }
}
