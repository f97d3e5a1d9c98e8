package dev.graft.kernels.driver;

import dev.graft.tensor.GraftException;

/** A call of a CUDA library that failed: its name, the error's name and number, the library's own words. */
public final class CudaException extends GraftException {
    private static final long serialVersionUID = 1L;
    /** CUDA_ERROR_OUT_OF_MEMORY. */
    public static final int OUT_OF_MEMORY = 2;

    private final int code;

    public CudaException(String message, int code) {
        super(message);
        this.code = code;
    }

    /** The library's error number. */
    public int code() {
        return code;
    }

    public boolean outOfMemory() {
        return code == OUT_OF_MEMORY;
    }

    /** Whether the driver will refuse everything from now on: the process has to be started again. */
    public boolean sticky() {
        return switch (code) {
            case 46, 214, 219, 220, 700, 702, 709, 714, 715, 716, 717, 718, 719, 999 -> true;
            default -> false;
        };
    }
}
