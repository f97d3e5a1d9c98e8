package dev.graft.tensor.backend;

/** A point in the order of a device's work: its time is known once the device has come there. */
public interface Mark {
    /** Microseconds from this mark to {@code later}, a mark of the same device; waits until the device has passed both. */
    double microsTo(Mark later);

    /** The CPU's: ops have ended when they return. */
    record Clock(long nanos) implements Mark {
        @Override
        public double microsTo(Mark later) {
            return (((Clock) later).nanos - nanos) / 1e3;
        }
    }
}
