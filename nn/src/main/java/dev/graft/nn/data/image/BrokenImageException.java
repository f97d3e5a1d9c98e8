package dev.graft.nn.data.image;

import dev.graft.tensor.GraftException;

/** The bytes of one image cannot be decoded: the file is broken, not the machine, so a loader may go on without it. */
public final class BrokenImageException extends GraftException {
    private static final long serialVersionUID = 1L;

    BrokenImageException(String message) {
        super(message);
    }

    BrokenImageException(String message, Throwable cause) {
        super(message, cause);
    }
}
