package dev.graft.benchmarks.compare;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.benchmarks.peers.Row;
import java.util.List;
import java.util.Locale;

/** The lines of one peer, as text and as JSON. */
record Table(String peer, List<Measured.Line> lines) {
    String text() {
        StringBuilder s = new StringBuilder(String.format(Locale.ROOT, "%n%-38s %10s %10s %7s %15s %6s  %s%n",
                "against " + peer, "ours ms", "peer ms", "ratio", "spread", "bar", "reached"));
        int reached = 0;
        int always = 0;
        int never = 0;
        long barred = lines.stream().filter(l -> l.row().hasBar()).count();
        for (Measured.Line l : lines) {
            if (l.problem() != null) {
                s.append(String.format(Locale.ROOT, "%-38s %s%n", l.row().name(), l.problem()));
                continue;
            }
            boolean memory = l.row().kind() == Row.Kind.MEMORY;
            double scale = memory ? 1 << 20 : 1;
            String bar = l.row().hasBar() ? String.format(Locale.ROOT, "%.2f", l.row().bar()) : "";
            s.append(String.format(Locale.ROOT, "%-38s %10s %10s %7.2f %15s %6s  %s%n", l.row().name(),
                    number(l.ours() / scale, memory), number(l.theirs() / scale, memory), l.ratio(),
                    String.format(Locale.ROOT, "%.2f to %.2f", l.least(), l.most()), bar, verdict(l)));
            if (l.row().hasBar()) {
                reached += l.reached() ? 1 : 0;
                always += l.reached() && l.least() >= l.row().bar() ? 1 : 0;
                never += l.most() < l.row().bar() ? 1 : 0;
            }
        }
        return barred == 0 ? s.toString()
                : s + String.format(Locale.ROOT, "%d of %d rows reach their bar, %d of them in every turn; %d miss it in"
                        + " every turn%n", reached, barred, always, never);
    }

    private static String number(double v, boolean memory) {
        return memory ? String.format(Locale.ROOT, "%.0f MiB", v)
                : String.format(Locale.ROOT, v < 1 ? "%.4f" : v < 100 ? "%.2f" : "%.1f", v);
    }

    private static String verdict(Measured.Line l) {
        return Boolean.FALSE.equals(l.same()) ? "RESULTS DIFFER" : !l.row().hasBar() ? "" : l.reached() ? "yes"
                : String.format(Locale.ROOT, "no, %.0f %% of it", 100 * l.ratio() / l.row().bar());
    }

    void write(ArrayNode out) {
        for (Measured.Line l : lines) {
            ObjectNode o = out.addObject();
            o.put("row", l.row().name());
            if (l.problem() != null) {
                o.put("problem", l.problem());
                continue;
            }
            String unit = l.row().kind() == Row.Kind.MEMORY ? "bytes" : "ms";
            o.put("ours_" + unit, l.ours());
            o.put("peer_" + unit, l.theirs());
            o.put("ratio", l.ratio());
            ArrayNode ratios = o.putArray("ratios");
            for (double r : l.ratios()) {
                ratios.add(r);
            }
            if (l.row().hasBar()) {
                o.put("bar", l.row().bar());
                o.put("reached", l.reached());
            }
            if (l.same() != null) {
                o.put("results_agree", l.same());
            }
        }
    }
}
