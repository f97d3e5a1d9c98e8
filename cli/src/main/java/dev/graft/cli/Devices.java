package dev.graft.cli;

import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backends;
import java.io.PrintWriter;

/** What {@code --device} chooses. */
enum Devices {
    CPU, AUTO, CUDA;

    /** Exit code when the wanted device is not there. */
    static final int NOT_THERE = 3;

    /** The wanted device is not there. */
    static final class NotThere extends GraftException {
        private static final long serialVersionUID = 1L;

        NotThere(String message) {
            super(message);
        }
    }

    /** Says on {@code out} what is used; commands compute on the CPU. */
    void announce(PrintWriter out) {
        switch (this) {
            case CPU -> { }
            case AUTO -> out.println("Device: cpu" + (gpu() == null ? "" : " (" + gpu() + ")"));
            case CUDA -> {
                String problem = gpu();
                if (problem != null) {
                    throw new NotThere(problem + "; 'graft doctor' tells more, and --device cpu works everywhere");
                }
                throw new NotThere("device cuda: this command computes on the CPU only; use --device cpu");
            }
        }
    }

    /** Why there is no GPU, or null when there is one. */
    private static String gpu() {
        try {
            Backends.of(Device.cuda());
            return null;
        } catch (GraftException | LinkageError e) {
            return e.getMessage();
        }
    }
}
