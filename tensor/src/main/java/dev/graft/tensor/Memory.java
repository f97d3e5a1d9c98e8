package dev.graft.tensor;

/** The CPU allocator as its user sees it: the report, the limit, the cache. */
public final class Memory {
    private Memory() {}

    public static MemoryReport report() {
        return HostAllocator.report();
    }

    /** Gives all cached arrays to the garbage collector. */
    public static void trim() {
        HostAllocator.trim();
    }

    /** Live and cached bytes may not exceed {@code bytes}; property {@code graft.memory.limit} sets it at start. */
    public static void limit(long bytes) {
        HostAllocator.limit(bytes);
    }

    public static void resetPeak() {
        HostAllocator.resetPeak();
    }
}
