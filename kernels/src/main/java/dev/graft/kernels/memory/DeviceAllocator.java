package dev.graft.kernels.memory;

import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.MemoryReport;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The caching allocator of one device. The driver is asked for segments, which are split into blocks of any size and joined
 * again; a freed block is handed out anew at once, because all that uses it runs on one stream in order. Blocks that another
 * stream writes (uploads) come from a pool of their own with a fence for each. Small and large requests take different
 * segments, so that small ones do not pin large ones down (PyTorch's scheme).
 *
 * <p>With property {@code graft.cuda.caching=false} every block is asked of the driver and given back by itself, which is
 * slow and lets tools that check memory see where each ends.
 *
 * <p>The limit is on what was asked of the driver. Not thread-safe: its device's lock is held by the caller.
 */
public final class DeviceAllocator {
    private static final long GRAIN = 512;
    private static final long SMALL = 1 << 20;
    private static final long SMALL_SEGMENT = 2 << 20;
    private static final long MEDIUM_SEGMENT = 20 << 20;
    private static final long LARGE = 10 << 20;

    /** The driver's part, so that the scheme can be tested by itself. */
    public interface Source {
        /** The address, or 0 when there is no such memory. */
        long allocate(long bytes);

        void free(long address);

        /** Called before memory goes back to the driver: waits until the device has stopped using it. */
        void idle();
    }

    private record Live(String label, long bytes) {}

    private final boolean caching = !"false".equals(System.getProperty("graft.cuda.caching"));
    private final Device device;
    private final Source source;
    private final Pool common = new Pool("common", false);
    private final Pool uploads = new Pool("uploads", true);
    private final List<Pool> all = new ArrayList<>(List.of(common, uploads));
    private final Map<Block, Live> live = new IdentityHashMap<>();
    private Pool current = common;
    private long limit = Long.MAX_VALUE;
    private long reserved;
    private long liveBytes;
    private long peakBytes;
    private long fresh;
    private long collected;

    public DeviceAllocator(Device device, Source source) {
        this.device = device;
        this.source = source;
    }

    /** At least {@code bytes}, aligned to 512 bytes, with any content; none for 0 bytes is null. */
    public Block allocate(long bytes, String label) {
        return allocate(current, bytes, label);
    }

    /** Memory that the upload stream writes. */
    public Block allocateUpload(long bytes, String label) {
        return allocate(current == common ? uploads : current, bytes, label);
    }

    /** Memory that a step being recorded does not use again for anything else: what is copied to it stays. */
    public Block allocateOutside(long bytes, String label) {
        return allocate(common, bytes, label);
    }

    private Block allocate(Pool pool, long bytes, String label) {
        if (bytes == 0) {
            return null;
        }
        long size = caching ? (bytes + GRAIN - 1) / GRAIN * GRAIN : bytes;
        Block b = pool.take(size, caching ? largest(size) : size);
        if (b == null) {
            b = segment(pool, size, bytes, label);
        }
        long rest = b.bytes - size;
        if (caching && rest >= (size <= SMALL ? GRAIN : SMALL)) {
            pool.split(b, size);
        }
        live.put(b, new Live(label, b.bytes));
        liveBytes += b.bytes;
        peakBytes = Math.max(peakBytes, liveBytes);
        return b;
    }

    /** A small request may not take a block out of a large segment. */
    private static long largest(long size) {
        return size <= SMALL ? SMALL_SEGMENT : Long.MAX_VALUE;
    }

    private Block segment(Pool pool, long size, long asked, String label) {
        long bytes = !caching ? size : size <= SMALL ? SMALL_SEGMENT : size < LARGE ? MEDIUM_SEGMENT
                : (size + SMALL_SEGMENT - 1) / SMALL_SEGMENT * SMALL_SEGMENT;
        long address = request(bytes);
        if (address == 0 && bytes > size) {      // what is left may not fill a whole segment
            bytes = size;
            address = request(bytes);
        }
        if (address == 0) {
            trim();
            address = request(bytes);
        }
        if (address == 0) {
            throw new OutOfDeviceMemory("out of memory on " + device + " for " + mib(asked) + " (" + label + "): " + report()
                    + "; a smaller batch, freezing more layers, bf16, Checkpoint.run, or closing other programs"
                    + " that use the GPU would help");
        }
        Block.Segment s = new Block.Segment(pool, address, bytes);
        s.first = new Block(s, address, bytes);
        pool.segments.add(s);
        return s.first;
    }

    private long request(long bytes) {
        if (bytes > limit - reserved) {
            return 0;
        }
        long address = source.allocate(bytes);
        if (address != 0) {
            reserved += bytes;
            fresh++;
        }
        return address;
    }

    public void free(Block b) {
        if (live.remove(b) == null) {
            throw new GraftException("device memory was freed twice");
        }
        liveBytes -= b.bytes;
        Pool pool = b.segment.pool;
        pool.give(b);
        if (pool.closed || !caching && (pool == common || pool == uploads)) {
            release(pool);
        }
    }

    /** For storages that the garbage collector found. */
    public void freeCollected(Block b) {
        collected++;
        free(b);
    }

    /** From now on memory comes from a new pool, until {@link #endPool}. */
    public Pool beginPool(String name) {
        Pool p = new Pool(name, false);
        all.add(p);
        current = p;
        return p;
    }

    public void endPool() {
        current = common;
    }

    /** Gives a pool's memory back, at once or when the last of its blocks is freed. */
    public void close(Pool p) {
        p.closed = true;
        source.idle();
        release(p);
    }

    private void release(Pool p) {
        for (Block.Segment s : p.takeIdle()) {
            source.free(s.address);
            reserved -= s.bytes;
        }
        if (p.segments.isEmpty() && p.closed) {
            all.remove(p);
        }
    }

    /** Gives what is kept for reuse back to the driver. */
    public void trim() {
        source.idle();
        release(common);
        release(uploads);
    }

    public void limit(long bytes) {
        limit = bytes;
    }

    public void resetPeak() {
        peakBytes = liveBytes;
    }

    /** Bytes asked of the driver. */
    public long reserved() {
        return reserved;
    }

    public MemoryReport report() {
        List<MemoryReport.Entry> top = live.values().stream().sorted(Comparator.comparingLong(Live::bytes).reversed())
                .limit(5).map(l -> new MemoryReport.Entry(l.label(), l.bytes())).toList();
        return new MemoryReport(device, limit, liveBytes, peakBytes, reserved - liveBytes, live.size(), fresh, collected,
                top);
    }

    private static String mib(long bytes) {
        return String.format(java.util.Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }
}
