package dev.graft.pretrained;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * What {@link Classifier#warmUp} did.
 *
 * @param first how long the first pass took
 * @param best  how long the fastest one took
 */
public record WarmUp(int passes, Duration first, Duration best) {
    /** It ends when so many passes, and so long, were not a twentieth faster than the fastest before. */
    private static final int SETTLED = 3;
    private static final Duration PATIENCE = Duration.ofMillis(1500);

    /** No pass begins after so long. */
    private static final Duration LONGEST = Duration.ofSeconds(30);

    /** Does {@code pass} until it gets no faster; {@code clock} tells nanoseconds. */
    static WarmUp until(LongSupplier clock, Runnable pass) {
        long start = clock.getAsLong();
        long improved = start;
        long first = 0;
        long best = Long.MAX_VALUE;
        int passes = 0;
        int settled = 0;
        long now = start;
        do {
            long from = clock.getAsLong();
            pass.run();
            now = clock.getAsLong();
            long took = now - from;
            first = passes++ == 0 ? took : first;
            settled++;
            if (took < best - best / 20) {
                settled = 0;
                improved = now;
            }
            best = Math.min(best, took);
        } while (now - start < LONGEST.toNanos() && (settled < SETTLED || now - improved < PATIENCE.toNanos()));
        return new WarmUp(passes, Duration.ofNanos(first), Duration.ofNanos(best));
    }
}
