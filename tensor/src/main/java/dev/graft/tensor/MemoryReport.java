package dev.graft.tensor;

import java.util.List;
import java.util.StringJoiner;

/**
 * What a device's allocator holds.
 *
 * @param limit     bytes that may be live and cached together; Long.MAX_VALUE when only the JVM's heap limits
 * @param live      bytes of tensors not closed yet
 * @param peak      most live bytes since the start or {@link Memory#resetPeak}
 * @param cached    bytes kept for reuse
 * @param tensors   number of live storages
 * @param fresh     arrays allocated anew since the start: constant in a steady training step
 * @param collected storages that the garbage collector found unclosed
 * @param packed    bytes of packed copies of frozen weights on the CPU, bounded by their own limit: see
 *                  {@link dev.graft.tensor.cpu.PackedCache}
 * @param largest   the five largest live storages
 */
public record MemoryReport(Device device, long limit, long live, long peak, long cached, long tensors, long fresh,
                           long collected, long packed, List<Entry> largest) {
    /** Of a device that keeps no packed weights. */
    public MemoryReport(Device device, long limit, long live, long peak, long cached, long tensors, long fresh,
            long collected, List<Entry> largest) {
        this(device, limit, live, peak, cached, tensors, fresh, collected, 0, largest);
    }

    /** One live storage: the op and module path that made it, and its bytes. */
    public record Entry(String label, long bytes) {}

    @Override
    public String toString() {
        StringJoiner top = new StringJoiner(", ");
        for (Entry e : largest) {
            top.add(e.label() + " " + mib(e.bytes()));
        }
        return "limit " + (limit == Long.MAX_VALUE ? "none" : mib(limit)) + ", live " + mib(live) + " in " + tensors
                + " tensors, peak " + mib(peak) + ", cached " + mib(cached)
                + (packed > 0 ? ", packed weights " + mib(packed) : "") + ", largest: " + top;
    }

    private static String mib(long bytes) {
        return String.format(java.util.Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }
}
