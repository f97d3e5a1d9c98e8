package dev.graft.nn.fake;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.Change;
import java.lang.reflect.Array;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A recorded step as a GPU has it: work on fixed places in memory, some of which is used by several tensors one after the
 * other. Rates are the only thing that a replay may change, and only in the updates that were recorded.
 */
final class FakeGraph implements StepGraph {
    /** One launch; {@code shift} is added to the streams of random numbers. */
    interface Work {
        void launch(long shift);
    }

    /** A call of updateAll whose rates are looked up at every launch. */
    static final class Updates {
        private final List<Place[]> places;
        private List<Change> now;

        Updates(List<Change> changes) {
            places = changes.stream().map(Updates::places).toList();
            now = changes;
        }

        private static Place[] places(Change c) {
            Place[] p = new Place[1 + c.in().length];
            p[0] = Place.of(c.target());
            for (int i = 0; i < c.in().length; i++) {
                p[i + 1] = Place.of(c.in()[i]);
            }
            return p;
        }

        List<Change> now() {
            return now;
        }

        List<Place[]> places() {
            return places;
        }

        void rewrite(List<Change> changes) {
            if (changes.size() != places.size()) {
                throw new GraftException("fake: " + changes.size() + " changes in a replay, " + places.size() + " recorded");
            }
            for (int i = 0; i < changes.size(); i++) {
                if (!List.of(places(changes.get(i))).equals(List.of(places.get(i)))
                        || changes.get(i).update().getClass() != now.get(i).update().getClass()) {
                    throw new GraftException("fake: a replay changes another tensor than was recorded");
                }
            }
            now = changes;
        }
    }

    /** Where a tensor lies. */
    record Place(FakeStorage storage, long offset, dev.graft.tensor.TensorSpec spec) {
        static Place of(Tensor t) {
            return new Place((FakeStorage) t.storage(), t.offset(), t.spec());
        }
    }

    private final FakeBackend backend;
    private final RandomStream first;
    private final List<Work> work = new ArrayList<>();
    private final List<Updates> updates = new ArrayList<>();
    private final Map<String, Deque<Object>> pool = new HashMap<>();
    private int next;
    private boolean closed;

    FakeGraph(FakeBackend backend) {
        this.backend = backend;
        this.first = Context.current().random().fork();
    }

    void add(Work w) {
        work.add(w);
    }

    void add(Updates u) {
        updates.add(u);
    }

    Object take(DType dtype, int count) {
        Deque<Object> free = pool.get(dtype + " " + count);
        return free == null || free.isEmpty() ? FakeStorage.array(dtype, count) : free.pop();
    }

    void give(DType dtype, Object array) {
        pool.computeIfAbsent(dtype + " " + Array.getLength(array), k -> new ArrayDeque<>()).push(array);
    }

    void rewrite(List<Change> changes) {
        if (next == updates.size()) {
            throw new GraftException("fake: a replay makes more updates than were recorded");
        }
        updates.get(next++).rewrite(changes);
    }

    void launch(long shift) {
        work.forEach(w -> w.launch(shift));
    }

    @Override
    public void replay(RandomStream random, Runnable rates) {
        if (closed) {
            throw new GraftException("fake: a closed graph was replayed");
        }
        if (random.seed() != first.seed()) {
            throw new GraftException("fake: another seed");
        }
        next = 0;
        backend.rewriting(this, rates);
        if (next != updates.size()) {
            throw new GraftException("fake: a replay made " + next + " updates of " + updates.size());
        }
        backend.replays++;
        launch(random.fork().next() - first.fork().next());
    }

    @Override
    public int launches() {
        return work.size();
    }

    @Override
    public void close() {
        closed = true;
        backend.openGraphs--;
    }
}
