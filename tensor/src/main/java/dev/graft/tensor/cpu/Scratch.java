package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;
import java.lang.ref.SoftReference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;

/**
 * Working memory of the kernels. Each thread keeps the buffers it returned, so a steady training step allocates nothing
 * and threads never wait for each other; the garbage collector takes them before memory runs out, and {@link #clear} all of
 * them. A buffer may be read and written by pool workers while its owner waits for them.
 */
public final class Scratch implements AutoCloseable {
    /** What a thread keeps at most, in floats (128 MB); larger needs are served and given to the garbage collector. */
    private static final long KEPT_LIMIT = 32L << 20;
    /** More than a layer's forward and backward take: else its largest buffer is the one that is given up in between. */
    private static final int KEPT_BUFFERS = 32;

    private static volatile float[] zeros = new float[1 << 12];

    private static final Set<Kept> ALL = Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));
    private static final ThreadLocal<Kept> FREE = ThreadLocal.withInitial(Kept::new);

    /** A thread's buffers, of which other threads see only that they are gone. */
    private static final class Kept {
        private volatile SoftReference<List<float[]>> buffers = new SoftReference<>(null);

        Kept() {
            ALL.add(this);
        }

        List<float[]> buffers() {
            List<float[]> list = buffers.get();
            if (list == null) {
                list = new ArrayList<>();
                buffers = new SoftReference<>(list);
            }
            return list;
        }
    }

    /** The memory; at least as long as asked for, also from {@link Alignment#FIRST} on, with arbitrary content. */
    final float[] data;

    private Scratch(float[] data) {
        this.data = data;
    }

    /** Takes a buffer of at least {@code wanted} floats; close it in the same thread. */
    static Scratch take(long wanted) {
        long floats = wanted + Alignment.FIRST;
        if (floats > Integer.MAX_VALUE - 64) {
            throw new GraftException("a CPU kernel needs a working buffer of " + wanted
                    + " floats, more than a Java array holds; use a smaller batch");
        }
        List<float[]> free = FREE.get().buffers();
        int best = -1;
        for (int i = 0; i < free.size(); i++) {
            int length = free.get(i).length;
            if (length >= floats && (best < 0 || length < free.get(best).length)) {
                best = i;
            }
        }
        // A buffer that is far too large is left for whoever needs it.
        if (best >= 0 && free.get(best).length <= Math.max(1 << 16, 8 * floats)) {
            return new Scratch(free.remove(best));
        }
        long roomy = Math.max(1024, floats + floats / 8); // fits the next, slightly larger need too
        return new Scratch(new float[(int) (roomy < 1 << 24 ? roomy : floats)]);
    }

    /** Lets the garbage collector have what all threads keep. */
    public static void clear() {
        synchronized (ALL) {
            ALL.forEach(k -> k.buffers = new SoftReference<>(null));
        }
    }

    /** At least {@code floats} zeros, for rows outside an image: an array that all share and nobody writes. */
    static float[] zeros(int floats) {
        float[] z = zeros;
        if (z.length < floats) {
            z = new float[floats];
            zeros = z;
        }
        return z;
    }

    @Override
    public void close() {
        List<float[]> free = FREE.get().buffers();
        free.add(data);
        long kept = 0;
        for (float[] f : free) {
            kept += f.length;
        }
        while (!free.isEmpty() && (kept > KEPT_LIMIT || free.size() > KEPT_BUFFERS)) {
            kept -= free.removeFirst().length; // the one unused for the longest time
        }
    }
}
