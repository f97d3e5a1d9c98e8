package dev.graft.kernels.memory;

import dev.graft.kernels.driver.Driver;
import java.lang.foreign.MemorySegment;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Page-locked memory through which heap arrays travel: two chunks, so that one is filled while the device reads the other,
 * and the program goes on when the last chunk is filled.
 */
public final class Staging {
    private static final long CHUNK = 8L << 20;

    private final MemorySegment[] chunk = new MemorySegment[2];
    private final CUevent[] done = new CUevent[2];
    private final boolean[] busy = new boolean[2];
    private int next;

    @SuppressWarnings("restricted")   // the driver's own memory has no size that Java knows of
    public Staging() {
        for (int i = 0; i < 2; i++) {
            chunk[i] = MemorySegment.ofAddress(Driver.mallocHost(CHUNK)).reinterpret(CHUNK);
            done[i] = Driver.event(false);
        }
    }

    /** Copies {@code from} to the device in the order of {@code s}; {@code from} may be changed when this returns. */
    public void upload(MemorySegment from, long device, CUstream s) {
        for (long at = 0; at < from.byteSize(); at += CHUNK) {
            long n = Math.min(CHUNK, from.byteSize() - at);
            MemorySegment c = take();
            MemorySegment.copy(from, at, c, 0, n);
            Driver.copyToDevice(device + at, c.address(), n, s);
            Driver.record(done[next], s);
            busy[next] = true;
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
