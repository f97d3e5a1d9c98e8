package dev.graft.kernels;

import dev.graft.tensor.GraftException;

/** A step does something that a recorded graph cannot repeat. */
final class NotCapturable extends GraftException {
    private static final long serialVersionUID = 1L;

    NotCapturable(String what) {
        super("a step cannot be captured: " + what + ": it runs op by op");
    }
}
