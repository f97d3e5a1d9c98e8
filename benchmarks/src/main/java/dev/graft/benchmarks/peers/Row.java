package dev.graft.benchmarks.peers;

import java.util.List;

/**
 * A line of the table: the peer's time over ours. Times are sums over works, because an engine may offer only the whole of
 * what another offers in parts.
 *
 * @param ours   names of our works
 * @param theirs names of the peer's works
 * @param bar    the ratio that is wanted, {@link #NO_BAR} where none is
 * @param kind   what is compared
 * @param exact  whether fingerprints of the last works of both sides must agree
 */
public record Row(String name, Kind kind, List<String> ours, List<String> theirs, double bar, boolean exact) {
    /** The bar of a row that only shows where things stand. */
    public static final double NO_BAR = 0;

    /** What the numbers are. */
    public enum Kind { TIME, MEMORY, PREDICT }

    public Row {
        ours = List.copyOf(ours);
        theirs = List.copyOf(theirs);
    }

    public boolean hasBar() {
        return bar != NO_BAR;
    }

    static Row same(Work w, double bar) {
        return new Row(w.name(), Kind.TIME, List.of(w.name()), List.of(w.name()), bar, true);
    }
}
