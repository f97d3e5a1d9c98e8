package dev.graft.tensor;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Numbers the random ops of one step. A random op's values are a pure function of seed, step, the op's number within the
 * step and the element's index (Philox), so they do not depend on threads or device, and a training run resumes exactly
 * from its step number.
 */
public final class RandomStream {
    private final long seed;
    private final AtomicLong next;

    private RandomStream(long seed, long next) {
        this.seed = seed;
        this.next = new AtomicLong(next);
    }

    public static RandomStream of(long seed, long step) {
        return new RandomStream(seed, step << 24);
    }

    public long seed() {
        return seed;
    }

    /** The stream of the next random op. */
    public long next() {
        return next.getAndIncrement();
    }

    /** A stream that will repeat what this one gives from here on: for recomputation. */
    public RandomStream fork() {
        return new RandomStream(seed, next.get());
    }
}
