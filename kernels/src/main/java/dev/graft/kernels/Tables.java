package dev.graft.kernels;

import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.List;

/** Values in device memory that recorded updates read, in the order of recording: a replay writes them anew. */
public final class Tables {
    private final List<Table> tables = new ArrayList<>();
    private final List<Table> fixed = new ArrayList<>();
    private int next;

    /** What one launch reads. */
    public interface Table {
        /** Copies the host's values to the device, in stream order. */
        void upload();

        /** Frees the memory. */
        void close();
    }

    public void add(Table t) {
        tables.add(t);
    }

    /** For an update that every replay repeats as it was, such as that of a running mean. */
    public void addFixed(Table t) {
        fixed.add(t);
    }

    /** The next table of a replay. */
    public Table next() {
        if (next >= tables.size()) {
            throw new GraftException("a captured step's replay makes more updates than the step did: capture it again");
        }
        return tables.get(next++);
    }

    void begin() {
        next = 0;
    }

    /** Checks that all have been written anew, and copies them. */
    void end() {
        if (next != tables.size()) {
            throw new GraftException("a captured step has " + tables.size() + " launches of updates, its replay made " + next
                    + ": capture it again");
        }
        upload();
    }

    /** Copies all, before the first launch. */
    void begun() {
        fixed.forEach(Table::upload);
        upload();
    }

    private void upload() {
        tables.forEach(Table::upload);
    }

    void close() {
        tables.forEach(Table::close);
        tables.clear();
        fixed.forEach(Table::close);
        fixed.clear();
    }
}
