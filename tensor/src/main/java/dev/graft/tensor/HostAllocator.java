package dev.graft.tensor;

import dev.graft.tensor.cpu.Alignment;
import dev.graft.tensor.cpu.PackedCache;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.reflect.Array;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * The CPU's caching allocator. Arrays whose tensors were closed are kept by dtype and size class and handed out again, so
 * a steady training step allocates nothing new and nothing is zeroed twice. Tensors that were never closed are left to
 * the garbage collector; the books are put right when it has found them. The limit is counted by us: live bytes plus
 * cached bytes never exceed it, but for arrays that a caller brought.
 */
final class HostAllocator {
    private static final long SMALL = 64;
    private static final int LARGE = 1 << 16;
    private static final Object LOCK = new Object();
    private static final Map<DType, NavigableMap<Integer, ArrayDeque<Object>>> CACHE = new HashMap<>();
    private static final ReferenceQueue<HostStorage> COLLECTED = new ReferenceQueue<>();
    private static final Live HEAD = new Live();

    private static long limit = Long.getLong("graft.memory.limit", Long.MAX_VALUE);
    private static long liveBytes;
    private static long peakBytes;
    private static long cachedBytes;
    private static long reservedBytes;   // granted to allocations that are under way
    private static long liveCount;
    private static long fresh;
    private static long collected;

    private HostAllocator() {}

    /** A live storage in the allocator's list: what the out-of-memory report prints. */
    static final class Live extends PhantomReference<HostStorage> {
        private final long bytes;
        private final String label;
        private final boolean own;
        private Live previous = this;
        private Live next = this;
        private boolean done;

        private Live() {
            super(null, null);
            this.bytes = 0;
            this.label = "";
            this.own = false;
        }

        private Live(HostStorage s, long bytes, String label, boolean own) {
            super(s, COLLECTED);
            this.bytes = bytes;
            this.label = label;
            this.own = own;
        }
    }

    static HostStorage allocate(DType dtype, long count, String label) {
        if (count > Integer.MAX_VALUE - 64) {
            throw new GraftException("a tensor of " + count + " elements is too large for the CPU, which holds at most "
                    + (Integer.MAX_VALUE - 64) + " per tensor (" + label + "): use smaller batches or a CUDA device");
        }
        int capacity = sizeClass(count) + first(dtype);
        long bytes = (long) capacity * dtype.bytes();
        Object array;
        boolean granted;
        synchronized (LOCK) {
            sweep();
            array = cached(dtype, capacity);
            if (array != null) {
                long taken = (long) Array.getLength(array) * dtype.bytes();
                cachedBytes -= taken;
                reservedBytes += taken;
            }
            granted = array != null || reserve(bytes);
        }
        if (!granted) {
            collectUnclosed(bytes);
            synchronized (LOCK) {
                sweep();
                if (!reserve(bytes)) {
                    throw outOfMemory(dtype, count, label, null);
                }
            }
        }
        if (array == null) {
            array = newArray(dtype, count, capacity, label);
        }
        return new HostStorage(dtype, count, array, label, true);
    }

    /** A free array of the size class, or the next one that is at most a quarter larger, where classes are narrow. */
    private static Object cached(DType dtype, int capacity) {
        NavigableMap<Integer, ArrayDeque<Object>> all = CACHE.get(dtype);
        if (all == null) {
            return null;
        }
        long most = capacity <= LARGE ? capacity : capacity + capacity / 4L;
        for (Map.Entry<Integer, ArrayDeque<Object>> e : all.tailMap(capacity, true).entrySet()) {
            if (e.getKey() > most) {
                return null;
            }
            Object array = e.getValue().pollLast();
            if (array != null) {
                return array;
            }
        }
        return null;
    }

    /** Books {@code bytes} for a new array if the limit allows, giving up the cache if need be. */
    private static boolean reserve(long bytes) {
        if (bytes > limit - liveBytes - reservedBytes - cachedBytes) {
            dropCache();
        }
        if (bytes > limit - liveBytes - reservedBytes) {
            return false;
        }
        reservedBytes += bytes;
        fresh++;
        return true;
    }

    /** Lets the garbage collector find tensors that were never closed: the last resort before an error. */
    private static void collectUnclosed(long bytes) {
        System.gc();
        try {
            Reference<?> found = COLLECTED.remove(100);   // the queue is filled shortly after the collection
            while (found != null) {
                synchronized (LOCK) {
                    collected += unlink((Live) found) ? 1 : 0;
                    if (bytes <= limit - liveBytes - reservedBytes) {
                        return;
                    }
                }
                found = COLLECTED.remove(100);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Object newArray(DType dtype, long count, int capacity, String label) {
        try {
            return Array.newInstance(carrier(dtype), capacity);
        } catch (OutOfMemoryError first) {
            synchronized (LOCK) {
                dropCache();
            }
            try {
                return Array.newInstance(carrier(dtype), capacity);
            } catch (OutOfMemoryError second) {
                synchronized (LOCK) {
                    reservedBytes -= (long) capacity * dtype.bytes();
                    throw outOfMemory(dtype, count, label, second);
                }
            }
        }
    }

    /** Wraps an array of the caller's own; it is counted, and never recycled: the caller may still read it. */
    static HostStorage wrap(DType dtype, Object array, String label) {
        return new HostStorage(dtype, Array.getLength(array), array, label, false);
    }

    static Live track(HostStorage s, String label, boolean own) {
        Live node = new Live(s, (long) Array.getLength(s.array()) * s.dtype().bytes(), label, own);
        synchronized (LOCK) {
            if (own) {
                reservedBytes -= node.bytes;
            }
            node.next = HEAD.next;
            node.previous = HEAD;
            HEAD.next.previous = node;
            HEAD.next = node;
            liveBytes += node.bytes;
            liveCount++;
            peakBytes = Math.max(peakBytes, liveBytes);
        }
        return node;
    }

    static void release(Live node, DType dtype, Object array) {
        synchronized (LOCK) {
            if (!unlink(node)) {
                return;
            }
            int capacity = Array.getLength(array);
            if (node.own && capacity > 0 && node.bytes <= limit - liveBytes - reservedBytes - cachedBytes) {
                CACHE.computeIfAbsent(dtype, d -> new TreeMap<>())
                        .computeIfAbsent(capacity, c -> new ArrayDeque<>()).addLast(array);
                cachedBytes += node.bytes;
            }
        }
        node.clear();
    }

    private static boolean unlink(Live node) {
        if (node.done) {
            return false;
        }
        node.done = true;
        node.previous.next = node.next;
        node.next.previous = node.previous;
        liveBytes -= node.bytes;
        liveCount--;
        return true;
    }

    private static void sweep() {
        for (Reference<?> r = COLLECTED.poll(); r != null; r = COLLECTED.poll()) {
            if (unlink((Live) r)) {
                collected++;
            }
        }
    }

    private static void dropCache() {
        CACHE.clear();
        cachedBytes = 0;
    }

    static void trim() {
        synchronized (LOCK) {
            dropCache();
        }
    }

    static void limit(long bytes) {
        synchronized (LOCK) {
            limit = bytes;
        }
    }

    static MemoryReport report() {
        synchronized (LOCK) {
            sweep();
            List<MemoryReport.Entry> entries = new ArrayList<>();
            for (Live l = HEAD.next; l != HEAD; l = l.next) {
                entries.add(new MemoryReport.Entry(l.label, l.bytes));
            }
            entries.sort(Comparator.comparingLong(MemoryReport.Entry::bytes).reversed());
            return new MemoryReport(Device.CPU, limit, liveBytes, peakBytes, cachedBytes, liveCount, fresh, collected,
                    PackedCache.bytes(), List.copyOf(entries.subList(0, Math.min(5, entries.size()))));
        }
    }

    static void resetPeak() {
        synchronized (LOCK) {
            peakBytes = liveBytes;
        }
    }

    private static GraftException outOfMemory(DType dtype, long count, String label, OutOfMemoryError cause) {
        return new GraftException("out of memory on cpu for " + count + " x " + dtype + " ("
                + count * dtype.bytes() / (1 << 20) + " MiB, " + label + "): " + report()
                + "; a smaller batch, freezing more layers, Checkpoint.run, or a larger -Xmx or"
                + " graft.memory.limit would help", cause);
    }

    /**
     * Four classes per doubling: at most a quarter of an array is unused. Of large arrays 16, so that those of the sizes
     * that networks have, small multiples of powers of two, lose nothing.
     */
    static int sizeClass(long count) {
        if (count <= SMALL) {
            return count == 0 ? 0 : (int) SMALL;
        }
        long step = Math.max(16, Long.highestOneBit(count - 1) >> (count <= LARGE ? 2 : 4));
        return (int) Math.min(Integer.MAX_VALUE - 64, (count + step - 1) / step * step);
    }

    /** Elements that are left out at the beginning of an array of ours. */
    static int first(DType dtype) {
        return dtype == DType.F32 ? Alignment.FIRST : 0;
    }

    static Class<?> carrier(DType dtype) {
        return switch (dtype) {
            case F32 -> float.class;
            case F64 -> double.class;
            case F16, BF16, I16 -> short.class;
            case I32 -> int.class;
            case I64 -> long.class;
            case I8, U8, BOOL -> byte.class;
        };
    }
}
