package dev.graft.kernels.memory;

import dev.graft.kernels.driver.Driver;
import java.lang.foreign.MemorySegment;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Page-locked memory through which heap arrays travel, on one stream and in one direction: two chunks, so that one is filled
 * while the device reads the other, and the program goes on when the last chunk is filled. Small uploads share a chunk: the
 * program waits only when both chunks are full of what the device has not read yet.
 */
public final class Staging {
    private static final long CHUNK = 8L << 20;
    /** Where the next upload of a chunk may begin. */
    private static final long GRAIN = 256;

    private final MemorySegment[] chunk = new MemorySegment[2];
    private final CUevent[] done = new CUevent[2];
    private final boolean[] busy = new boolean[2];
    private int next;
    /** Bytes of the chunk that uploads have filled; a full one is left. */
    private long filled = CHUNK;

    @SuppressWarnings("restricted")   // the driver's own memory has no size that Java knows of
    public Staging() {
        for (int i = 0; i < 2; i++) {
            chunk[i] = MemorySegment.ofAddress(Driver.mallocHost(CHUNK)).reinterpret(CHUNK);
            done[i] = Driver.event(false);
        }
    }

    /** Copies {@code from} to the device in the order of {@code s}; {@code from} may be changed when this returns. */
    public void upload(MemorySegment from, long device, CUstream s) {
        for (long at = 0, n; at < from.byteSize(); at += n) {
            if (filled == CHUNK) {
                take();
                filled = 0;
            }
            n = Math.min(CHUNK - filled, from.byteSize() - at);
            MemorySegment.copy(from, at, chunk[next], filled, n);
            Driver.copyToDevice(device + at, chunk[next].address() + filled, n, s);
            filled = Math.min(CHUNK, (filled + n + GRAIN - 1) / GRAIN * GRAIN);
            if (filled == CHUNK) {
                Driver.record(done[next], s);
                busy[next] = true;
            }
        }
    }

    /** Copies from the device and waits for it. */
    public void download(long device, MemorySegment to, CUstream s) {
        long size = to.byteSize();
        long[] at = new long[2];
        long[] length = new long[2];
        for (long begin = 0; begin < size || length[0] + length[1] > 0; begin += CHUNK) {
            MemorySegment c = take();                       // also waits for the copy into it, two chunks ago
            if (length[next] > 0) {
                MemorySegment.copy(c, 0, to, at[next], length[next]);
                length[next] = 0;
            }
            if (begin < size) {
                at[next] = begin;
                length[next] = Math.min(CHUNK, size - begin);
                Driver.copyToHost(c.address(), device + begin, length[next], s);
                Driver.record(done[next], s);
                busy[next] = true;
            }
        }
    }

    private MemorySegment take() {
        next = 1 - next;
        if (busy[next]) {
            Driver.synchronize(done[next]);
            busy[next] = false;
        }
        return chunk[next];
    }
}
