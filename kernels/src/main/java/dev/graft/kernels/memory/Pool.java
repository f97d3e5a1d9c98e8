package dev.graft.kernels.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;

/**
 * Segments whose blocks are handed out together: the common pool, the pool for uploads, and one for every captured step,
 * whose memory must stay its own between replays.
 */
public final class Pool {
    final String name;
    final List<Block.Segment> segments = new ArrayList<>();
    final TreeSet<Block> free = new TreeSet<>(
            Comparator.comparingLong((Block b) -> b.bytes).thenComparingLong(b -> b.address));
    final boolean uploads;
    boolean closed;

    Pool(String name, boolean uploads) {
        this.name = name;
        this.uploads = uploads;
    }

    long bytes() {
        long sum = 0;
        for (Block.Segment s : segments) {
            sum += s.bytes;
        }
        return sum;
    }

    /** The smallest free block that holds {@code bytes}, if not too much of it would be wasted. */
    Block take(long bytes, long largest) {
        Block probe = new Block(null, Long.MIN_VALUE, bytes);
        Block b = free.ceiling(probe);
        if (b == null || b.bytes > largest) {
            return null;
        }
        free.remove(b);
        b.free = false;
        return b;
    }

    /** Cuts {@code b} to {@code bytes}; the rest becomes free. */
    void split(Block b, long bytes) {
        Block rest = new Block(b.segment, b.address + bytes, b.bytes - bytes);
        rest.before = b;
        rest.after = b.after;
        if (rest.after != null) {
            rest.after.before = rest;
        }
        b.after = rest;
        b.bytes = bytes;
        rest.free = true;
        free.add(rest);
    }

    /** Lists {@code b} as free, joined with free neighbours. */
    void give(Block b) {
        Block all = b;
        if (all.before != null && all.before.free) {
            all = join(all.before, all);
        }
        if (all.after != null && all.after.free) {
            free.remove(all.after);
            all = join(all, all.after);
        }
        all.free = true;
        free.add(all);
    }

    private Block join(Block a, Block b) {
        free.remove(a);
        a.bytes += b.bytes;
        a.after = b.after;
        if (a.after != null) {
            a.after.before = a;
        }
        return a;
    }

    /** Segments of which nothing is in use; they leave the pool. */
    List<Block.Segment> takeIdle() {
        List<Block.Segment> idle = new ArrayList<>();
        for (Block.Segment s : segments) {
            if (s.first.free && s.first.bytes == s.bytes) {
                idle.add(s);
                free.remove(s.first);
            }
        }
        segments.removeAll(idle);
        return idle;
    }
}
