package dev.graft.tensor.cpu;

import dev.graft.tensor.HostStorage;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * Packed and transformed weights, kept while the weights stay as they are. They hang on the weights' storage, one entry per
 * form, and are valid for one {@link dev.graft.tensor.Storage#version}. An entry is filled when its version is used for the
 * second time, so weights that change with every step never enter; one whose filling did not pay (weights used twice per
 * step, as under gradient checkpointing) has to be used more often the next time.
 *
 * <p>A storage that is freed or collected takes its entries along, and the garbage collector may have them when the heap is
 * full. Beyond the limit (property {@code graft.cpu.packed} in bytes, an eighth of the heap by default, 0 for none) the
 * entry unused for the longest time goes, but none that was used since the newcomer was first asked for: a network larger
 * than the limit keeps a part of itself packed and does not push itself out in circles.
 *
 * <p>Any number of threads may ask; one of them packs while the others help themselves, and a hit takes no lock.
 */
public final class PackedCache {
    private static final int MOST_FORMS = 64;   // per storage; more are packed by their users
    private static final int MOST_USES = 64;
    private static final Object LOCK = new Object();
    private static final List<WeakReference<Entry>> KEPT = new ArrayList<>();

    private static volatile long limit = Long.getLong("graft.cpu.packed", Runtime.getRuntime().maxMemory() / 8);

    private PackedCache() {}

    /** Bytes that are kept now. */
    public static long bytes() {
        synchronized (LOCK) {
            return sweep();
        }
    }

    /** Forgets everything; weights that are still in use come back after their second use. */
    public static void clear() {
        synchronized (LOCK) {
            KEPT.forEach(r -> {
                Entry e = r.get();
                if (e != null) {
                    e.drop();
                }
            });
            KEPT.clear();
        }
    }

    /** Sets the limit for what comes from now on; returns the one before. */
    static long limit(long bytes) {
        synchronized (LOCK) {
            long before = limit;
            limit = bytes;
            return before;
        }
    }

    /**
     * What {@code pack} makes of the present values of {@code s}, or null when it is not kept and the caller has to pack for
     * itself.
     *
     * @param key what is made, by value: where the weights lie in {@code s}, their sizes, and the form
     * @param floats length of the result
     */
    static float[] get(HostStorage s, Object key, long floats, Consumer<float[]> pack) {
        if (4 * floats > limit || floats > Integer.MAX_VALUE - 64) {
            return null;
        }
        Forms forms = (Forms) s.derived();
        int version = s.version();
        if (forms != null) {
            Entry e = forms.entries.get(key);
            float[] data = e == null || e.version != version ? null : e.data();
            if (data != null) {
                e.hit();
                return data;
            }
        } else {
            forms = (Forms) s.derive(Forms::new);
        }
        Entry mine = forms.use(key, version, floats);
        return mine == null ? null : mine.fill(s, pack);
    }

    /** Makes room and books the entry's bytes; false when there is no room. */
    private static boolean book(Entry e) {
        synchronized (LOCK) {
            long kept = sweep();
            while (kept + e.bytes > limit) {
                Entry oldest = oldest();
                if (oldest == null || oldest.used - e.first > 0) {
                    return false;
                }
                kept -= oldest.bytes;
                forget(oldest);
            }
            KEPT.add(new WeakReference<>(e));
            return true;
        }
    }

    private static void forget(Entry e) {
        synchronized (LOCK) {
            e.drop();
            KEPT.removeIf(r -> r.refersTo(e));
        }
    }

    /** Removes what went with its storage or was taken by the garbage collector; returns the bytes that remain. */
    private static long sweep() {
        KEPT.removeIf(r -> {
            Entry e = r.get();
            return e == null || !e.filling && e.data() == null;
        });
        long bytes = 0;
        for (WeakReference<Entry> r : KEPT) {
            Entry e = r.get();
            bytes += e == null ? 0 : e.bytes;
        }
        return bytes;
    }

    private static Entry oldest() {
        Entry oldest = null;
        for (WeakReference<Entry> r : KEPT) {
            Entry e = r.get();
            if (e != null && !e.filling && (oldest == null || e.used - oldest.used < 0)) {
                oldest = e;
            }
        }
        return oldest;
    }

    /** All forms of one storage. */
    private static final class Forms implements HostStorage.Derived {
        private final ConcurrentHashMap<Object, Entry> entries = new ConcurrentHashMap<>();
        private boolean freed;

        /** Counts a use that found nothing; the entry if the caller is to fill it. */
        synchronized Entry use(Object key, int version, long floats) {
            Entry e = entries.get(key);
            if (e == null || e.version != version || e.lost()) {
                if (freed || e == null && entries.size() >= MOST_FORMS) {
                    return null;
                }
                for (Entry o : entries.values()) {
                    if (o.version != version && o.holds()) {
                        forget(o);
                    }
                }
                e = new Entry(version, 4 * floats, e == null ? 2 : e.needNext());
                entries.put(key, e);
            }
            return e.claim() ? e : null;
        }

        @Override
        public synchronized void freed() {
            freed = true;
            for (Entry e : entries.values()) {
                if (e.holds()) {
                    forget(e);
                }
            }
            entries.clear();
        }
    }

    /** One form of one version. Uses are counted under the lock of its {@link Forms}, hits without any. */
    private static final class Entry {
        private final int version;
        private final long bytes;
        private final int need;
        private long first;
        private int uses;
        private int hits;
        private volatile long used;
        private volatile boolean filling;
        private volatile boolean filled;
        private volatile SoftReference<float[]> data;

        Entry(int version, long bytes, int need) {
            this.version = version;
            this.bytes = bytes;
            this.need = need;
        }

        float[] data() {
            SoftReference<float[]> d = data;
            return d == null ? null : d.get();
        }

        void hit() {
            hits++;
            used = System.nanoTime();
        }

        boolean holds() {
            return filling || data != null;
        }

        /** Whether it was filled and has nothing any more. */
        boolean lost() {
            return filled && !filling && data() == null;
        }

        /** What the next version needs: twice as many uses if this one was packed and hardly read. */
        int needNext() {
            return !filled ? need : hits < need ? Math.min(MOST_USES, 2 * need) : 2;
        }

        /** Counts one more use; true if there have been enough and there is room for it. */
        boolean claim() {
            if (filling || filled) {
                return false;
            }
            if (uses++ == 0) {
                first = System.nanoTime();
            }
            if (uses < need) {
                return false;
            }
            used = System.nanoTime();
            filling = true;
            if (!book(this)) {
                filling = false;
                uses = 0;
                return false;
            }
            return true;
        }

        /** Packs into memory of its own, outside of all locks; null when the heap has none. */
        float[] fill(HostStorage s, Consumer<float[]> pack) {
            float[] whole = null;
            try {
                float[] made = allocate((int) (bytes / 4));
                if (made != null) {
                    pack.accept(made);
                }
                whole = made;
                return made;
            } finally {
                publish(whole, s.version());    // nothing if packing failed
            }
        }

        private void publish(float[] made, int now) {
            synchronized (LOCK) {
                filled = true;
                // written to or freed meanwhile, or forgotten: whoever asked has it, nobody else shall
                if (filling && made != null && now == version) {
                    data = new SoftReference<>(made);
                }
                filling = false;
            }
        }

        private static float[] allocate(int length) {
            try {
                return new float[length];
            } catch (OutOfMemoryError e) {
                return null;
            }
        }

        void drop() {
            synchronized (LOCK) {
                data = null;
                filling = false;
            }
        }
    }
}
