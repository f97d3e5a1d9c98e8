package dev.graft.kernels.memory;

import dev.graft.tensor.GraftException;

/** The device has no such memory, also after all that was kept for reuse was given back. */
public final class OutOfDeviceMemory extends GraftException {
    private static final long serialVersionUID = 1L;

    OutOfDeviceMemory(String message) {
        super(message);
    }
}
