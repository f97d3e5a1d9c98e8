package dev.graft.nn.fake;

import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.BackendProvider;

/** Two devices of kind CUDA for tests, whose memory is host arrays behind a door of its own; the others are not there. */
public final class FakeProvider implements BackendProvider {
    private static final int DEVICES = 2;

    @Override
    public Device.Kind kind() {
        return Device.Kind.CUDA;
    }

    @Override
    public Backend open(Device device) {
        if (device.index() >= DEVICES) {
            throw new GraftException("device " + device + " is not there: this machine has " + DEVICES + " of them");
        }
        return new FakeBackend(device);
    }
}
