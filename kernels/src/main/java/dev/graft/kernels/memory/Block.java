package dev.graft.kernels.memory;

/** A piece of a segment: in use, or free and listed in its pool. Neighbours of one segment are linked. */
public final class Block {
    final Segment segment;
    final long address;
    long bytes;
    boolean free;
    Block before;
    Block after;

    Block(Segment segment, long address, long bytes) {
        this.segment = segment;
        this.address = address;
        this.bytes = bytes;
    }

    public long address() {
        return address;
    }

    public long bytes() {
        return bytes;
    }

    /** Whether the upload stream writes this memory. */
    public boolean forUploads() {
        return segment.pool.uploads;
    }

    /** What the driver gave out at once. */
    static final class Segment {
        final Pool pool;
        final long address;
        final long bytes;
        Block first;

        Segment(Pool pool, long address, long bytes) {
            this.pool = pool;
            this.address = address;
            this.bytes = bytes;
        }
    }
}
