package dev.graft.tensor;

import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.cpu.PackedCache;
import dev.graft.tensor.cpu.Scratch;

/** The allocators as their users see them: the report, the limit, the cache. Without a device the CPU's is meant. */
public final class Memory {
    private Memory() {}

    public static MemoryReport report() {
        return HostAllocator.report();
    }

    /** Gives all cached arrays, packed weights and the kernels' working memory to the garbage collector. */
    public static void trim() {
        PackedCache.clear();
        Scratch.clear();
        HostAllocator.trim();
    }

    /** Live and cached bytes may not exceed {@code bytes}; property {@code graft.memory.limit} sets it at start. */
    public static void limit(long bytes) {
        HostAllocator.limit(bytes);
    }

    public static void resetPeak() {
        HostAllocator.resetPeak();
    }

    public static MemoryReport report(Device device) {
        return Backends.of(device).memory();
    }

    public static void trim(Device device) {
        Backends.of(device).trim();
    }

    public static void limit(Device device, long bytes) {
        Backends.of(device).limit(bytes);
    }

    public static void resetPeak(Device device) {
        Backends.of(device).resetPeak();
    }
}
