package dev.graft.tensor;

/**
 * What Graft throws when a caller can do something about it: one sentence that names the op or file, what was found,
 * what was expected and the fix.
 */
public class GraftException extends RuntimeException {
    public GraftException(String message) {
        super(message);
    }

    public GraftException(String message, Throwable cause) {
        super(message, cause);
    }
}
