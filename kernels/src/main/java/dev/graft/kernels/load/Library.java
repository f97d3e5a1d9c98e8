package dev.graft.kernels.load;

import java.nio.file.Path;

/** One library that was found: its major version (CUDA's for all but the driver, 1, and cuDNN, 8 or 9) and its file. */
public record Library(Component component, int major, Path path) {
    @Override
    public String toString() {
        return component.title() + (component == Component.DRIVER ? "" : " " + major) + " (" + path + ")";
    }
}
