package dev.graft.tensor;

import java.util.function.LongSupplier;

/**
 * Measures the allocator's live bytes exactly. Tensors that other tests never closed go whenever the garbage collector
 * finds them, which makes live bytes fall in the middle of a measurement; one in which that happened is taken again.
 */
public final class LiveBytes {
    private static final int ATTEMPTS = 50;

    private LiveBytes() {}

    /** What {@code measurement} returned in a run during which the collector found nothing on {@code device}. */
    public static long of(Device device, LongSupplier measurement) {
        for (int i = 0; i < ATTEMPTS; i++) {
            long collected = Memory.report(device).collected();
            long value = measurement.getAsLong();
            if (Memory.report(device).collected() == collected) {
                return value;
            }
        }
        throw new AssertionError("the collector found unclosed tensors in each of " + ATTEMPTS
                + " runs: the measurement itself leaves tensors unclosed");
    }

    /** By how many live bytes the CPU's memory grew in {@code work}. */
    public static long growthIn(Runnable work) {
        return of(Device.CPU, () -> {
            long before = Memory.report().live();
            work.run();
            return Memory.report().live() - before;
        });
    }
}
