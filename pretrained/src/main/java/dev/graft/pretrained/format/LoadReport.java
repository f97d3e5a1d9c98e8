package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What loading a weight file does to a model, as a value; {@link #toString} prints it as a table.
 *
 * @param prefix  what stands before every name in the file, such as {@code state_dict.module.}
 * @param kept    counters of batches that files from before PyTorch 0.4.1 lack; they keep their values, as in PyTorch
 * @param outside tensors of the file that do not begin with {@code prefix}, such as an optimizer's state
 */
public record LoadReport(Path file, String format, String prefix, List<Loaded> loaded, List<Missing> missing,
                         List<Unused> unused, List<Mismatch> mismatched, List<Cast> casts, List<String> kept,
                         List<String> outside) {
    /** How the counter of a batch normalisation is called. */
    static final String COUNTER = "num_batches_tracked";
    private static final int MAX_ROWS = 20;

    public LoadReport {
        loaded = List.copyOf(loaded);
        missing = List.copyOf(missing);
        unused = List.copyOf(unused);
        mismatched = List.copyOf(mismatched);
        casts = List.copyOf(casts);
        kept = List.copyOf(kept);
        outside = List.copyOf(outside);
    }

    /** A target that gets its values; {@code shape} is the target's. */
    public record Loaded(String target, String source, Shape shape, Transform transform) {
    }

    /** A target for which the file has nothing; {@code nearest} are unused names like it. */
    public record Missing(String target, Shape shape, List<String> nearest) {
    }

    /** A stored tensor that no target asks for; {@code nearest} are missing targets like it. */
    public record Unused(String source, Shape shape, List<String> nearest) {
    }

    /**
     * A name that fits while the values do not.
     *
     * @param found    the stored shape, in the target's layout
     * @param expected the target's shape
     * @param reason   what differs, in words
     */
    public record Mismatch(String target, String source, Shape found, Shape expected, String reason) {
    }

    /** A target whose values change their type on the way. */
    public record Cast(String target, DType from, DType to) {
    }

    /** Whether every target gets its values. */
    public boolean complete() {
        return missing.isEmpty() && mismatched.isEmpty();
    }

    /** The counts in one line. */
    public String summary() {
        int targets = loaded.size() + missing.size() + mismatched.size() + kept.size();
        return file.getFileName() + " (" + format + (prefix.isEmpty() ? "" : ", names under '" + prefix + "'") + "): "
                + loaded.size() + " of " + targets + " loaded, " + missing.size() + " missing, " + mismatched.size()
                + " mismatched, " + unused.size() + " unused"
                + (kept.isEmpty() ? "" : ", " + kept.size() + " kept")
                + (casts.isEmpty() ? "" : ", " + casts.size() + " cast")
                + (outside.isEmpty() ? "" : ", " + outside.size() + " outside");
    }

    /** The summary, then one row for each target or tensor that is not simply loaded. */
    @Override
    public String toString() {
        List<String[]> rows = new ArrayList<>();
        add(rows, "missing", missing, m -> new String[] {m.target, m.shape + nearest(m.nearest)});
        add(rows, "mismatched", mismatched, m -> new String[] {m.target, m.reason});
        List<Unused> named = unused.stream().filter(u -> !u.source.endsWith(COUNTER)).toList();
        add(rows, "unused", named, u -> new String[] {u.source, u.shape + nearest(u.nearest)});
        if (named.size() < unused.size()) {
            rows.add(new String[] {"unused", "*." + COUNTER,
                    unused.size() - named.size() + " counters of batch normalisations"});
        }
        if (!kept.isEmpty()) {
            rows.add(new String[] {"kept", "*." + COUNTER, kept.size() + " counters that the file does not have"});
        }
        add(rows, "cast", casts, c -> new String[] {c.target, c.from + " to " + c.to});
        add(rows, "outside", outside, o -> new String[] {o, ""});
        int kind = rows.stream().mapToInt(r -> r[0].length()).max().orElse(0);
        int name = rows.stream().mapToInt(r -> r[1].length()).max().orElse(0);
        StringBuilder s = new StringBuilder(summary());
        for (String[] r : rows) {
            s.append("\n  ").append((pad(r[0], kind) + "  " + pad(r[1], name) + "  " + r[2]).stripTrailing());
        }
        return s.toString();
    }

    private interface Row<T> {
        String[] of(T item);
    }

    private static <T> void add(List<String[]> rows, String kind, List<T> items, Row<T> row) {
        for (T item : items.subList(0, Math.min(MAX_ROWS, items.size()))) {
            String[] r = row.of(item);
            rows.add(new String[] {kind, Refusal.quote(r[0]).replaceAll("^'|'$", ""), r[1]});
        }
        if (items.size() > MAX_ROWS) {
            rows.add(new String[] {kind, "... and " + (items.size() - MAX_ROWS) + " more", ""});
        }
    }

    private static String nearest(List<String> names) {
        return names.isEmpty() ? "" : "  nearest: " + String.join(", ", names);
    }

    private static String pad(String s, int width) {
        return s + " ".repeat(width - s.length());
    }
}
