package dev.graft.tensor.backend;

import dev.graft.tensor.Device;

/** Found by {@link java.util.ServiceLoader}: makes the backends of devices other than the CPU. */
public interface BackendProvider {
    Device.Kind kind();

    /**
     * The backend of {@code device}.
     *
     * @throws dev.graft.tensor.GraftException one sentence that says what is missing and the fix
     */
    Backend open(Device device);

    /**
     * What of this kind of device is on this machine, what is missing or does not fit, and the fix: a sentence or a few
     * lines for a person to read. Never throws.
     */
    default String diagnosis() {
        return "Nothing is known of devices of kind " + kind() + ".";
    }
}
